"""Rules for ids, texts, links and prices, and the errors of rows that break them."""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np

from amlc.catalog.columns import ReadSettings
from amlc.catalog.content import is_missing
from amlc.catalog.links import LINK_RULE, LinkError, parse_link
from amlc.catalog.own_columns import is_unreadable, parse_own
from amlc.catalog.products import CURRENCY, DATE, ID, LINK, NUMBER, PRICE, TEXT, own_kind
from amlc.catalog.sheet import SHOWN_CHARACTERS, RowError, Sheet
from amlc.errors import DataError, first_few

MAX_ID_LENGTH = 200  # characters
MAX_ROW_ERRORS = 1_000_000
_MAX_PRICE_LENGTH = 64  # characters
# No product of any currency lies outside, and sums of squared prices stay finite inside.
MIN_PRICE, MAX_PRICE = 1e-6, 1e12
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
# str.strip removes these control characters, but float refuses them.
_SEPARATOR = re.compile("[\x1c-\x1f]")
_NOT_FINITE = re.compile(r"[+-]?(?:nan|inf|infinity)", re.ASCII | re.IGNORECASE)

# What is wrong and what to do, by reason; error messages list the reasons in this order.
REASONS = {
    "cells": ("another number of cells than the header", "quote cells that hold a comma"),
    "id_missing": ("no id", "give each row an id"),
    "id_malformed": (
        f"white space around the id, a control character in it, or over {MAX_ID_LENGTH} characters",
        "write the id alone",
    ),
    "id_duplicate": ("the id of an earlier row", "give each row its own id"),
    "id_in_test": ("an id that test.csv has too", "remove the row from one of the files"),
    "text_and_link_missing": (
        "neither text nor link",
        "describe the product, or give its image's link",
    ),
    "text_long": ("text longer than data.max_text", "shorten it, or raise data.max_text"),
    "link_malformed": ("malformed link", LINK_RULE),
    "price_missing": ("no price", "give the price"),
    "price_not_number": (
        "a price that is not a number",
        "write a plain decimal such as 12.50, or describe the format in data.read",
    ),
    "price_not_finite": ("a price that is not finite", "give the price"),
    "price_not_positive": ("a price that is not above 0", "give the price"),
    "price_out_of_range": (
        f"a price below {MIN_PRICE:f} or above {MAX_PRICE:,.0f}",
        "correct it, or give prices in a larger or a smaller unit",
    ),
    "currency_unknown": ("a currency without a rate", "add it to data.rates"),
    "number_unreadable": (
        "a number that cannot be read",
        "write it as data.read says, or use the column as a category or a text",
    ),
    "date_unreadable": (
        "a date that cannot be read",
        "describe the format in data.read.date_format",
    ),
}
# A row with one of these errors is kept, without that value.
KEPT = frozenset({"number_unreadable", "date_unreadable"})


# The rules for single cells. Each function returns a key of `REASONS`, or an empty string. In every
# column an empty cell and a word such as ``nan`` are missing; a text or a link may be missing.


def id_error(text: str) -> str:
    """Return the reason why an id is refused; an empty string if it is valid.

    Examples
    --------
    >>> id_error("007"), id_error("7 "), id_error("nan")
    ('', 'id_malformed', 'id_missing')
    """
    if is_missing(text):
        return "id_missing"
    valid = len(text) <= MAX_ID_LENGTH and text == text.strip() and text.isprintable()
    return "" if valid else "id_malformed"


def text_error(text: str, max_text: int) -> str:
    """Return the reason why a catalogue text is refused; an empty string if it is not."""
    return "text_long" if len(text) > max_text else ""


def link_error(text: str) -> str:
    """Return the reason why an image link is refused; an empty string if it is not."""
    if is_missing(text):
        return ""
    try:
        parse_link(text)
    except LinkError:
        return "link_malformed"
    return ""


def price_error(text: str) -> str:
    """Return the reason why a price is refused; an empty string if it is valid.

    A price is a decimal number in ASCII digits, with an optional point and exponent; white space
    around it is ignored.

    Examples
    --------
    >>> [price_error(text) for text in (" 12.5 ", "1e3", "12,50", "inf", "0")]
    ['', '', 'price_not_number', 'price_not_finite', 'price_not_positive']
    """
    number = text.strip()
    if is_missing(number):
        return "price_missing"
    short = number[: _MAX_PRICE_LENGTH + 1]
    if _NOT_FINITE.fullmatch(short):
        return "price_not_finite"
    if len(short) > _MAX_PRICE_LENGTH or not _NUMBER.fullmatch(short) or _SEPARATOR.search(text):
        return "price_not_number"
    price = float(number)
    if not math.isfinite(price):
        return "price_not_finite"
    if price <= 0:
        return "price_not_positive"
    return "" if MIN_PRICE <= price <= MAX_PRICE else "price_out_of_range"


# The errors of a sheet.


def find_row_errors(sheet: Sheet, max_text: int) -> list[RowError]:
    """Return the errors that can be detected in one sheet, in the order of its rows.

    Parameters
    ----------
    sheet : Sheet
        Of either split; prices are checked if the sheet has them.
    max_text : int
        Maximum number of characters of a text.

    Raises
    ------
    DataError
        There are more than `MAX_ROW_ERRORS` errors: the file is not a catalogue.
    """
    checks = {
        ID: id_error,
        TEXT: lambda text: text_error(text, max_text),
        LINK: link_error,
        PRICE: price_error,
    }
    no_id, no_text, no_link = (
        np.fromiter(map(is_missing, sheet.cells[column]), dtype=bool) for column in (ID, TEXT, LINK)
    )
    repeated = np.flatnonzero(sheet.cells[ID].duplicated().to_numpy() & ~no_id).tolist()
    silent = np.flatnonzero(no_text & no_link).tolist()
    errors = [
        *sheet.ragged,
        *_row_errors(sheet, ID, dict.fromkeys(repeated, "id_duplicate")),
        *_row_errors(sheet, TEXT, dict.fromkeys(silent, "text_and_link_missing")),
    ]
    for column, check in checks.items():
        if column in sheet.cells:
            errors += _column_errors(sheet, column, check)
            if len(errors) > MAX_ROW_ERRORS:
                lines = "\n  ".join(describe_errors(sheet.path, errors, sheet.total))
                raise DataError(
                    f"{sheet.path}: more than {MAX_ROW_ERRORS:,} errors, among them:\n  {lines}"
                )
    return sorted(errors, key=lambda error: error.line)


def find_unreadable(sheet: Sheet, read: ReadSettings) -> list[RowError]:
    """Return an error for each cell of the user's own columns that is no number or date.

    Raises
    ------
    DataError
        There are more than `MAX_ROW_ERRORS`.
    """
    errors: list[RowError] = []
    for name in sheet.cells.columns:
        if own_kind(name) in {NUMBER, DATE}:
            reason = "number_unreadable" if own_kind(name) == NUMBER else "date_unreadable"
            parsed = parse_own({name: sheet.cells[name]}, read)[name]
            unreadable = np.flatnonzero(is_unreadable(name, sheet.cells[name], parsed))
            errors += _row_errors(sheet, name, dict.fromkeys(unreadable.tolist(), reason))
    if len(errors) > MAX_ROW_ERRORS:
        raise DataError(
            f"{sheet.path}: more than {MAX_ROW_ERRORS:,} numbers or dates cannot be read: describe "
            "them in data.read, or use the columns as categories"
        )
    return errors


def find_unknown_currencies(sheet: Sheet, rates: Mapping[str, float]) -> list[RowError]:
    """Return an error for each row whose price has a currency without a rate."""
    if CURRENCY not in sheet.cells:
        return []
    return _column_errors(
        sheet, CURRENCY, lambda cell: "" if cell.strip() in rates else "currency_unknown"
    )


def find_shared_ids(train: Sheet, test: Sheet) -> list[RowError]:
    """Return an error for each train row whose id is also in the test sheet."""
    test_ids = set(test.cells[ID])
    return _column_errors(train, ID, lambda text: "id_in_test" if text in test_ids else "")


def _column_errors(sheet: Sheet, column: str, check: Callable[[str], str]) -> list[RowError]:
    reasons = enumerate(map(check, sheet.cells[column]))
    return _row_errors(sheet, column, {row: reason for row, reason in reasons if reason})


def _row_errors(sheet: Sheet, column: str, reasons: dict[int, str]) -> list[RowError]:
    """Return the errors of a column from the reasons of rows."""
    if not reasons:
        # The selection of no rows would copy all texts.
        return []
    # One more than allowed is enough to notice the excess.
    rows = list(reasons)[: MAX_ROW_ERRORS + 1]
    lines = sheet.lines[rows].tolist()
    ids = sheet.cells[ID].iloc[rows].str.slice(0, MAX_ID_LENGTH)
    cells = sheet.cells[column].iloc[rows].str.slice(0, SHOWN_CHARACTERS)
    return [
        RowError(row, line, sample_id, column, reasons[row], cell)
        for row, line, sample_id, cell in zip(rows, lines, ids, cells, strict=True)
    ]


def describe_errors(
    path: Path, errors: Iterable[RowError], total: int, names: Mapping[str, str] | None = None
) -> list[str]:
    """Return one line per reason: file, column, count, the first rows, what to do.

    Parameters
    ----------
    path : Path
        The file.
    errors : iterable of RowError
        Its errors, in the order of the rows.
    total : int
        The number of rows of the file.
    names : mapping of str to str, optional
        The file's name of each column, where it is another.
    """
    by_reason: dict[str, list[RowError]] = {reason: [] for reason in REASONS}
    for error in errors:
        by_reason[error.reason].append(error)
    lines = []
    for reason, found in by_reason.items():
        if found:
            what, remedy = REASONS[reason]
            rows = first_few(f"line {error.line} ({error.cell[:40]!r})" for error in found)
            count = f"in {len(found):,} of {total:,} rows"
            column = (names or {}).get(found[0].column, found[0].column)
            lines.append(f"{path}: {column}: {what}, {count}: {rows}: {remedy}")
    return lines
