"""What reading a catalogue found: the list of errors, the counts, and notes for the user."""

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from amlc.catalog.intake import CheckedCatalogue
from amlc.catalog.products import ID, LINK, PRICE, TEST, TEXT, TRAIN
from amlc.catalog.sheet import RowError
from amlc.catalog.validation import KEPT
from amlc.files import without_formula, write_rows

# The list of errors, data/rejected.csv.

REJECTED_COLUMNS = ("file", "line", ID, "column", "reason", "found", "action")
# What is done to a train row with an error, and to a test row, by reason.
_TRAIN_ACTION = "dropped"
_TEST_ACTIONS = {
    "text_and_link_missing": "text and link left empty",
    "text_long": "text cut",
    "link_malformed": "link left empty",
    "price_missing": "price not known",
    "price_not_number": "price not known",
    "price_not_finite": "price not known",
    "price_not_positive": "price not known",
    "price_out_of_range": "price not known",
    "currency_unknown": "price not known",
    "number_unreadable": "number missing",
    "date_unreadable": "date missing",
}


def write_rejected(path: Path, catalogue: CheckedCatalogue) -> None:
    """Write a header and one line per error; it is for people, so that no cell is a formula."""
    train = (
        (TRAIN, error, _TEST_ACTIONS[error.reason] if error.reason in KEPT else _TRAIN_ACTION)
        for error in catalogue.rejected
    )
    test = ((TEST, error, _TEST_ACTIONS[error.reason]) for error in catalogue.flagged)
    names = catalogue.names
    rows = (
        (
            f"{split}.csv",
            error.line,
            without_formula(error.sample_id),
            names.get(error.column, error.column),
            error.reason,
            without_formula(error.cell),
            action,
        )
        for split, error, action in itertools.chain(train, test)
    )
    write_rows(path, REJECTED_COLUMNS, rows)


# The counts, metrics/data.json.

_MAY_BE_EMPTY = {"text": TEXT, "link": LINK}
_PRICE_QUANTILES = {
    "min": 0.0,
    "q01": 0.01,
    "q25": 0.25,
    "median": 0.5,
    "q75": 0.75,
    "q99": 0.99,
    "max": 1.0,
}


def data_metrics(
    catalogue: CheckedCatalogue, products: pd.DataFrame, placeholders: dict[str, int]
) -> dict[str, Any]:
    """Return counts of rows, errors, missing values, groups and folds, and quantiles of the price.

    Parameters
    ----------
    catalogue : CheckedCatalogue
        The catalogue as it was read.
    products : DataFrame
        Its products with ``group`` and ``fold``.
    placeholders : dict of str to int
        What `amlc.catalog.splits.placeholder_links` returns.
    """
    # The texts would be copied, and they are most of the table.
    missing = {f"without_{name}": products[column] == "" for name, column in _MAY_BE_EMPTY.items()}
    counted = products[["split", PRICE, "group", "fold"]].assign(**missing)
    train, others = (counted[counted["split"] == split] for split in (TRAIN, TEST))
    test = others.iloc[: catalogue.test_total]
    # After the rows of the test file come train rows without a price, then those held out.
    unpriced = int(others[PRICE].iloc[catalogue.test_total :].isna().sum())
    held_out = len(others) - len(test) - unpriced
    rejected = {(error.row, error.line) for error in catalogue.rejected if error.reason not in KEPT}
    return {
        "train": {
            "read": catalogue.train_total,
            "kept": len(train),
            "rejected": len(rejected),
            "rejected_by_reason": _count_by_reason(catalogue.rejected),
            "without_price": unpriced,
            "held_out": held_out,
            **_count_missing(train),
        },
        "further_rows": catalogue.further_rows,
        "test": {
            "rows": len(test),
            "flagged": len({error.row for error in catalogue.flagged}),
            "flagged_by_reason": _count_by_reason(catalogue.flagged),
            **_count_missing(test),
        },
        "placeholder_links": placeholders,
        "groups": _count_groups(products),
        "price": {name: float(train[PRICE].quantile(q)) for name, q in _PRICE_QUANTILES.items()},
        "folds": {
            str(fold): {"rows": len(rows), "median_price": float(rows[PRICE].median())}
            for fold, rows in train.groupby("fold")
        },
    }


def notes(catalogue: CheckedCatalogue, metrics: dict[str, Any]) -> Iterator[str]:
    """Yield sentences about columns that are not used, and rows that are not trained on.

    Parameters
    ----------
    catalogue : CheckedCatalogue
        The catalogue as it was read.
    metrics : dict
        What `data_metrics` returned.
    """
    yield from catalogue.notes
    if rows := metrics["further_rows"]:
        yield f"{rows:,} rows belong to the product of an earlier row"
    if rows := metrics["train"]["without_price"]:
        yield f"{rows:,} train rows have no price: they are priced"
    if rows := metrics["train"]["held_out"]:
        yield f"{rows:,} train rows are held out, to score the predictions"


def _count_by_reason(errors: Iterable[RowError]) -> dict[str, int]:
    # A row with two errors counts under both reasons.
    return dict(Counter(error.reason for error in errors))


def _count_missing(rows: pd.DataFrame) -> dict[str, int]:
    names = (f"without_{name}" for name in _MAY_BE_EMPTY)
    return {name: int(rows[name].sum()) for name in names}


def _count_groups(products: pd.DataFrame) -> dict[str, int]:
    sizes = np.bincount(products["group"])
    splits = products.groupby("group")["split"].nunique()
    return {
        "count": len(sizes),
        "largest": int(sizes.max()),
        "of_several_rows": int((sizes > 1).sum()),
        "rows_in_them": int(sizes[sizes > 1].sum()),
        "in_both_splits": int((splits == len([TRAIN, TEST])).sum()),
    }
