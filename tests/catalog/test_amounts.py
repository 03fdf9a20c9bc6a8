"""Numbers and dates by a declared format, and nothing that is not in it."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amlc.catalog.amounts import parse_date, plain_number, without_sign
from tests.helpers.layouts import reading


@given(st.decimals(min_value=0, max_value=10**9, places=2))
def test_every_amount_is_read_back_from_its_format(amount: object) -> None:
    """Grouped by three, with a comma for the point."""
    text = f"{amount:,.2f}"
    german = text.translate(str.maketrans(",.", ".,"))
    assert float(plain_number(text, reading({"thousands": ","}))) == float(str(amount))
    comma = reading({"decimal": ",", "thousands": "."})
    assert float(plain_number(german, comma)) == float(str(amount))


@given(st.text(max_size=80))
def test_any_text_is_an_amount_or_stays_none(text: str) -> None:
    """No text raises an error, and what is no amount does not become one."""
    number, sign = without_sign(text)
    assert sign or number == text or number.strip() == text.strip()
    plain_number(text, reading({"decimal": ",", "thousands": " "}))
    parse_date(text, "iso")


@pytest.mark.parametrize("text", ["1,29", "12,34,567", "1,2,3", ",123"])
def test_marks_between_thousands_stand_before_three_digits(text: str) -> None:
    """Otherwise 12,50 would become 1250."""
    with pytest.raises(ValueError, match="could not convert"):
        float(plain_number(text, reading({"thousands": ","})))


@pytest.mark.parametrize("text", ["$5 EUR", "5 dollars", "$", "from $5", "$5-$6", "x" * 100])
def test_what_is_no_single_amount_has_no_sign(text: str) -> None:
    """The text stays as it is, so that its row is an error."""
    assert without_sign(text) == (text, "")


def test_a_date_has_the_declared_format() -> None:
    """A time zone counts; a date that does not exist is none."""
    assert parse_date("03.01.2024", "%d.%m.%Y") == date(2024, 1, 3)
    assert parse_date("2024-01-01T00:30:00+02:00", "iso") == date(2023, 12, 31)
    assert parse_date("2023-02-29", "iso") is None
    assert parse_date("0001-01-01T00:00:00+14:00", "iso") is None
