"""The product table with what was predicted and what else results are looked at by."""

from pathlib import Path

import numpy as np
import pandas as pd

from amlc.catalog.table import LINK
from amlc.features.columns import CATEGORICAL, read_tabular
from amlc.images.outcome import OK
from amlc.images.shards import read_statuses
from amlc.models.blend import read_blend


def priced(root: Path, products: pd.DataFrame) -> pd.DataFrame:
    """Return the products with their predictions.

    Parameters
    ----------
    root : Path
        The repository; its folder ``data`` holds what the stages wrote.
    products : DataFrame
        The product table, whole.

    Returns
    -------
    DataFrame
        Added: ``predicted``, ``low``, ``high``, in the unit of the price; ``kind``: of the unit;
        ``pictured``: whether the picture could be had.

    Raises
    ------
    DataError
        A file is missing, unreadable or of other products.
    """
    blend = read_blend(root / "data/blend", products).map(np.exp)
    tabular = read_tabular(root / "data/features/tabular.parquet")
    statuses = read_statuses(root / "data/images")
    return products.assign(
        predicted=blend["log_price"].to_numpy(),
        low=blend["log_low"].to_numpy(),
        high=blend["log_high"].to_numpy(),
        kind=tabular.labels(CATEGORICAL + "kind"),
        pictured=[statuses.get(link) == OK for link in products[LINK]],
    )
