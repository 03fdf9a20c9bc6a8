"""The submission file and the format of its prices."""

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amlc.catalog.submission import check_submission, format_price, write_submission
from amlc.errors import CheckError

IDS = ["7", "007", "x"]
PRICES = np.array([1.0, 2.0, 3.0])


def test_a_valid_submission_is_accepted() -> None:
    """It has every id once and in order, with a positive finite price."""
    check_submission(IDS, PRICES, IDS)


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (["7", "007"], "prices"),
        (["7", "007", "y"], "1 missing ids: x; 1 unknown ids: y"),
        (["7", "7", "x"], "1 missing ids: 007; 1 repeated ids: 7"),
        (["007", "7", "x"], "not in the order"),
    ],
)
def test_wrong_ids_are_named(ids: list[str], message: str) -> None:
    """The message lists the wrong ids by kind of error."""
    with pytest.raises(CheckError, match=message):
        check_submission(ids, PRICES, IDS)


@pytest.mark.parametrize("price", [0.0, -1.0, np.nan, np.inf])
def test_a_price_has_to_be_positive_and_finite(price: float) -> None:
    """The message names the id."""
    with pytest.raises(CheckError, match=r"1 prices are not positive and finite: 007"):
        check_submission(IDS, np.array([1.0, price, 2.0]), IDS)


def test_the_file_has_the_competitions_format(tmp_path: Path) -> None:
    """It has a header and one line per id."""
    write_submission(tmp_path / "s.csv", IDS, PRICES)
    expected = "sample_id,price\n7,1.0000\n007,2.0000\nx,3.0000\n"
    assert (tmp_path / "s.csv").read_text() == expected


def test_an_id_with_a_comma_is_quoted(tmp_path: Path) -> None:
    """Ids are texts, which may contain any character."""
    write_submission(tmp_path / "s.csv", ['a,"b'], np.array([1.0]))
    with (tmp_path / "s.csv").open(newline="") as stream:
        assert list(csv.reader(stream))[1] == ['a,"b', "1.0000"]


@given(st.floats(min_value=1e-300, max_value=1e300))
def test_no_positive_price_is_written_as_zero(price: float) -> None:
    """A tiny price keeps its first digits, and a huge one stays finite."""
    assert float(format_price(price)) == pytest.approx(price, rel=1e-2)
    assert float(format_price(price)) > 0
