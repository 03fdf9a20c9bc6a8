"""Parsing, rendering and shortening of catalogue texts."""

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amlc.catalog.content import (
    BULLETS,
    DESCRIPTION,
    QUANTITY,
    TITLE,
    Content,
    is_missing,
    normalised_title,
    parse_content,
    parse_number,
    render_content,
    title_of,
    usual_form,
    without_parts,
)
from tests.helpers.forms import FORMS

FULL = """Item Name: Bear Bowl, 1.9 Ounce
Bullet Point 1: Hearty
Bullet Point 2: Easy
Product Description: First line.
Second line.
Value: 11.4
Unit: Ounce
"""


def test_every_field_is_read() -> None:
    """The content of each labelled line is in its own field."""
    content = parse_content(FULL)
    assert content.title == "Bear Bowl, 1.9 Ounce"
    assert content.bullets == ("Hearty", "Easy")
    assert content.value == 11.4
    assert content.unit == "Ounce"


def test_a_line_without_label_continues_the_field_above() -> None:
    """A description may extend over several lines."""
    assert parse_content(FULL).description == "First line.\nSecond line."


def test_a_bullet_point_needs_no_number() -> None:
    """`Bullet Point:` means the same as `Bullet Point 1:`."""
    assert parse_content("Item Name: x\nBullet Point: y").bullets == ("y",)


@pytest.mark.parametrize("written", ["None", "nan", "", "abc", "-3", "inf", "1e999", "1,5"])
def test_a_value_that_is_not_a_number_is_none(written: str) -> None:
    """Anything but a finite number of at least zero means that there is no value."""
    assert parse_content(f"Item Name: x\nValue: {written}\nUnit: None\n").value is None


def test_a_missing_unit_is_empty() -> None:
    """`Unit: None` means that there is no unit."""
    assert parse_content("Item Name: x\nValue: 1\nUnit: None\n").unit == ""


def test_the_first_title_and_the_last_value_count() -> None:
    """A line inside a bullet point may look like a label."""
    content = parse_content(
        "Item Name: a\nBullet Point 1: b\nValue: 1\nItem Name: c\nValue: 2\nUnit: oz"
    )
    assert (content.title, content.value) == ("a", 2.0)


def test_several_descriptions_are_joined() -> None:
    """Some texts number their descriptions."""
    content = parse_content(
        "Item Name: x\nBullet Point 1: a\nProduct Description 1: b\nProduct Description 2: c\n"
    )
    assert (content.bullets, content.description) == (("a",), "b\nc")


def test_a_grouped_value_is_a_number() -> None:
    """`1,000.0` is a thousand; `1,5` may be anything."""
    assert parse_content("Item Name: Cups\nValue: 1,000.0\nUnit: Count").value == 1000.0


MISSING = ["nan", "NaN", "None", "NULL", "N/A", "na", "NaT", "<NA>", "#N/A", " nan ", ""]


@pytest.mark.parametrize("word", MISSING)
def test_words_for_missing_values_are_missing_in_every_field(word: str) -> None:
    """Programs write them for a missing text, title, bullet point, description, value or unit."""
    assert is_missing(word)
    fields = ("Item Name", "Bullet Point 1", "Product Description", "Value", "Unit")
    text = "\n".join(f"{field}: {word}" for field in fields)
    assert parse_content(text) == parse_content(word) == parse_content("")
    assert not list(without_parts(text))


@pytest.mark.parametrize("word", ["Naan", "None of these", "nano", "Nana", "0"])
def test_other_words_are_not_missing(word: str) -> None:
    """A product may be called so."""
    assert parse_content(f"Item Name: {word}").title == word


PLAIN = st.text(
    "abcdefghijklmnopqrstuvwxyzéßİ0123456789 ,.()½-", max_size=30
).map(lambda text: " ".join(text.split()))  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
@given(
    content=st.builds(
        Content, PLAIN, st.lists(PLAIN, max_size=3).map(tuple), PLAIN, st.floats(0, 1e6), PLAIN
    )
)
def test_other_forms_of_a_text_have_the_same_fields(
    form: Callable[[str], str], content: Content
) -> None:
    """Escaped, missing and indented line breaks and labels in any case are those of one text."""
    text = render_content(content)
    assert parse_content(form(text)) == parse_content(text)


@pytest.mark.parametrize("form", FORMS)
def test_other_forms_of_a_text_have_the_same_parts(form: Callable[[str], str]) -> None:
    """What is left without a part has the same fields, too."""
    # One line cannot have lines that continue a field.
    text = TEXT.replace("\nand", " and")
    parts = {part: parse_content(rest) for part, rest in without_parts(text)}
    assert {part: parse_content(rest) for part, rest in without_parts(form(text))} == parts
    assert len(parts) == 4


@pytest.mark.parametrize(
    "text",
    [
        "Item Name: Great Value: Tea",
        "Item Name: Unit: a novel\nValue: 1\nUnit: Count",
        "Great Bullet Point: a pen",
        "Item Name: Tea\nBullet Point 1: a Bullet Point 2: b",
    ],
)
def test_labels_inside_a_field_are_no_labels(text: str) -> None:
    """A text that has line breaks, or does not begin with a label, is in its usual form."""
    assert usual_form(text) == text


def test_a_text_without_labels_is_title_and_description() -> None:
    """Catalogues of other shops may have no labels."""
    content = parse_content("Blue mug\nHolds coffee")
    assert (content.title, content.description) == ("Blue mug", "Holds coffee")


def test_windows_line_endings_make_no_difference() -> None:
    """A file that was saved on Windows has the same fields."""
    assert parse_content(FULL.replace("\n", "\r\n")) == parse_content(FULL)


@given(st.text())
def test_any_text_can_be_parsed(text: str) -> None:
    """No text raises, and `title_of` returns the title that `parse_content` returns."""
    assert title_of(text) == parse_content(text).title


@given(st.floats(min_value=0, max_value=1e15))
def test_numbers_round_trip(number: float) -> None:
    """Every finite float that Python prints is read as the same number."""
    assert parse_number(repr(number)) == number


def test_normalised_titles_ignore_case_punctuation_and_width() -> None:
    """Duplicates often differ only in these."""
    assert normalised_title("Ｂig-Tea,  20!") == normalised_title("big tea 20")  # noqa: RUF001 - a full-width letter is the point


def test_normalised_titles_keep_vowel_marks() -> None:
    """In Devanagari vowels are marks, and words may differ only in them."""
    assert normalised_title("की") != normalised_title("का")


def test_real_rows_have_a_title_and_mostly_a_value(competition: Path) -> None:
    """Each of the competition's rows has a title, and more than 95 % have a value."""
    with (competition / "train.csv").open(encoding="utf-8", newline="") as stream:
        contents = [parse_content(row["catalog_content"]) for row in csv.DictReader(stream)]
    assert all(content.title for content in contents)
    assert sum(content.value is not None for content in contents) > 0.95 * len(contents)


# Line breaks of every kind that str.splitlines knows, labels, and other pieces of texts.
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
    line = " ".join(part.strip() for part in text.splitlines() if part.strip())
    return "" if is_missing(line) else line


@given(CONTENTS)
def test_rendered_fields_are_parsed_back(content: Content) -> None:
    """Line breaks become spaces, words for missing values empty; the rest is unchanged."""
    assert parse_content(render_content(content)) == Content(
        _line(content.title),
        tuple(line for line in map(_line, content.bullets) if line),
        _line(content.description),
        content.value,
        _line(content.unit),
    )


@given(st.text(max_size=200))
def test_no_title_becomes_another_field(title: str) -> None:
    """A label inside a title stays part of the title."""
    content = parse_content(render_content(Content(title, (), "", 7.0, "")))
    assert (content.bullets, content.description, content.value, content.unit) == ((), "", 7.0, "")


def test_empty_fields_make_an_empty_text() -> None:
    """An empty form is a product without text, not one with an empty title."""
    assert render_content(Content(" ", ("", "\n"), "", None, "")) == ""


def test_the_text_has_the_format_of_the_catalogue() -> None:
    """It has a line per field, numbered bullet points, a decimal value and a final line break."""
    content = Content("Soup", ("Hearty", "Easy"), "Good.", 11.4, "Ounce")
    assert render_content(content) == (
        "Item Name: Soup\nBullet Point 1: Hearty\nBullet Point 2: Easy\n"
        "Product Description: Good.\nValue: 11.4\nUnit: Ounce\n"
    )


def test_missing_fields_are_written_as_in_the_catalogue() -> None:
    """A missing value is nan, a missing unit None; a single bullet point has no number."""
    assert render_content(Content("Soup", ("Hearty",), "", None, "")) == (
        "Item Name: Soup\nBullet Point: Hearty\nValue: nan\nUnit: None\n"
    )


TEXT = (
    "Item Name: Acme Green Tea, 20 Bags\nBullet Point 1: Fresh\nBullet Point 2: Cheap\n"
    "Product Description: Good\nand long\nValue: 20.0\nUnit: Count\n"
)


def test_each_part_is_left_out_by_itself() -> None:
    """The remaining text lacks that part and nothing else."""
    whole = parse_content(TEXT)
    rest = {part: parse_content(text) for part, text in without_parts(TEXT)}
    assert rest[TITLE].title == "Acme Green Tea,"
    assert rest[BULLETS].bullets == ()
    assert rest[DESCRIPTION].description == ""
    assert (rest[QUANTITY].value, rest[QUANTITY].unit) == (None, "")
    for part, content in rest.items():
        unchanged = [
            part == BULLETS or content.bullets == whole.bullets,
            part == DESCRIPTION or content.description == whole.description,
            part == TITLE or content.title == whole.title,
            part == QUANTITY or (content.value, content.unit) == (whole.value, whole.unit),
        ]
        assert all(unchanged)


def test_missing_parts_are_not_left_out() -> None:
    """A short title alone has no part that could be left out."""
    assert list(without_parts("Item Name: Green Tea")) == []


def test_a_short_title_is_not_shortened() -> None:
    """A line break at the end of a text makes no difference."""
    assert list(without_parts("Item Name: Green Tea\n")) == []


def test_empty_parts_are_not_left_out() -> None:
    """The lines of a missing amount, and labels without content, hold no information."""
    text = render_content(Content("Green Tea", (), "", None, ""))
    assert "Value: nan" in text
    assert list(without_parts(f"{text}Bullet Point:\nProduct Description: ")) == []


def test_a_text_without_labels_loses_title_or_description() -> None:
    """Its first line is the title, the others are the description."""
    rest = dict(without_parts("Acme Green Tea 20 Bags\nGood and long"))
    assert rest == {
        TITLE: "Acme Green Tea\nGood and long",
        DESCRIPTION: "Acme Green Tea 20 Bags",
    }


@given(st.text())
def test_leaving_a_part_out_changes_any_text(text: str) -> None:
    """No text raises, and no text without a part is the whole text."""
    assert all(rest != text for _, rest in without_parts(text))


def test_a_numbered_description_is_left_out_as_one() -> None:
    """Some texts of the competition number their descriptions."""
    text = "Item Name: Green Tea\nProduct Description: Good\nProduct Description 2: Long"
    assert dict(without_parts(text)) == {DESCRIPTION: "Item Name: Green Tea"}
