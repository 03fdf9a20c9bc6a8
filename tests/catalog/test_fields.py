"""Fields are laid out as a catalogue text that is parsed back to them."""

from hypothesis import given
from hypothesis import strategies as st

from amlc.catalog.content import parse_content
from amlc.catalog.fields import lay_out

NAMES = ["title", "brand_name", "body_html"]
WORDS = st.text(alphabet="abc XYZ", max_size=30).map(lambda text: " ".join(text.split()))


@given(WORDS, WORDS, WORDS)
def test_each_field_keeps_its_name(title: str, brand: str, body: str) -> None:
    """The first column is the title; a description is one by its name."""
    content = parse_content(lay_out(NAMES, [title, brand, body]))
    assert content.title == title
    assert content.bullets == ((f"brand name: {brand}",) if brand else ())
    assert content.description == body


def test_a_quantity_becomes_value_and_unit() -> None:
    """An amount without a known unit is a bullet point, so that nothing is lost."""
    content = parse_content(lay_out(["t"], ["Rice"], " 1,000 gm "))
    assert (content.value, content.unit) == (1000.0, "gm")
    assert parse_content(lay_out(["t"], ["Rice"], "2x500 ml")).bullets == ("quantity: 2x500 ml",)


def test_a_field_cannot_pass_for_another() -> None:
    """A line of a description that looks like a label stays in the description."""
    content = parse_content(lay_out(["name", "description"], ["Tea", "Good\nValue: 7\nUnit: oz"]))
    assert (content.value, content.description) == (None, "Good Value: 7 Unit: oz")


def test_without_any_cell_there_is_no_text() -> None:
    """Words for a missing value count as empty."""
    assert lay_out(NAMES, ["", "nan", " "], "N/A") == ""
