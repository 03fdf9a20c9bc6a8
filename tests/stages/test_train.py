"""The stages train and blend, with their files."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from amlc.catalog.products import write_products
from amlc.errors import ParamsError
from amlc.models.blend import Blend
from amlc.models.registry import regressor
from amlc.models.spread import Spread
from stages import blend, train
from tests.helpers.learning import EXECUTOR, SECTIONS, SPREAD, make_products, with_test_rows

NAMES = ["linear", "ridge", "lightgbm"]
BLEND = {
    "calibration_bands": 3,
    "coverage": 0.8,
    "interval_bands": 2,
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the working folder, with features, 200 train rows and 40 test rows."""
    blocks, _, products = make_products(240, seed=1)
    products = with_test_rows(products.assign(catalog_content="text", image_link=""), 200)
    write_products(tmp_path / "data/products.parquet", products)
    features = tmp_path / "data/features"
    features.mkdir()
    assert blocks.tabular is not None
    assert blocks.terms is not None
    assert blocks.neighbours is not None
    blocks.tabular.write(features / "tabular.parquet")
    blocks.terms.write(features / "terms.npz")
    blocks.neighbours.write(features / "neighbours.npz")
    for name, block in blocks.dense.items():
        block.write(features / f"{name}.npy")
    sections = {"seed": 3, "threads": 1, "models": NAMES, "train": SECTIONS, "blend": BLEND}
    sections |= {"executor": EXECUTOR, "spread": SPREAD}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(sections))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run_train(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the stage for one model."""
    monkeypatch.setattr("sys.argv", ["train", name])
    train.main()


def test_train_then_blend(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The blended test prices equal those of the saved models and weights."""
    for name in NAMES:
        run_train(name, monkeypatch)
    blend.main()
    printed = capsys.readouterr().out
    assert "train: ridge: SMAPE " in printed
    assert "blend: SMAPE " in printed
    rows = np.arange(200, 240)
    new = make_products(240, seed=1)[0].take(rows)
    models = folder / "data/models"
    log_prices = [regressor(name).load(models / name).predict(new) for name in NAMES]
    saved = Blend.load(folder / "data/blend/blend.json")
    log_price = saved.log_price(np.column_stack(log_prices))
    scale = Spread.load(folder / "data/blend/spread").scale(new, log_price)
    expected = saved.interval(log_price, scale)
    predicted = pd.read_parquet(folder / "data/blend/predictions.parquet")
    np.testing.assert_allclose(predicted.iloc[200:, 1:].to_numpy(), expected, rtol=1e-12)
    assert (predicted["log_low"] < predicted["log_high"]).all()
    weights = saved.weights
    assert sum(weights.values()) == pytest.approx(1)


@pytest.mark.usefixtures("folder")
def test_fits_to_too_few_rows_are_reported_once(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The stage ends with a score, and the library's own complaint is not shown."""
    sections = yaml.safe_load(Path("params.yaml").read_text())
    sections["train"]["lightgbm"] |= {"min_child_samples": 150}
    Path("params.yaml").write_text(yaml.safe_dump(sections))
    run_train("lightgbm", monkeypatch)
    printed = capfd.readouterr()
    assert printed.out.count("4 of 4 fits predict one price for all products") == 1
    assert "LightGBM" not in printed.err
    predicted = pd.read_parquet("data/models/lightgbm/predictions.parquet")["log_price"]
    assert np.ptp(predicted[200:]) == 0


def test_two_runs_give_the_same_bytes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A forced rebuild does not change DVC's lock file."""
    out = folder / "data/models/lightgbm"
    run_train("lightgbm", monkeypatch)
    first = {path.name: path.read_bytes() for path in out.iterdir()}
    run_train("lightgbm", monkeypatch)
    assert first == {path.name: path.read_bytes() for path in out.iterdir()}


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("arguments", [[], ["mlp", "ridge"], ["catboost"]])
def test_train_needs_one_model(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The error lists the known models."""
    monkeypatch.setattr("sys.argv", ["train", *arguments])
    with pytest.raises(ParamsError, match="models: forest, fusion, lightgbm"):
        train.main()
