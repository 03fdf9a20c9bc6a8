"""Texts without one of their parts."""

from hypothesis import given, settings
from hypothesis import strategies as st

from amlc.catalog.content import Content, parse
from amlc.serving.http.form import to_text
from amlc.serving.variants import BULLETS, DESCRIPTION, QUANTITY, TITLE, without_parts

TEXT = (
    "Item Name: Acme Green Tea, 20 Bags\nBullet Point 1: Fresh\nBullet Point 2: Cheap\n"
    "Product Description: Good\nand long\nValue: 20.0\nUnit: Count\n"
)


def test_each_part_is_left_out_by_itself() -> None:
    """What is read from the rest lacks that part, and nothing else."""
    whole = parse(TEXT)
    rest = {part: parse(text) for part, text in without_parts(TEXT)}
    assert rest[TITLE].title == "Acme Green Tea,"
    assert rest[BULLETS].bullets == ()
    assert rest[DESCRIPTION].description == ""
    assert (rest[QUANTITY].value, rest[QUANTITY].unit) == (None, "")
    for part, content in rest.items():
        kept = [
            part == BULLETS or content.bullets == whole.bullets,
            part == DESCRIPTION or content.description == whole.description,
            part == TITLE or content.title == whole.title,
            part == QUANTITY or (content.value, content.unit) == (whole.value, whole.unit),
        ]
        assert all(kept)


def test_parts_that_are_not_there_are_not_named() -> None:
    """A short title alone has no part to leave out."""
    assert list(without_parts("Item Name: Green Tea")) == []


def test_a_part_that_says_nothing_is_not_named() -> None:
    """A form without an amount or bullet points has lines for them all the same."""
    text = to_text(Content("Green Tea", (), "", None, ""))
    assert "Value: nan" in text
    assert list(without_parts(f"{text}Bullet Point:\nProduct Description: ")) == []


def test_a_text_without_labels_is_title_and_description() -> None:
    """As it is read everywhere."""
    rest = dict(without_parts("Acme Green Tea 20 Bags\nGood and long"))
    assert rest == {
        TITLE: "Acme Green Tea\nGood and long",
        DESCRIPTION: "Acme Green Tea 20 Bags",
    }


@settings(deadline=None)
@given(st.text())
def test_any_text_has_parts(text: str) -> None:
    """Nothing raises, and no part is the whole."""
    assert all(rest != text for _, rest in without_parts(text))
