"""Fields become catalogue text that reads as the same fields."""

from hypothesis import given
from hypothesis import strategies as st

from amlc.catalog.content import Content, parse
from amlc.serving.http.form import to_text

# Everything that str.splitlines takes for a line end, labels, and what surrounds them.
TEXTS = st.lists(
    st.sampled_from(
        ["Tea", " ", "\n", "\r\n", "\u2028", "\x0b", "\x1c", "\x85", "\t", "Value: 3", "Unit: oz",
         "Item Name:", "Bullet Point 2: x", "Product Description: y", "None", "é", ":", "1e5"]
    ),
    max_size=6,
).map("".join)  # fmt: skip
CONTENTS = st.builds(
    Content,
    TEXTS,
    st.lists(TEXTS, max_size=12).map(tuple),
    TEXTS,
    st.none() | st.floats(0, 1e300),
    TEXTS,
)


def _line(text: str) -> str:
    return " ".join(part.strip() for part in text.splitlines() if part.strip())


@given(CONTENTS)
def test_fields_come_back_as_they_were(content: Content) -> None:
    """But for line ends, which become blanks, and for words that mean a missing unit."""
    unit = _line(content.unit)
    bullets = tuple(line for line in map(_line, content.bullets) if line)
    assert parse(to_text(content)) == Content(
        _line(content.title),
        bullets,
        _line(content.description),
        content.value,
        "" if unit.casefold() in {"none", "nan", "null", "n/a"} else unit,
    )


@given(st.text(max_size=200))
def test_no_text_in_a_title_becomes_another_field(title: str) -> None:
    """Whatever is typed into the title stays there."""
    content = parse(to_text(Content(title, (), "", 7.0, "")))
    assert (content.bullets, content.description, content.value, content.unit) == ((), "", 7.0, "")


def test_nothing_is_an_empty_text() -> None:
    """A form that nobody filled in is a product without text, not one without a title."""
    assert to_text(Content(" ", ("", "\n"), "", None, "")) == ""


def test_the_text_is_as_the_catalogue_writes_it() -> None:
    """Numbered bullets, a value with its point, one line each, a line end behind the last."""
    content = Content("Soup", ("Hearty", "Easy"), "Good.", 11.4, "Ounce")
    assert to_text(content) == (
        "Item Name: Soup\nBullet Point 1: Hearty\nBullet Point 2: Easy\n"
        "Product Description: Good.\nValue: 11.4\nUnit: Ounce\n"
    )


def test_what_is_missing_is_said_as_in_the_catalogue() -> None:
    """No value is nan, no unit is None, a single bullet has no number."""
    assert to_text(Content("Soup", ("Hearty",), "", None, "")) == (
        "Item Name: Soup\nBullet Point: Hearty\nValue: nan\nUnit: None\n"
    )
