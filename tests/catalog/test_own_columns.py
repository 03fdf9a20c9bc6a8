"""Categories, numbers and dates are parsed from cells."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amlc.catalog.own_columns import (
    MAX_CATEGORY,
    is_readable,
    is_unreadable,
    names_in_table,
    parse_own,
    year_month_weekday,
)
from tests.helpers.layouts import map_with, reading

DAYS = st.dates(date(1, 1, 1), date(9999, 12, 31))


def test_a_column_may_have_several_kinds() -> None:
    """Each has a name of its own in the product table."""
    columns = map_with({"categories": ["size"], "numbers": ["size"], "currency": "cur"})
    both = {"category:size": "size", "number:size": "size"}
    assert names_in_table(columns, rates=True) == both
    assert names_in_table(columns, rates=False) == {**both, "category:cur": "cur"}


def test_a_category_is_one_short_line_without_markup() -> None:
    """Words for a missing value are missing."""
    cells = ["<b>Tea</b>\n&amp; more", "nan", "x" * 300]
    parsed = parse_own({"category:kind": cells}, reading({}))["category:kind"]
    assert parsed.tolist() == ["Tea & more", "", "x" * MAX_CATEGORY]


@pytest.mark.parametrize(
    ("cell", "number"),
    [("1.234,5", 1234.5), ("-3", -3.0), ("1.5", np.nan), ("1_0", np.nan), ("1e200", np.nan)],
)
def test_a_number_is_read_in_the_declared_format(cell: str, number: float) -> None:
    """What is not in it is missing, and so is what would not stay finite when squared."""
    read = reading({"decimal": ",", "thousands": "."})
    (parsed,) = parse_own({"number:n": [cell]}, read)["number:n"]
    assert parsed == pytest.approx(number, nan_ok=True)
    assert is_readable("number:n", cell, read) == (not np.isnan(number))


@given(DAYS)
def test_any_date_keeps_its_parts(day: date) -> None:
    """Days since 1970 lead back to year, month and weekday."""
    (days,) = parse_own({"date:d": [day.isoformat()]}, reading({}))["date:d"]
    assert date(1970, 1, 1) + timedelta(days=int(days)) == day
    year, month, weekday = year_month_weekday(np.array([days]))
    assert (year[0], month[0], weekday[0]) == (day.year, day.month, day.weekday())


@given(st.text(max_size=30))
def test_any_cell_is_parsed_or_missing(cell: str) -> None:
    """Whether a cell is readable is the same for one cell as for a column."""
    read = reading({})
    for name in ("number:n", "date:d", "category:c"):
        parsed = parse_own({name: [cell]}, read)[name]
        assert is_readable(name, cell, read) != is_unreadable(name, [cell], parsed)[0]
        assert isinstance(parsed, pd.Series)
