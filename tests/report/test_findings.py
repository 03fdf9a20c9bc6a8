"""Products with their predictions."""

from pathlib import Path

import numpy as np
import pytest

from amlc.catalog.products import read_products
from amlc.errors import DataError
from amlc.evaluation.scores import join_predictions
from amlc.report.findings import coverage_shares, read_findings
from tests.helpers.results import write_results


def test_every_product_gets_price_kind_and_picture(tmp_path: Path) -> None:
    """In the order of the table, train and test rows alike, in the unit of the price."""
    write_results(tmp_path, rows=40, test_rows=8)
    products = read_products(tmp_path / "data/products.parquet")
    rows = join_predictions(products, tmp_path)
    assert rows["sample_id"].tolist() == products["sample_id"].tolist()
    assert rows["kind"].tolist() == ["count", "mass", "mass", "mass"] * 12
    assert 0 < rows["pictured"].sum() < len(rows)
    assert (rows["low"] < rows["predicted"]).all()
    ratio = np.log(rows["predicted"] / rows["price"]).dropna()
    assert ratio.abs().max() < 3


MODELS = ["linear", "lightgbm"]


def test_train_rows_get_their_prediction_kind_and_status(tmp_path: Path) -> None:
    """Each row its own."""
    write_results(tmp_path)
    found = read_findings(tmp_path, MODELS, sampled=True)
    train = found.train
    assert len(train) == 120
    assert (train["low"] < train["predicted"]).all()
    assert (train["predicted"] < train["high"]).all()
    assert train["kind"].tolist() == ["count" if n % 4 == 0 else "mass" for n in range(120)]
    assert train["pictured"].tolist() == [n % 4 != 0 for n in range(120)]
    assert len(found.test_price) == 20


def test_the_log_ratio_is_zero_for_an_exact_price(tmp_path: Path) -> None:
    """And positive where the prediction is too high."""
    write_results(tmp_path)
    found = read_findings(tmp_path, MODELS, sampled=True)
    prices = found.train["predicted"] / found.train["price"]
    assert np.exp(found.log_ratio) == pytest.approx(prices)


def test_a_model_without_curve_is_left_out(tmp_path: Path) -> None:
    """Only the boosted one has rounds."""
    write_results(tmp_path)
    found = read_findings(tmp_path, MODELS, sampled=True)
    assert found.curves["model"].unique().tolist() == ["lightgbm"]
    assert found.importance["share"].sum() == pytest.approx(1)


def test_the_floor_is_known_for_the_sample_only(tmp_path: Path) -> None:
    """On real products nobody knows it."""
    write_results(tmp_path)
    floors = [read_findings(tmp_path, MODELS, sampled=sampled).floor for sampled in (True, False)]
    assert floors == [30.0, None]


@pytest.mark.parametrize("name", ["metrics/metrics.json", "data/models/lightgbm/curve.csv"])
def test_a_damaged_file_is_named(tmp_path: Path, name: str) -> None:
    """With what to do."""
    write_results(tmp_path)
    (tmp_path / name).write_text("{")
    with pytest.raises(DataError, match=name):
        read_findings(tmp_path, MODELS, sampled=True)


def test_coverage_comes_by_predicted_and_by_actual_price() -> None:
    """Deciles lose their leading zero and keep their order."""
    shares = {"01": 70.0, "10": 90.0}
    interval = {"coverage_by_predicted_decile": shares, "coverage_by_price_decile": shares}
    found = coverage_shares({"interval": interval})
    assert found["decile"].tolist() == ["1", "10", "1", "10"]
    assert found["price"].tolist() == ["predicted", "predicted", "actual", "actual"]
