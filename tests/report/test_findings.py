"""What the report reads, and the products with their predictions."""

from pathlib import Path

import numpy as np
import pytest

from amlc.catalog.products import read_products
from amlc.errors import DataError
from amlc.evaluation.metrics_files import Interval
from amlc.evaluation.scores import join_predictions
from amlc.report.findings import coverage_shares, read_findings
from tests.helpers.results import write_results


def test_every_product_gets_price_kind_and_picture(tmp_path: Path) -> None:
    """Train and test rows keep the order of the table, and predictions are prices."""
    write_results(tmp_path, rows=40, test_rows=8)
    products = read_products(tmp_path / "data/products.parquet")
    rows = join_predictions(products, tmp_path)
    assert rows["sample_id"].tolist() == products["sample_id"].tolist()
    assert rows["kind"].tolist() == ["count", "mass", "mass", "mass"] * 12
    assert 0 < rows["pictured"].sum() < len(rows)
    assert (rows["low"] < rows["predicted"]).all()
    ratio = (rows["predicted"] / rows["price"]).dropna()
    assert np.abs(np.log(ratio)).max() < 3


MODELS = ["linear", "lightgbm"]


def test_train_rows_get_their_prediction_kind_and_status(tmp_path: Path) -> None:
    """No row gets those of another."""
    write_results(tmp_path)
    findings = read_findings(tmp_path, MODELS, synthetic=True)
    train = findings.train
    assert len(train) == 120
    assert (train["low"] < train["predicted"]).all()
    assert (train["predicted"] < train["high"]).all()
    assert train["kind"].tolist() == ["count" if n % 4 == 0 else "mass" for n in range(120)]
    assert train["pictured"].tolist() == [n % 4 != 0 for n in range(120)]
    assert len(findings.test_price) == 20


def test_the_log_ratio_is_that_of_predicted_to_actual_price(tmp_path: Path) -> None:
    """It is zero for an exact price and positive where the prediction is too high."""
    write_results(tmp_path)
    findings = read_findings(tmp_path, MODELS, synthetic=True)
    ratio = findings.train["predicted"] / findings.train["price"]
    assert np.exp(findings.log_ratio) == pytest.approx(ratio)


def test_a_model_without_curve_is_left_out(tmp_path: Path) -> None:
    """Only the boosted model has rounds."""
    write_results(tmp_path)
    findings = read_findings(tmp_path, MODELS, synthetic=True)
    assert findings.curves["model"].unique().tolist() == ["lightgbm"]
    assert findings.importance["share"].sum() == pytest.approx(1)


def test_the_best_possible_score_is_known_for_synthetic_products_only(tmp_path: Path) -> None:
    """For real products it is None."""
    write_results(tmp_path)
    assert read_findings(tmp_path, MODELS, synthetic=True).floor == 30.0
    assert read_findings(tmp_path, MODELS, synthetic=False).floor is None


@pytest.mark.parametrize("name", ["metrics/metrics.json", "data/models/lightgbm/curve.csv"])
def test_a_damaged_file_is_named(tmp_path: Path, name: str) -> None:
    """The message names the file."""
    write_results(tmp_path)
    (tmp_path / name).write_text("{")
    with pytest.raises(DataError, match=name):
        read_findings(tmp_path, MODELS, synthetic=True)


def test_coverage_comes_by_predicted_and_by_actual_price() -> None:
    """Deciles lose their leading zero and keep their order."""
    shares = {"01": 70.0, "10": 90.0}
    interval = Interval(
        coverage=80.0,
        coverage_by_predicted_decile=shares,
        coverage_by_price_decile=shares,
        median_ratio=3.0,
    )
    table = coverage_shares(interval)
    assert table["decile"].tolist() == ["1", "10", "1", "10"]
    assert table["price"].tolist() == ["predicted", "predicted", "actual", "actual"]
    assert table["coverage"].tolist() == [70.0, 90.0, 70.0, 90.0]
