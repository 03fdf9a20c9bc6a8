"""Predicted log prices on disk, one row per product."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from amlc.arrays import Floats
from amlc.catalog.products import ID
from amlc.errors import DataError, first_few
from amlc.files import write_frame

PREDICTIONS = "predictions.parquet"


def write_predictions(folder: Path, products: pd.DataFrame, log_price: Floats) -> None:
    """Write one row per product, in the product table's order: sample_id and log_price."""
    frame = pd.DataFrame({ID: products[ID].to_numpy(), "log_price": log_price})
    write_frame(folder / PREDICTIONS, frame)


def remove_others(folder: Path, names: Sequence[str]) -> None:
    """Remove the folders of models that no longer run: DVC leaves them, and hashes them along."""
    for other in folder.iterdir():
        if other.is_dir() and other.name not in names:
            shutil.rmtree(other)


def read_predictions(folder: Path, products: pd.DataFrame) -> Floats:
    """Read what `write_predictions` wrote, checked against the product table.

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
    """Read columns of a folder's predictions, written by a stage; see `read_predictions`."""
    path = folder / PREDICTIONS
    try:
        frame = pd.read_parquet(path, columns=[ID, *columns])
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read: {error}; run the stage {stage}") from None
    if frame[ID].tolist() != products[ID].tolist():
        raise DataError(f"{path}: is not of this product table; run the stage {stage} again")
    found = frame[list(columns)].astype(np.float64)
    faulty = np.flatnonzero(~np.isfinite(found.to_numpy()).all(axis=1))
    if faulty.size:
        raise DataError(
            f"{path}: {faulty.size} rows are not finite, the first {first_few(faulty)}; "
            f"run the stage {stage} again"
        )
    return found
