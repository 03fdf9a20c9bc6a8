"""Layouts that many people have are recognised by their columns."""

import pytest

from amlc.catalog.columns import COMPETITION
from amlc.catalog.layouts import LAYOUTS, Layout, find_layout


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_a_layout_is_found_by_its_columns(layout: Layout) -> None:
    """In any order, beside others."""
    header = ["more", *reversed(layout.needed), layout.price]
    assert find_layout(header) is layout
    columns = layout.map(header)
    assert set(columns.inputs) <= set(header)
    assert columns.price == layout.price


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_a_header_that_lacks_a_column_is_of_no_layout(layout: Layout) -> None:
    """Half a layout is none."""
    assert find_layout(layout.needed[1:]) is not layout


def test_columns_that_a_file_lacks_are_left_out_of_its_map() -> None:
    """Shops export what they use."""
    layout = next(each for each in LAYOUTS if each.name.startswith("Shopify"))
    columns = layout.map([*layout.needed, "Tags"])
    assert columns.texts == ("Title", "Vendor", "Tags", "Body (HTML)")
    assert (columns.image, columns.numbers) == (None, [])


def test_the_competition_has_the_default_map() -> None:
    """Its file is read as before there were maps."""
    layout = find_layout([*COMPETITION.inputs, COMPETITION.price])
    assert layout is not None
    assert layout.map(list(COMPETITION.inputs)) == COMPETITION
