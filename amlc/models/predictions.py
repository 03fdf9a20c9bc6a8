"""The files of a model's folder that later stages read: its settings and predicted log prices."""

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from amlc.arrays import Floats
from amlc.catalog.products import ID
from amlc.errors import DataError, first_few, read_errors_as
from amlc.files import read_json, write_frame

PREDICTIONS = "predictions.parquet"
SETTINGS = "settings.json"
# A model's learning curve, by what it counts.
CURVES = {"round": "curve.csv", "epoch": "epochs.csv"}


def write_predictions(folder: Path, products: pd.DataFrame, **columns: Floats) -> None:
    """Write sample_id and log prices of each product, in the product table's order."""
    write_frame(folder / PREDICTIONS, pd.DataFrame({ID: products[ID].to_numpy(), **columns}))


def read_settings(folder: Path, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return the settings that models were fitted with, as in the section `train` of params.yaml.

    Parameters
    ----------
    folder : Path
        Holds the folders of the models.
    names : iterable of str
        The models.

    Raises
    ------
    DataError
        A model has not been fitted.
    """
    return {name: read_json(folder / name / SETTINGS) for name in names}


def remove_others(folder: Path, names: Sequence[str]) -> None:
    """Remove the folders of other models than `names`, which DVC would keep and hash."""
    for other in folder.iterdir():
        if other.is_dir() and other.name not in names:
            shutil.rmtree(other)


def read_predictions(folder: Path, products: pd.DataFrame) -> Floats:
    """Read the log prices that `write_predictions` wrote.

    Returns
    -------
    ndarray of float64, shape (products,)

    Raises
    ------
    DataError
        The file is missing or unreadable, is of other products, or holds a value that is not
        finite.
    """
    return read_log_prices(folder, products, ["log_price"], "train")["log_price"].to_numpy()


def read_log_prices(
    folder: Path, products: pd.DataFrame, columns: Sequence[str], stage: str
) -> pd.DataFrame:
    """Read columns of a folder's predictions, checked against the product table.

    Parameters
    ----------
    folder : Path
        Holds the predictions.
    products : DataFrame
        The product table.
    columns : sequence of str
        Columns to read.
    stage : str
        The stage that writes them, for messages.

    Raises
    ------
    DataError
        As `read_predictions`.
    """
    path = folder / PREDICTIONS
    with read_errors_as(DataError, f"{path}: cannot be read", remedy=f"run the stage {stage}"):
        frame = pd.read_parquet(path, columns=[ID, *columns])
    if frame[ID].tolist() != products[ID].tolist():
        raise DataError(f"{path}: belongs to another product table; run the stage {stage} again")
    log_prices = frame[list(columns)].astype(np.float64)
    invalid = np.flatnonzero(~np.isfinite(log_prices.to_numpy()).all(axis=1))
    if invalid.size:
        raise DataError(
            f"{path}: {invalid.size} rows are not finite, the first {first_few(invalid)}; "
            f"run the stage {stage} again"
        )
    return log_prices
