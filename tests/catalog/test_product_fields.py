"""The fields of a product by a map, and what its cells make."""

from typing import Any

import pytest

from amlc.catalog.product_fields import ProductField, ProductFields
from tests.helpers.layouts import map_with, reading

COLUMNS = map_with(
    {
        "text": ["name", "brand", "Body (HTML)"],
        "quantity": "size",
        "categories": ["brand"],
        "numbers": ["weight"],
        "dates": ["added"],
        "currency": "cur",
    }
)
CELLS = dict.fromkeys(COLUMNS.inputs, "")
RATES = {"EUR": 1.0}


def fields_of(rates: dict[str, float] | None = None) -> ProductFields:
    """Return the fields of the map."""
    return ProductFields(COLUMNS, reading({}), rates)


def test_a_column_has_the_strictest_of_its_kinds() -> None:
    """The title comes first; id and picture are no such fields."""
    kinds = {field.name: field.kind for field in fields_of(RATES).fields()}
    assert kinds == {
        "name": "text",
        "brand": "category",
        "Body (HTML)": "description",
        "size": "quantity",
        "weight": "number",
        "added": "date",
        "cur": "currency",
    }
    assert fields_of().fields()[-1] == ProductField("added", "date")


@pytest.mark.parametrize(
    ("cells", "found"),
    [
        ({"weight": "1", "added": "2024-01-01", "cur": "EUR"}, []),
        ({"weight": "much", "added": "soon", "cur": "EUR"}, ["weight", "added"]),
        ({"cur": "CHF"}, ["cur"]),
        ({}, ["cur"]),
    ],
)
def test_what_cannot_be_read_is_named(cells: dict[str, Any], found: list[str]) -> None:
    """A missing number is no error, but a price has to have a currency."""
    assert [name for name, _ in fields_of(RATES).unreadable(CELLS | cells)] == found


def test_without_rates_no_price_is_converted() -> None:
    """The currency is then a category."""
    cells = CELLS | {"cur": " CHF"}
    assert fields_of().currency(cells) == ""
    assert ("category:cur", " CHF") in fields_of().own(cells)
    assert fields_of(RATES).currency(cells) == "CHF"


def test_a_row_is_empty_if_it_has_id_and_picture_alone() -> None:
    """As the rows with further pictures of an export."""
    fields = fields_of()
    assert fields.is_empty(CELLS | {"sample_id": "1", "image_link": "https://h/a.jpg"})
    assert not fields.is_empty(CELLS | {"weight": "3"})
