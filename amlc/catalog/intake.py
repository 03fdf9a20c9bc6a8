"""Read, check and count the catalogue: train.csv and test.csv together."""

import csv
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from amlc.catalog.products import (
    ID,
    LINK,
    PRICE,
    TEST,
    TEST_COLUMNS,
    TEST_OPTIONAL,
    TEXT,
    TRAIN,
    TRAIN_COLUMNS,
)
from amlc.catalog.reading import CELL_LIMIT, Sheet, read_sheet
from amlc.catalog.validation import RowError, describe, shared_ids, sheet_faults
from amlc.errors import DataError
from amlc.files import replacing
from amlc.params import Settings

# No setting lets these pass in test rows: a submission names every test row once.
_NEVER_IN_TEST = frozenset({"cells", "id_missing", "id_malformed", "id_duplicate"})

DROPPED = "dropped"
_ACTIONS = {
    "text_empty": "text left empty",
    "text_long": "text cut",
    "link_missing": "link left empty",
    "link_malformed": "link left empty",
    "price_missing": "price not known",
    "price_not_number": "price not known",
    "price_not_finite": "price not known",
    "price_not_positive": "price not known",
}
REJECTED_COLUMNS = ("file", "line", ID, "column", "reason", "found", "action")


class DataSettings(Settings):
    """Section ``data`` of params.yaml.

    Parameters
    ----------
    dir : str
        Folder of train.csv and test.csv.
    on_invalid : {"error", "drop"}
        What to do about rows with faults: stop, or leave train rows out and mend test rows.
    folds : int
        Number of folds for cross-validation.
    max_text : int
        Characters that a text may have.
    max_bytes : int
        Bytes that each file may have.
    """

    dir: Annotated[str, Field(min_length=1)]
    on_invalid: Literal["error", "drop"]
    folds: Annotated[int, Field(ge=2, le=100)]
    max_text: Annotated[int, Field(ge=1, le=CELL_LIMIT)]
    max_bytes: Annotated[int, Field(ge=1)]


@dataclass(frozen=True)
class Catalogue:
    """Both splits, and what was wrong with them.

    Parameters
    ----------
    products : DataFrame
        Columns ``sample_id``, ``split``, ``catalog_content``, ``image_link`` (``str``) and
        ``price`` (float64, NaN in test rows without one): the train rows that are left, then all
        test rows.
    rejected : list of RowError
        Of train rows; each row with a fault was left out.
    flagged : list of RowError
        Of test rows, each of which stays: a text that is too long is cut, a link that is no
        valid one is left empty, a price that is none is not known.
    train_total : int
        Rows of train.csv.
    """

    products: pd.DataFrame
    rejected: list[RowError]
    flagged: list[RowError]
    train_total: int


def read_catalogue(settings: DataSettings) -> Catalogue:
    """Read train.csv and test.csv and check every row of both.

    Of train rows that share an id the first stays; a train row whose id test.csv has too goes.

    Parameters
    ----------
    settings : DataSettings
        Where the files are, and what to do about rows with faults.

    Raises
    ------
    DataError
        A file as a whole cannot be used, test.csv has rows that cannot be named once in a
        submission, ``on_invalid`` is ``error`` and a row has a fault, or no train row is left.
        One message tells everything that is wrong with both files.
    """
    sheets, faults, messages = _read_both(settings)
    if TRAIN in sheets and TEST in sheets:
        faults[TRAIN] += shared_ids(sheets[TRAIN], sheets[TEST])
        faults[TRAIN].sort(key=lambda fault: fault.line)
    never = [fault for fault in faults[TEST] if fault.reason in _NEVER_IN_TEST]
    rows_count = settings.on_invalid == "error" and any(faults.values())
    if messages or never or rows_count:
        rows = [line for split in sheets for line in _described(sheets[split], faults[split])]
        raise DataError(_report(messages + rows, hopeless=bool(messages or never)))
    train = _train_products(sheets[TRAIN], faults[TRAIN])
    if train.empty:
        rows = _described(sheets[TRAIN], faults[TRAIN])
        raise DataError(_report([f"{sheets[TRAIN].path}: no row is left", *rows], hopeless=True))
    test = _test_products(sheets[TEST], faults[TEST], settings.max_text)
    products = pd.concat([train, test], ignore_index=True)
    return Catalogue(products, faults[TRAIN], faults[TEST], sheets[TRAIN].total)


def read_ids(path: Path) -> list[str]:
    """Return the ids of a test.csv that `read_catalogue` has accepted, in the file's order.

    Parameters
    ----------
    path : Path
        The file; its size was checked when it was accepted.

    Raises
    ------
    DataError
        The file is no longer what it was.
    """
    sheet = read_sheet(path, TEST_COLUMNS, sys.maxsize, TEST_OPTIONAL)
    if sheet.broken or sheet.odd:
        raise DataError(f"{path}: changed since it was checked; run the stage prepare")
    return [str(sample_id) for sample_id in sheet.cells[ID]]


def write_rejected(path: Path, catalogue: Catalogue) -> None:
    """Write one line per fault; only the header where there is none."""
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(REJECTED_COLUMNS)
        for fault in catalogue.rejected:
            writer.writerow(["train.csv", *_told(fault), DROPPED])
        for fault in catalogue.flagged:
            writer.writerow(["test.csv", *_told(fault), _ACTIONS[fault.reason]])


def _read_both(
    settings: DataSettings,
) -> tuple[dict[str, Sheet], dict[str, list[RowError]], list[str]]:
    sheets: dict[str, Sheet] = {}
    faults: dict[str, list[RowError]] = {TRAIN: [], TEST: []}
    messages = []
    for split, columns, optional in (
        (TRAIN, TRAIN_COLUMNS, ()),
        (TEST, TEST_COLUMNS, TEST_OPTIONAL),
    ):
        path = Path(settings.dir) / f"{split}.csv"
        try:
            sheet = read_sheet(path, columns, settings.max_bytes, optional)
            faults[split] = sheet_faults(sheet, settings.max_text)
        except DataError as error:
            messages.append(str(error))
            continue
        sheets[split] = sheet
        if sheet.broken:
            messages.append(f"{path}: {sheet.broken}")
    return sheets, faults, messages


def _described(sheet: Sheet, faults: list[RowError]) -> list[str]:
    return describe(sheet.path, faults, sheet.total)


def _report(lines: list[str], *, hopeless: bool) -> str:
    advice = (
        "mend the files and run again; data.on_invalid: drop does not help here"
        if hopeless
        else "mend the files, or set data.on_invalid to drop: train rows with faults are then left "
        "out and listed in data/rejected.csv, test rows keep an empty link or a shorter text"
    )
    return "the catalogue cannot be used:\n  " + "\n  ".join([*lines, advice])


def _train_products(sheet: Sheet, faults: list[RowError]) -> pd.DataFrame:
    keep = np.ones(len(sheet.cells), dtype=np.bool_)
    keep[[fault.row for fault in faults if fault.row >= 0]] = False
    kept = sheet.cells.loc[keep, list(TRAIN_COLUMNS)]
    prices = np.array([float(price) for price in kept[PRICE]], dtype=np.float64)
    kept[PRICE] = prices
    return kept.assign(split=TRAIN)


def _test_products(sheet: Sheet, faults: list[RowError], max_text: int) -> pd.DataFrame:
    kept = sheet.cells.loc[:, list(TEST_COLUMNS)]
    no_text = [fault.row for fault in faults if fault.reason == "text_empty"]
    no_link = [fault.row for fault in faults if fault.column == LINK]
    texts = kept[TEXT].str.slice(0, max_text)
    texts.iloc[no_text] = ""
    links = kept[LINK].copy()
    links.iloc[no_link] = ""
    kept[TEXT], kept[LINK], kept[PRICE] = texts, links, _test_prices(sheet, faults)
    return kept.assign(split=TEST)


def _test_prices(sheet: Sheet, faults: list[RowError]) -> NDArray[np.float64]:
    """Return the prices of test rows, NaN where none is known."""
    if PRICE not in sheet.cells:
        return np.full(len(sheet.cells), np.nan)
    faulty = {fault.row for fault in faults if fault.column == PRICE}
    cells = enumerate(sheet.cells[PRICE])
    return np.array([np.nan if row in faulty else float(price) for row, price in cells])


def _told(fault: RowError) -> list[str | int]:
    return [fault.line, fault.sample_id, fault.column, fault.reason, fault.found]


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


def _by_reason(faults: Iterable[RowError]) -> dict[str, int]:
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
