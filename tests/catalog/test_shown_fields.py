"""The fields that are shown beside the title of a similar product."""

import numpy as np

from amlc.catalog.fields import lay_out
from amlc.catalog.shown_fields import MAX_SHOWN, shown_fields
from tests.helpers.layouts import map_with

COLUMNS = map_with(
    {
        "text": ["name", "brand_name", "description"],
        "quantity": "size",
        "categories": ["brand_name", "kind"],
        "numbers": ["weight"],
        "dates": ["added"],
    }
)


def test_filled_fields_are_shown_by_the_names_of_the_file() -> None:
    """Each once, without title and description, and no longer than fits."""
    text = lay_out(COLUMNS.texts, ["Tea", "Yogi", "Good"], "2 oz")
    own = {
        "category:brand_name": "Yogi",
        "category:kind": "x" * 100,
        "number:weight": 1.5,
        "date:added": np.nan,
    }
    assert shown_fields(text, own, COLUMNS) == (
        ("brand_name", "Yogi"),
        ("size", "2 oz"),
        ("kind", "x" * MAX_SHOWN),
        ("weight", "1.5"),
    )


def test_the_competition_has_no_further_fields() -> None:
    """Its text is taken as it is."""
    assert shown_fields("Item Name: Tea\nBullet Point: brand: Yogi", {}, map_with({})) == ()
