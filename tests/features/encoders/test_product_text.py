"""The text of a product as encoders read it."""

from hypothesis import given
from hypothesis import strategies as st

from amlc.catalog.content import Content, parse_content
from amlc.features.encoders.product_text import product_text

PRODUCT = Content("Soda, 12 oz, Pack of 6", ("Sweet.", "Cold"), "A\n drink", 72.0, "Fl Oz")


def test_what_matters_most_comes_first() -> None:
    """Title, amount and packs stand before bullet points and description."""
    expected = "Soda, 12 oz, Pack of 6. 72 Fl Oz. Pack of 6. Sweet. Cold. A drink"
    assert product_text(PRODUCT) == expected


def test_a_product_without_fields_has_no_text() -> None:
    """Nothing stands for what is missing."""
    assert product_text(Content("", (), "", None, "")) == ""
    assert product_text(parse_content("nan")) == ""


def test_a_unit_without_a_value_is_left_out() -> None:
    """It says nothing by itself."""
    assert product_text(Content("Tea", (), "", None, "Ounce")) == "Tea"


@given(st.text())
def test_any_catalogue_text_gives_one_line(text: str) -> None:
    """Line breaks and runs of white space become single spaces."""
    laid_out = product_text(parse_content(text))
    assert laid_out == " ".join(laid_out.split())
