"""What a score costs: the stages that count, and the settings of the runs."""

from pathlib import Path

import cost
import numpy as np
import pandas as pd
import pytest
from checkout import ROOT
from cost import points, settings_of, table
from pipeline import Cost

from amlc import params
from amlc.catalog.products import write_products
from amlc.errors import DataError
from amlc.models.predictions import PREDICTIONS, write_predictions
from amlc.models.timings import Timing, record

COSTS = {
    name: Cost(seconds, 10 * seconds, 2 * seconds)
    for name, seconds in {
        "prepare": 1.0,
        "images": 99.0,
        "tabular": 2.0,
        "terms": 4.0,
        "train@linear": 8.0,
        "blend": 16.0,
    }.items()
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a finished run of one model, which took 7 seconds to train."""
    monkeypatch.setenv("AMLC_STORE", str(tmp_path / "store"))
    settings = "models: [linear]\ntrain: {linear: {blocks: [tabular]}}\n"
    (tmp_path / "params.yaml").write_text(settings)
    count = 40
    products = pd.DataFrame(
        {
            "sample_id": [str(row) for row in range(count)],
            "split": "train",
            "catalog_content": "Tea",
            "image_link": "",
            "price": np.arange(1.0, count + 1),
            "group": np.arange(count, dtype=np.int32),
            "fold": (np.arange(count) % 4).astype(np.int8),
        }
    )
    write_products(tmp_path / "data/products.parquet", products)
    model = tmp_path / "data/models/linear"
    model.mkdir(parents=True)
    logs = np.log(products["price"].to_numpy())
    write_predictions(model, products, log_price=logs + 0.1)
    timing = Timing(seconds=7.0, fit_seconds=9.0, predict_seconds=1.0, peak_bytes=5)
    record(model / PREDICTIONS, timing)
    write_predictions(
        tmp_path / "data/blend", products, log_price=logs, log_low=logs - 1, log_high=logs + 1
    )
    return tmp_path


def test_a_model_costs_its_features_and_the_blend_all_but_the_download(folder: Path) -> None:
    """Seconds add up, and the largest memory counts."""
    linear, blend = points("quick", folder, COSTS)
    assert (linear.training, linear.in_all) == (7.0, Cost(10.0, 80.0, 20.0))
    assert (blend.training, blend.in_all) == (7.0, Cost(31.0, 160.0, 62.0))
    assert linear.smape == pytest.approx(200 * np.tanh(0.05))
    assert blend.smape == pytest.approx(0)
    assert "| quick | **blend** | 0.00 | 0.00 | 7 | 31 | 62 | 160 |" in table([linear, blend])


def test_a_model_that_was_fitted_elsewhere_has_no_duration(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the variable that says where durations are kept."""
    monkeypatch.setenv("AMLC_STORE", str(folder / "other"))
    with pytest.raises(DataError, match="no duration of linear; is AMLC_STORE"):
        points("quick", folder, COSTS)


def test_the_synthetic_catalogue_is_made_again_with_its_pictures() -> None:
    """Without --data, the settings are those of `make repro`."""
    assert settings_of(Path("data/synthetic/")) == params.read(ROOT / "params.yaml")


def test_the_settings_are_this_repositorys_for_the_given_catalogue(tmp_path: Path) -> None:
    """Only where the catalogue and its pictures are comes from the folder."""
    settings = settings_of(tmp_path)
    assert settings["data"]["dir"] == str(tmp_path)
    assert settings["data"]["test"] is None
    assert settings["images"]["mirror"] is None
    usual = params.read(ROOT / "params.yaml")
    assert settings["train"] == usual["train"]
    finished = "data: {dir: raw, test: null}\nimages: {mirror: /pictures}\ntrain: {}\n"
    (tmp_path / "params.yaml").write_text(finished)
    settings = settings_of(tmp_path)
    assert settings["data"] == {"dir": str(tmp_path / "raw"), "test": None}
    assert settings["images"] == {"mirror": "/pictures"}
    assert settings["train"] == usual["train"]
    assert cost.BLEND == "blend"
