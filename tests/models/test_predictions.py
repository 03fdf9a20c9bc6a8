"""Predictions on disk."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from amlc.errors import DataError
from amlc.files import write_json
from amlc.models.predictions import read_predictions, read_settings, write_predictions

PRODUCTS = pd.DataFrame({"sample_id": ["7", "3", "5"]})
LOG_PRICE = np.array([0.5, -1.0, 3.25])


def test_round_trip(tmp_path: Path) -> None:
    """Predictions are read as they were written, in the product table's order."""
    write_predictions(tmp_path, PRODUCTS, log_price=LOG_PRICE)
    np.testing.assert_array_equal(read_predictions(tmp_path, PRODUCTS), LOG_PRICE)


def test_predictions_of_other_products(tmp_path: Path) -> None:
    """A stale file is refused instead of being matched with the wrong rows."""
    write_predictions(tmp_path, PRODUCTS, log_price=LOG_PRICE)
    with pytest.raises(DataError, match="another product table; run the stage train again"):
        read_predictions(tmp_path, PRODUCTS.iloc[::-1])


def test_missing_predictions(tmp_path: Path) -> None:
    """The error names the stage that writes them."""
    with pytest.raises(DataError, match="run the stage train"):
        read_predictions(tmp_path, PRODUCTS)


def test_file_of_another_kind(tmp_path: Path) -> None:
    """A file without the columns is refused."""
    PRODUCTS.to_parquet(tmp_path / "predictions.parquet")
    with pytest.raises(DataError, match="log_price"):
        read_predictions(tmp_path, PRODUCTS)


def test_infinite_prediction_is_named(tmp_path: Path) -> None:
    """The error counts the invalid rows and names the first."""
    write_predictions(tmp_path, PRODUCTS, log_price=np.array([0.5, np.inf, np.nan]))
    with pytest.raises(DataError, match="2 rows are not finite, the first 1, 2"):
        read_predictions(tmp_path, PRODUCTS)


def test_settings_are_those_of_the_models_folders(tmp_path: Path) -> None:
    """A model that has not been fitted is named by its file."""
    write_json(tmp_path / "ridge/settings.json", {"alpha": 3.0})
    assert read_settings(tmp_path, ["ridge"]) == {"ridge": {"alpha": 3.0}}
    with pytest.raises(DataError, match=r"forest/settings\.json.*run dvc repro"):
        read_settings(tmp_path, ["ridge", "forest"])
