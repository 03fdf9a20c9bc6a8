"""The columns of a catalogue that become features by themselves: categories, numbers, dates."""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from amlc.arrays import Floats
from amlc.catalog.amounts import parse_date, plain_number
from amlc.catalog.columns import ColumnMap, ReadSettings
from amlc.catalog.content import is_missing
from amlc.catalog.markup import plain_text
from amlc.catalog.products import CATEGORY, DATE, NUMBER, own_kind

MAX_CATEGORY = 200  # characters
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_EPOCH = np.datetime64("1970-01-01", "D")


def names_in_table(columns: ColumnMap, *, rates: bool) -> dict[str, str]:
    """Return the columns of the product table, and the column of the file that each comes from.

    Parameters
    ----------
    columns : ColumnMap
        The map; the currency is a category unless there are `rates`.
    rates : bool
        Whether prices are converted to one currency.
    """
    categories = list(columns.categories)
    if columns.currency is not None and not rates and columns.currency not in categories:
        categories.append(columns.currency)
    kinds = ((CATEGORY, categories), (NUMBER, columns.numbers), (DATE, columns.dates))
    return {prefix + name: name for prefix, names in kinds for name in names}


def parse_own(cells: Mapping[str, Iterable[str]], read: ReadSettings) -> pd.DataFrame:
    """Parse cells into columns of the product table.

    Parameters
    ----------
    cells : mapping of str to iterable of str
        The cells of each column, by its name in the product table.
    read : ReadSettings
        How numbers and dates are written.

    Returns
    -------
    DataFrame
        Categories are text, empty where missing; numbers are float64; dates are float64, in days
        since 1970-01-01. What is missing, or is no number or date, is NaN.
    """
    parsers: dict[str, Any] = {CATEGORY: _categories, NUMBER: _numbers, DATE: _dates}
    parsed = {name: parsers[own_kind(name)](values, read) for name, values in cells.items()}
    return pd.DataFrame(parsed)


def is_readable(name: str, cell: str, read: ReadSettings) -> bool:
    """Return whether one cell is empty, or what the kind of its column says."""
    kind = own_kind(name)
    if kind == CATEGORY or is_missing(cell):
        return True
    if kind == NUMBER:
        return not np.isnan(_number(cell, read))
    return parse_date(cell, read.date_format) is not None


def is_unreadable(name: str, cells: Iterable[str], parsed: pd.Series) -> Any:
    """Return a mask of the cells that are filled, but no number or date.

    Parameters
    ----------
    name : str
        The column's name in the product table.
    cells : iterable of str
        Its cells.
    parsed : Series
        What `parse_own` made of them.
    """
    if own_kind(name) == CATEGORY:
        return np.zeros(len(parsed), dtype=bool)
    filled = np.fromiter((not is_missing(cell) for cell in cells), bool, len(parsed))
    return filled & parsed.isna().to_numpy()


def _categories(cells: Iterable[str], _: ReadSettings) -> pd.Series:
    values = ["" if is_missing(cell) else _one_line(cell) for cell in cells]
    return pd.Series(values, dtype="str")


def _one_line(cell: str) -> str:
    return plain_text(cell).replace("\n", " ")[:MAX_CATEGORY]


def _numbers(cells: Iterable[str], read: ReadSettings) -> pd.Series:
    return pd.Series([_number(cell, read) for cell in cells], dtype=np.float64)


def _number(cell: str, read: ReadSettings) -> float:
    try:
        number = float(plain_number(cell, read))
    except ValueError:
        return np.nan
    # Sums of squares stay finite.
    return number if abs(number) < 1e100 and "_" not in cell else np.nan


def _dates(cells: Iterable[str], read: ReadSettings) -> pd.Series:
    days: list[float] = []
    for cell in cells:
        day = parse_date(cell, read.date_format)
        days.append(np.nan if day is None else float(day.toordinal() - _EPOCH_DAY))
    return pd.Series(days, dtype=np.float64)


def year_month_weekday(days: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the parts of dates.

    Parameters
    ----------
    days : ndarray of float64, shape (n,)
        Days since 1970-01-01; finite.

    Returns
    -------
    year, month, weekday : ndarray of float64, shape (n,)
        Months from 1, weekdays from 0 for Monday.

    Examples
    --------
    >>> [part.tolist() for part in year_month_weekday(np.array([0.0, 19782.0]))]
    [[1970.0, 2024.0], [1.0, 2.0], [3.0, 3.0]]
    """
    dates = _EPOCH + days.astype(np.int64).astype("timedelta64[D]")
    years = dates.astype("datetime64[Y]").astype(np.int64) + 1970
    months = dates.astype("datetime64[M]").astype(np.int64) % 12 + 1
    # The first of January 1970 was a Thursday.
    weekdays = (days.astype(np.int64) + 3) % 7
    return years.astype(np.float64), months.astype(np.float64), weekdays.astype(np.float64)
