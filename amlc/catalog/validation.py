"""What an image link has to look like, before anything is fetched."""

import math
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from amlc.catalog.products import ID, LINK, PRICE, TEXT
from amlc.catalog.reading import Sheet
from amlc.errors import DataError, first_few

MAX_LENGTH = 2048


def is_link(text: str) -> bool:
    """Return whether a text can be an image link; a check of its form only.

    Parameters
    ----------
    text : str
        As written in the catalogue.

    Returns
    -------
    bool
        True for an http or https URL with a host, without a user name or password, without white
        space, control characters or backslashes, of at most `MAX_LENGTH` characters, and with
        a port from 1 to 65535 where it names one.

    Examples
    --------
    >>> is_link("https://m.example.com/images/I/71a.jpg")
    True
    >>> is_link("file:///etc/passwd"), is_link("https://me@example.com/a.jpg")
    (False, False)
    """
    if len(text) > MAX_LENGTH or not text.isprintable() or " " in text or "\\" in text:
        return False
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    if parts.scheme not in {"http", "https"} or "@" in parts.netloc:
        return False
    return bool((parts.hostname or "").strip(".")) and port != 0


ID_LIMIT = 200  # characters
FAULT_LIMIT = 1_000_000
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_NUMBER_LIMIT = 64  # characters
_NOT_FINITE = re.compile(r"[+-]?(?:nan|inf|infinity)", re.ASCII | re.IGNORECASE)
_SHOWN = 80  # characters of a cell

# Reason: what is wrong, what to do. The order is that of an error message.
REASONS = {
    "cells": ("another number of cells than the header", "quote cells that hold a comma"),
    "id_missing": ("no id", "give each row an id"),
    "id_malformed": (
        f"white space around the id, a control character in it, or over {ID_LIMIT} characters",
        "write the id alone",
    ),
    "id_duplicate": ("the id of an earlier row", "give each row its own id"),
    "id_in_test": ("an id that test.csv has too", "remove the row from one of the files"),
    "text_empty": ("no text", "describe the product"),
    "text_long": ("text longer than data.max_text", "shorten it, or raise data.max_text"),
    "link_missing": ("no link", "give the image's link"),
    "link_malformed": (
        "malformed link",
        f"write http(s)://HOST/... without user name and white space, in {MAX_LENGTH:,} characters",
    ),
    "price_missing": ("no price", "give the price"),
    "price_not_number": ("a price that is no number", "write a plain decimal such as 12.50"),
    "price_not_finite": ("a price that is not finite", "give the price"),
    "price_not_positive": ("a price that is not above 0", "give the price"),
}


@dataclass(frozen=True, slots=True)
class RowError:
    """One thing that is wrong with one row.

    Parameters
    ----------
    row : int
        Position in the sheet's cells; -1 for a row that is not there.
    line : int
        The line of the file on which the row starts.
    sample_id : str
        The row's id as written.
    column, reason : str
        `reason` is a key of `REASONS`.
    found : str
        The start of the cell.
    """

    row: int
    line: int
    sample_id: str
    column: str
    reason: str
    found: str


def id_fault(text: str) -> str:
    """Return what is wrong with an id, or an empty string.

    Examples
    --------
    >>> id_fault("007"), id_fault("7 ")
    ('', 'id_malformed')
    """
    if not text.strip():
        return "id_missing"
    fine = len(text) <= ID_LIMIT and text == text.strip() and text.isprintable()
    return "" if fine else "id_malformed"


def text_fault(text: str, max_text: int) -> str:
    """Return what is wrong with a catalogue text, or an empty string."""
    if not text.strip():
        return "text_empty"
    return "text_long" if len(text) > max_text else ""


def link_fault(text: str) -> str:
    """Return what is wrong with an image link, or an empty string."""
    if not text.strip():
        return "link_missing"
    return "" if is_link(text) else "link_malformed"


def price_fault(text: str) -> str:
    """Return what is wrong with a price, or an empty string.

    A price is a decimal number in ASCII digits, with a point and an exponent where needed;
    white space around it changes nothing.

    Examples
    --------
    >>> [price_fault(text) for text in (" 12.5 ", "1e3", "12,50", "inf", "0")]
    ['', '', 'price_not_number', 'price_not_finite', 'price_not_positive']
    """
    number = text.strip()
    if not number:
        return "price_missing"
    if len(number) > _NUMBER_LIMIT:
        return "price_not_number"
    if _NOT_FINITE.fullmatch(number):
        return "price_not_finite"
    if not _NUMBER.fullmatch(number):
        return "price_not_number"
    price = float(number)
    if not math.isfinite(price):
        return "price_not_finite"
    return "" if price > 0 else "price_not_positive"


def sheet_faults(sheet: Sheet, max_text: int) -> list[RowError]:
    """Return the faults that a sheet shows on its own, in the order of its rows.

    Parameters
    ----------
    sheet : Sheet
        Of either split: a price is checked where the sheet has the column.
    max_text : int
        Characters that a text may have.

    Raises
    ------
    DataError
        There are more than `FAULT_LIMIT` faults: the file is no catalogue.
    """
    checks = {
        ID: id_fault,
        TEXT: lambda text: text_fault(text, max_text),
        LINK: link_fault,
        PRICE: price_fault,
    }
    found = [*_odd_rows(sheet), *_duplicates(sheet)]
    for column, check in checks.items():
        if column in sheet.cells:
            found += _column_faults(sheet, column, check)
            _check_count(sheet, found)
    return sorted(found, key=lambda fault: fault.line)


def shared_ids(train: Sheet, test: Sheet) -> list[RowError]:
    """Return a fault for each train row whose id is in the test sheet too."""
    known = set(test.cells[ID])
    return _column_faults(train, ID, lambda text: "id_in_test" if text in known else "")


def describe(path: Path, faults: Iterable[RowError], total: int) -> list[str]:
    """Return one line per reason: file, column, count, the first rows, what to do.

    Parameters
    ----------
    path : Path
        The file that the faults are of.
    faults : iterable of RowError
        In the order of the rows.
    total : int
        The number of rows of the file.
    """
    by_reason: dict[str, list[RowError]] = {}
    for fault in faults:
        by_reason.setdefault(fault.reason, []).append(fault)
    return [
        _line(path, reason, by_reason[reason], total) for reason in REASONS if reason in by_reason
    ]


def _line(path: Path, reason: str, faults: list[RowError], total: int) -> str:
    what, remedy = REASONS[reason]
    examples = first_few(f"line {fault.line} ({fault.found[:40]!r})" for fault in faults)
    return (
        f"{path}: {faults[0].column}: {what}, in {len(faults):,} of {total:,} rows: "
        f"{examples}: {remedy}"
    )


def _check_count(sheet: Sheet, found: list[RowError]) -> None:
    if len(found) > FAULT_LIMIT:
        first = "\n  ".join(describe(sheet.path, found, sheet.total))
        raise DataError(f"{sheet.path}: more than {FAULT_LIMIT:,} faults, among them:\n  {first}")


def _odd_rows(sheet: Sheet) -> Iterator[RowError]:
    width = sheet.cells.shape[1]
    for odd in sheet.odd:
        found = f"{odd.count} cells, not {width}"
        yield RowError(-1, odd.line, odd.first, "row", "cells", found)


def _column_faults(sheet: Sheet, column: str, check: Callable[[str], str]) -> list[RowError]:
    reasons = [check(text) for text in sheet.cells[column]]
    rows = [row for row, reason in enumerate(reasons) if reason]
    return _faults(sheet, column, rows, [reasons[row] for row in rows])


def _duplicates(sheet: Sheet) -> list[RowError]:
    ids = sheet.cells[ID]
    repeated = np.flatnonzero((ids.duplicated() & (ids.str.strip() != "")).to_numpy()).tolist()
    return _faults(sheet, ID, repeated, ["id_duplicate"] * len(repeated))


def _faults(sheet: Sheet, column: str, rows: list[int], reasons: list[str]) -> list[RowError]:
    rows = rows[: FAULT_LIMIT + 1]
    lines = sheet.lines[rows].tolist()
    ids = sheet.cells[ID].iloc[rows].str.slice(0, ID_LIMIT)
    found = sheet.cells[column].iloc[rows].str.slice(0, _SHOWN)
    return [
        RowError(row, line, sample_id, column, reason, cell)
        for row, line, sample_id, reason, cell in zip(
            rows, lines, ids, reasons, found, strict=False
        )
    ]
