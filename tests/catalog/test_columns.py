"""A map of columns is checked like every setting."""

from typing import Any

import pytest
from pydantic import ValidationError

from tests.helpers.layouts import map_with, reading


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"text": []}, "at least 1 item"),
        ({"text": ["name", "price"]}, "the price column price cannot be anything else"),
        ({"numbers": ["price"]}, "the price column price cannot be anything else"),
        ({"id": "price"}, "the price column price cannot be anything else"),
        ({"quantity": "size"}, r"write text: \[catalog_content\]"),
        ({"categories": ["a", "a"]}, "categories names a column twice"),
        ({"price": None}, "valid string"),
        ({"image": " "}, "cannot be empty"),
        ({"colour": "x"}, "Extra inputs"),
    ],
)
def test_a_map_that_makes_no_sense_is_refused(changes: dict[str, Any], message: str) -> None:
    """The message says what is wrong."""
    with pytest.raises(ValidationError, match=message):
        map_with(changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"separator": ";;"}, "at most 1 character"),
        ({"quote": ","}, "must be different"),
        ({"encoding": "utf-99"}, "an encoding that Python knows"),
        ({"encoding": "rot13"}, "an encoding that Python knows"),
        ({"decimal": ",", "thousands": ","}, "must be different marks"),
        ({"decimal": "_"}, "Input should be"),
    ],
)
def test_a_way_to_read_that_makes_no_sense_is_refused(
    changes: dict[str, Any], message: str
) -> None:
    """The message says what is wrong."""
    with pytest.raises(ValidationError, match=message):
        reading(changes)


def test_the_inputs_are_all_columns_but_the_price() -> None:
    """A column with two uses is needed once."""
    columns = map_with({"text": ["name", "brand"], "categories": ["brand"], "currency": "cur"})
    assert columns.inputs == ("sample_id", "name", "brand", "image_link", "cur")
