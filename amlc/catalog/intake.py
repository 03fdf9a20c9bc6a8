"""Read and check train.csv and test.csv as a whole; list and count their errors."""

import itertools
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from amlc.catalog.content import is_missing
from amlc.catalog.products import (
    ID,
    LINK,
    PRICE,
    TEST,
    TEST_COLUMNS,
    TEST_OPTIONAL_COLUMNS,
    TEXT,
    TRAIN,
    TRAIN_COLUMNS,
)
from amlc.catalog.reading import CELL_LIMIT
from amlc.catalog.sheet import RowError, Sheet, read_sheet
from amlc.catalog.validation import describe_errors, find_row_errors, find_shared_ids
from amlc.errors import DataError
from amlc.files import without_formula, write_rows
from amlc.params import Settings

# Errors in test rows that always stop, because a submission has to name every test row once.
_FATAL_IN_TEST = frozenset({"cells", "id_missing", "id_malformed", "id_duplicate"})


class DataSettings(Settings):
    """Section ``data`` of params.yaml."""

    dir: Annotated[str, Field(min_length=1)]
    on_invalid: Literal["error", "drop"]
    folds: Annotated[int, Field(ge=2, le=100)]
    placeholder_titles: Annotated[int, Field(ge=2, le=1000)]
    max_text: Annotated[int, Field(ge=1, le=CELL_LIMIT)]
    max_bytes: Annotated[int, Field(ge=1)]


@dataclass(frozen=True)
class CheckedCatalogue:
    """The products of both splits, and the errors in their rows.

    Parameters
    ----------
    products : DataFrame
        Columns ``sample_id``, ``split``, ``catalog_content``, ``image_link`` (``str``, empty where
        the text or the link is missing) and ``price`` (float64, NaN in test rows without one): the
        train rows that are left, then all test rows. Links are without white space around them, so
        that one link is one text.
    rejected : list of RowError
        Of train rows; each row with an error was left out.
    flagged : list of RowError
        Of test rows, which are all kept: a text that is too long is shortened, a malformed link
        becomes empty, and an invalid price counts as missing.
    train_total : int
        Rows of train.csv.
    """

    products: pd.DataFrame
    rejected: list[RowError]
    flagged: list[RowError]
    train_total: int


# Reading.


def read_catalogue(settings: DataSettings) -> CheckedCatalogue:
    """Read train.csv and test.csv and check every row of both.

    Of train rows that share an id the first one is kept; a train row whose id is also in test.csv
    is left out.

    Parameters
    ----------
    settings : DataSettings
        Where the files are, and what to do about rows with errors.

    Raises
    ------
    DataError
        A file cannot be used at all, test.csv has rows without a valid and unique id,
        ``on_invalid`` is ``error`` and a row has an error, or there is no valid train row. One
        message lists everything that is wrong with both files.
    """
    sheets, errors, messages = _read_both(settings)
    if TRAIN in sheets and TEST in sheets:
        errors[TRAIN] += find_shared_ids(sheets[TRAIN], sheets[TEST])
        errors[TRAIN].sort(key=lambda error: error.line)
    rows_wrong = [
        line
        for split, sheet in sheets.items()
        for line in describe_errors(sheet.path, errors[split], sheet.total)
    ]
    if messages or any(error.reason in _FATAL_IN_TEST for error in errors[TEST]):
        raise _unusable([*messages, *rows_wrong], _DROP_DOES_NOT_HELP)
    if rows_wrong and settings.on_invalid == "error":
        raise _unusable(rows_wrong, _DROP_HELPS)
    train = _train_products(sheets[TRAIN], errors[TRAIN])
    if train.empty:
        lines = describe_errors(sheets[TRAIN].path, errors[TRAIN], sheets[TRAIN].total)
        raise _unusable([f"{sheets[TRAIN].path}: no row is left", *lines], _DROP_DOES_NOT_HELP)
    test = _test_products(sheets[TEST], errors[TEST], settings.max_text)
    products = pd.concat([train, test], ignore_index=True)
    return CheckedCatalogue(products, errors[TRAIN], errors[TEST], sheets[TRAIN].total)


def read_test_ids(path: Path) -> list[str]:
    """Return the ids of a test.csv that `read_catalogue` has accepted, in the file's order.

    Parameters
    ----------
    path : Path
        The file; its size was checked when it was accepted.

    Raises
    ------
    DataError
        The file has changed since.
    """
    sheet = read_sheet(path, TEST_COLUMNS, sys.maxsize, TEST_OPTIONAL_COLUMNS)
    if sheet.broken or sheet.ragged:
        raise DataError(f"{path}: changed since it was checked; run the stage prepare")
    return [str(sample_id) for sample_id in sheet.cells[ID]]


def _read_both(
    settings: DataSettings,
) -> tuple[dict[str, Sheet], dict[str, list[RowError]], list[str]]:
    """Return by split the sheets and their row errors, and messages about files as a whole."""
    sheets: dict[str, Sheet] = {}
    errors: dict[str, list[RowError]] = {TRAIN: [], TEST: []}
    messages = []
    for split, columns, optional in (
        (TRAIN, TRAIN_COLUMNS, ()),
        (TEST, TEST_COLUMNS, TEST_OPTIONAL_COLUMNS),
    ):
        path = Path(settings.dir) / f"{split}.csv"
        try:
            sheet = read_sheet(path, columns, settings.max_bytes, optional)
            errors[split] = find_row_errors(sheet, settings.max_text)
        except DataError as error:
            messages.append(str(error))
            continue
        sheets[split] = sheet
        if sheet.broken:
            messages.append(sheet.broken)
    return sheets, errors, messages


_DROP_HELPS = (
    "correct the files, or set data.on_invalid to drop: train rows with errors are then left out "
    "and listed in data/rejected.csv, test rows keep an empty link or a shorter text"
)
_DROP_DOES_NOT_HELP = "correct the files and run again; data.on_invalid: drop does not help here"


def _unusable(lines: list[str], remedy: str) -> DataError:
    return DataError("the catalogue cannot be used:\n  " + "\n  ".join([*lines, remedy]))


def _train_products(sheet: Sheet, errors: list[RowError]) -> pd.DataFrame:
    rejected = [error.row for error in errors if error.row >= 0]
    kept = _without_words(sheet.cells.drop(index=rejected)[list(TRAIN_COLUMNS)])
    prices = np.array([float(price) for price in kept[PRICE]], dtype=np.float64)
    kept[PRICE] = prices
    kept[LINK] = kept[LINK].map(str.strip)
    return kept.assign(split=TRAIN)


def _test_products(sheet: Sheet, errors: list[RowError], max_text: int) -> pd.DataFrame:
    products = _without_words(sheet.cells[list(TEST_COLUMNS)])
    products[TEXT] = products[TEXT].str.slice(0, max_text)
    products[LINK] = products[LINK].map(str.strip)
    products.loc[[error.row for error in errors if error.column == LINK], LINK] = ""
    prices = np.full(len(products), np.nan)
    if PRICE in sheet.cells:
        invalid = {error.row for error in errors if error.column == PRICE}
        for row, price in enumerate(sheet.cells[PRICE]):
            if row not in invalid:
                prices[row] = float(price)
    products[PRICE] = prices
    return products.assign(split=TEST)


def _without_words(products: pd.DataFrame) -> pd.DataFrame:
    """Return the products with empty texts and links where these are words for a missing value."""
    cells = {
        column: ["" if is_missing(cell) else cell for cell in products[column]]
        for column in (TEXT, LINK)
    }
    return products.assign(**cells).astype("str")


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
}


def write_rejected(path: Path, catalogue: CheckedCatalogue) -> None:
    """Write a header and one line per error; it is for people, so that no cell is a formula."""
    train = (("train.csv", error, _TRAIN_ACTION) for error in catalogue.rejected)
    test = (("test.csv", error, _TEST_ACTIONS[error.reason]) for error in catalogue.flagged)
    rows = (
        (
            *(file, error.line, without_formula(error.sample_id), error.column, error.reason),
            *(without_formula(error.cell), action),
        )
        for file, error, action in itertools.chain(train, test)
    )
    write_rows(path, REJECTED_COLUMNS, rows)


# The counts, metrics/data.json.

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
    train, test = (products[products["split"] == split] for split in (TRAIN, TEST))
    return {
        "train": {
            "read": catalogue.train_total,
            "kept": len(train),
            "rejected": catalogue.train_total - len(train),
            "rejected_by_reason": _count_by_reason(catalogue.rejected),
            **_count_missing(train),
        },
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


def _count_by_reason(errors: Iterable[RowError]) -> dict[str, int]:
    # A row with two errors counts under both reasons.
    return dict(Counter(error.reason for error in errors))


def _count_missing(products: pd.DataFrame) -> dict[str, int]:
    return {
        "without_text": int((products[TEXT] == "").sum()),
        "without_link": int((products[LINK] == "").sum()),
    }


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
