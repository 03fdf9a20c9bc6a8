"""What metrics/data.json says about the catalogue."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from amlc.catalog.checks import Fault
from amlc.catalog.reading import Catalogue
from amlc.catalog.table import PRICE, TEST, TRAIN

_QUANTILES = {
    "min": 0.0,
    "q01": 0.01,
    "q25": 0.25,
    "median": 0.5,
    "q75": 0.75,
    "q99": 0.99,
    "max": 1.0,
}


def summary(catalogue: Catalogue, products: pd.DataFrame) -> dict[str, Any]:
    """Return counts of rows, faults, groups and folds, and quantiles of the price.

    Parameters
    ----------
    catalogue : Catalogue
        What was read.
    products : DataFrame
        Its products with ``group`` and ``fold``.
    """
    train = products[products["split"] == TRAIN]
    return {
        "train": {
            "read": catalogue.train_total,
            "kept": len(train),
            "rejected": catalogue.train_total - len(train),
            "rejected_by_reason": _by_reason(catalogue.rejected),
        },
        "test": {
            "rows": len(products) - len(train),
            "flagged": len({fault.row for fault in catalogue.flagged}),
            "flagged_by_reason": _by_reason(catalogue.flagged),
        },
        "groups": _groups(products),
        "price": {name: float(train[PRICE].quantile(at)) for name, at in _QUANTILES.items()},
        "folds": {
            str(fold): {"rows": len(rows), "median_price": float(rows[PRICE].median())}
            for fold, rows in train.groupby("fold")
        },
    }


def _by_reason(faults: Iterable[Fault]) -> dict[str, int]:
    # A row with two faults counts under both reasons.
    return dict(Counter(fault.reason for fault in faults))


def _groups(products: pd.DataFrame) -> dict[str, int]:
    sizes = np.bincount(products["group"])
    splits = products.groupby("group")["split"].nunique()
    return {
        "count": len(sizes),
        "largest": int(sizes.max()),
        "of_several_rows": int((sizes > 1).sum()),
        "rows_in_them": int(sizes[sizes > 1].sum()),
        "in_both_splits": int((splits == len([TRAIN, TEST])).sum()),
    }
