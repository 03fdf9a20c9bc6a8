"""Read and check train.csv and test.csv as a whole."""

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from amlc.arrays import Rows
from amlc.catalog.arrangement import Arranged, arrange, describe_unused
from amlc.catalog.columns import COMPETITION, PLAIN, ColumnMap, ReadSettings
from amlc.catalog.content import is_missing
from amlc.catalog.own_columns import names_in_table, parse_own
from amlc.catalog.products import (
    CURRENCY,
    FURTHER_LINKS,
    ID,
    LINK,
    PRICE,
    TEST,
    TEXT,
    TRAIN,
    own_kind,
)
from amlc.catalog.reading import CELL_LIMIT
from amlc.catalog.sheet import RowError, Sheet, read_sheet
from amlc.catalog.validation import (
    KEPT,
    describe_errors,
    find_row_errors,
    find_shared_ids,
    find_unknown_currencies,
    find_unreadable,
)
from amlc.errors import DataError
from amlc.params import Settings

# Errors in test rows that always stop, because a submission has to name every test row once.
_FATAL_IN_TEST = frozenset({"cells", "id_missing", "id_malformed", "id_duplicate"})


Rate = Annotated[float, Field(gt=0, lt=1e9)]


class DataSettings(Settings):
    """Section ``data`` of params.yaml."""

    dir: Annotated[str, Field(min_length=1)]
    train: Annotated[str, Field(min_length=1)] = "train.csv"
    test: Annotated[str, Field(min_length=1)] | None = "test.csv"
    columns: ColumnMap = COMPETITION
    on_extra: Literal["ignore", "error"] = "ignore"
    read: ReadSettings = PLAIN
    rates: dict[str, Rate] = Field(max_length=1000, default_factory=dict)
    on_invalid: Literal["error", "drop"]
    folds: Annotated[int, Field(ge=2, le=100)]
    holdout: Annotated[float, Field(ge=0, le=0.5)] = 0.0
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
        the text or the link is missing), ``price`` (float64, NaN in test rows without one) and the
        user's own: the train rows that are left, then all rows of the test file, then train rows
        without a price, which are test rows from here on. Links are without white space around
        them, so that one link is one text.
    rejected : list of RowError
        Of train rows; each row with an error was left out, but for numbers and dates that cannot
        be read, which are missing.
    flagged : list of RowError
        Of test rows, which are all kept: a text that is too long is shortened, a malformed link
        becomes empty, and an invalid price counts as missing.
    train_total : int
        Products of the train file.
    test_total : int
        Those of the test file.
    further_rows : int
        Rows of both files that belong to the product of an earlier row.
    notes : list of str
        What the user should know about the files.
    names : dict of str to str
        The files' name of each column, where it is another.
    """

    products: pd.DataFrame
    rejected: list[RowError]
    flagged: list[RowError]
    train_total: int
    test_total: int = 0
    further_rows: int = 0
    notes: list[str] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)


# Reading.


def read_catalogue(settings: DataSettings) -> CheckedCatalogue:
    """Read the files of both splits and check every row.

    Of train rows that share an id the first one is kept; a train row whose id is also in the test
    file is left out.

    Parameters
    ----------
    settings : DataSettings
        Where the files are, and what to do about rows with errors.

    Raises
    ------
    DataError
        A file cannot be used at all, the test file has rows without a valid and unique id,
        ``on_invalid`` is ``error`` and a row has an error, or there is no valid train row. One
        message lists everything that is wrong with both files.
    """
    files, errors, messages = _read_both(settings)
    sheets = {split: file.sheet for split, file in files.items()}
    if TRAIN in sheets and TEST in sheets:
        errors[TRAIN] += find_shared_ids(sheets[TRAIN], sheets[TEST])
        errors[TRAIN].sort(key=lambda error: error.line)
    names = {**settings.columns.names, **_own_names(settings)}
    rows_wrong = [
        line
        for split, sheet in sheets.items()
        for line in describe_errors(sheet.path, errors[split], sheet.total, names)
    ]
    if messages or any(error.reason in _FATAL_IN_TEST for error in errors[TEST]):
        raise _unusable([*messages, *rows_wrong], _DROP_DOES_NOT_HELP)
    if rows_wrong and settings.on_invalid == "error":
        raise _unusable(rows_wrong, _DROP_HELPS)
    train = _train_products(sheets[TRAIN], errors[TRAIN], settings)
    is_priced = train[PRICE].notna()
    if not is_priced.any():
        lines = describe_errors(sheets[TRAIN].path, errors[TRAIN], sheets[TRAIN].total, names)
        raise _unusable([f"{sheets[TRAIN].path}: no row is left", *lines], _DROP_DOES_NOT_HELP)
    # Any selection copies all texts, which are most of the memory, even if it selects no row.
    parts = [train if is_priced.all() else train[is_priced]]
    if TEST in sheets:
        parts.append(_test_products(sheets[TEST], errors[TEST], settings))
    if not is_priced.all():
        parts.append(train[~is_priced].assign(split=TEST))
    products = pd.concat([part for part in parts if len(part)], ignore_index=True)
    if FURTHER_LINKS in products:
        # One of the files may have none.
        products[FURTHER_LINKS] = products[FURTHER_LINKS].fillna("").astype("str")
    return CheckedCatalogue(
        products,
        errors[TRAIN],
        errors[TEST],
        sheets[TRAIN].total,
        sheets[TEST].total if TEST in sheets else 0,
        sum(file.further_rows for file in files.values()),
        [note for sheet in sheets.values() if (note := describe_unused(sheet))],
        names,
    )


def read_test_ids(settings: DataSettings) -> list[str]:
    """Return the ids of a test file that `read_catalogue` has accepted, in the file's order.

    Parameters
    ----------
    settings : DataSettings
        Where the file is; without a test file there are no ids.

    Raises
    ------
    DataError
        The file has changed since.
    """
    if settings.test is None:
        return []
    sheet = _read_file(settings, TEST).sheet
    if sheet.broken or sheet.ragged:
        raise DataError(f"{sheet.path}: changed since it was checked; run the stage prepare")
    return [str(sample_id) for sample_id in sheet.cells[ID]]


def _read_both(
    settings: DataSettings,
) -> tuple[dict[str, Arranged], dict[str, list[RowError]], list[str]]:
    """Return by split the files and their row errors, and messages about files as a whole."""
    files: dict[str, Arranged] = {}
    errors: dict[str, list[RowError]] = {TRAIN: [], TEST: []}
    messages = []
    for split in (TRAIN, TEST) if settings.test is not None else (TRAIN,):
        try:
            file = _read_file(settings, split)
            errors[split] = find_row_errors(file.sheet, settings.max_text)
            errors[split] += find_unreadable(file.sheet, settings.read)
            errors[split] += find_unknown_currencies(file.sheet, settings.rates)
        except DataError as error:
            messages.append(str(error))
            continue
        if split == TRAIN:
            # Rows without a price are priced.
            errors[split] = [error for error in errors[split] if error.reason != "price_missing"]
        errors[split].sort(key=lambda error: error.line)
        files[split] = file
        if file.sheet.broken:
            messages.append(file.sheet.broken)
    return files, errors, messages


def _read_file(settings: DataSettings, split: str) -> Arranged:
    columns = settings.columns
    needed: tuple[str, ...] = columns.inputs
    optional: tuple[str, ...] = (columns.price,)
    if split == TRAIN:
        needed, optional = (*needed, *optional), ()
    name = settings.train if split == TRAIN else settings.test
    sheet = read_sheet(
        Path(settings.dir) / str(name),
        needed,
        settings.max_bytes,
        optional,
        read=settings.read,
        allow_extra=settings.on_extra == "ignore",
    )
    return arrange(sheet, columns, settings.read, split, rates=bool(settings.rates))


def _own_names(settings: DataSettings) -> dict[str, str]:
    names = names_in_table(settings.columns, rates=bool(settings.rates))
    return {**names, CURRENCY: settings.columns.currency or ""}


_DROP_HELPS = (
    "correct the files, or set data.on_invalid to drop: train rows with errors are then left out "
    "and listed in data/rejected.csv, test rows keep an empty link or a shorter text"
)
_DROP_DOES_NOT_HELP = "correct the files and run again; data.on_invalid: drop does not help here"


def _unusable(lines: list[str], remedy: str) -> DataError:
    return DataError("the catalogue cannot be used:\n  " + "\n  ".join([*lines, remedy]))


def _train_products(sheet: Sheet, errors: list[RowError], settings: DataSettings) -> pd.DataFrame:
    rejected = {error.row for error in errors if error.row >= 0 and error.reason not in KEPT}
    kept = _with_values(sheet, settings, np.setdiff1d(np.arange(len(sheet.cells)), [*rejected]))
    return kept.assign(split=TRAIN)


def _test_products(sheet: Sheet, errors: list[RowError], settings: DataSettings) -> pd.DataFrame:
    invalid = {error.row for error in errors if error.column in {PRICE, CURRENCY}}
    products = _with_values(sheet, settings, np.arange(len(sheet.cells)), invalid)
    products[TEXT] = products[TEXT].str.slice(0, settings.max_text)
    products.loc[[error.row for error in errors if error.column == LINK], LINK] = ""
    return products.assign(split=TEST)


def _with_values(
    sheet: Sheet, settings: DataSettings, rows: Rows, without_price: Collection[int] = ()
) -> pd.DataFrame:
    """Return some rows of a sheet with prices as numbers, and their own columns parsed."""
    cells = sheet.cells.iloc[rows]
    products = _without_words(cells[[ID, TEXT, LINK]])
    products[LINK] = products[LINK].map(str.strip)
    if FURTHER_LINKS in cells:
        products[FURTHER_LINKS] = cells[FURTHER_LINKS]
    prices = np.full(len(rows), np.nan)
    if PRICE in cells:
        for index, (row, price) in enumerate(zip(rows.tolist(), cells[PRICE], strict=True)):
            if row not in without_price and not is_missing(price):
                prices[index] = float(price)
    if CURRENCY in cells:
        products[CURRENCY] = cells[CURRENCY].map(str.strip)
        prices *= [settings.rates.get(cell, np.nan) for cell in products[CURRENCY]]
    products[PRICE] = prices
    own = {name: cells[name] for name in cells.columns if own_kind(name)}
    if not own:
        return products
    parsed = parse_own(own, settings.read).set_axis(products.index)
    return pd.concat([products, parsed], axis=1)


def _without_words(products: pd.DataFrame) -> pd.DataFrame:
    """Return the products with empty texts and links where these are words for a missing value."""
    for column in (TEXT, LINK):
        # No list of the cells, which would take several times the memory of the column.
        words = np.fromiter(map(is_missing, products[column]), bool, len(products))
        products = products.assign(**{column: products[column].mask(words, "")})
    return products
