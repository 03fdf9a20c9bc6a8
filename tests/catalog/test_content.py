"""Parsing of catalog_content."""

import csv
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amlc.catalog.content import normalised_title, parse, parse_number, title_of

FULL = """Item Name: Bear Bowl, 1.9 Ounce
Bullet Point 1: Hearty
Bullet Point 2: Easy
Product Description: First line.
Second line.
Value: 11.4
Unit: Ounce
"""


def test_every_field_is_read() -> None:
    """Each labelled line lands in its own field."""
    content = parse(FULL)
    assert content.title == "Bear Bowl, 1.9 Ounce"
    assert content.bullets == ("Hearty", "Easy")
    assert content.value == 11.4
    assert content.unit == "Ounce"


def test_a_line_without_label_continues_the_field_above() -> None:
    """A description may span lines."""
    assert parse(FULL).description == "First line.\nSecond line."


def test_a_bullet_without_number_is_a_bullet() -> None:
    """`Bullet Point:` is as good as `Bullet Point 1:`."""
    assert parse("Item Name: x\nBullet Point: y").bullets == ("y",)


@pytest.mark.parametrize("written", ["None", "nan", "", "abc", "-3", "inf", "1e999", "1,5"])
def test_a_value_that_is_no_number_is_none(written: str) -> None:
    """What is not a finite number of at least zero means that there is no value."""
    assert parse(f"Item Name: x\nValue: {written}\nUnit: None\n").value is None


def test_no_unit_is_an_empty_unit() -> None:
    """`Unit: None` says that there is none."""
    assert parse("Item Name: x\nValue: 1\nUnit: None\n").unit == ""


def test_the_last_value_and_the_first_title_win() -> None:
    """A text line inside a bullet may look like a label."""
    content = parse("Item Name: a\nBullet Point 1: b\nValue: 1\nItem Name: c\nValue: 2\nUnit: oz")
    assert (content.title, content.value) == ("a", 2.0)


def test_a_text_without_labels_is_title_and_description() -> None:
    """Catalogues of other shops have no labels."""
    content = parse("Blue mug\nHolds coffee")
    assert (content.title, content.description) == ("Blue mug", "Holds coffee")


def test_windows_line_ends_change_nothing() -> None:
    """A file saved on Windows parses the same."""
    assert parse(FULL.replace("\n", "\r\n")) == parse(FULL)


@given(st.text())
def test_any_text_parses(text: str) -> None:
    """No text raises, and the title is the one that parse finds."""
    assert title_of(text) == parse(text).title


@given(st.floats(min_value=0, max_value=1e15))
def test_a_plain_number_is_read_back(number: float) -> None:
    """Every finite float that Python prints is read as itself."""
    assert parse_number(repr(number)) == number


def test_normalised_titles_ignore_case_punctuation_and_width() -> None:
    """Duplicates differ in such things only."""
    assert normalised_title("Ｂig-Tea,  20!") == normalised_title("big tea 20")  # noqa: RUF001 - a full-width letter is the point


def test_normalised_titles_keep_vowel_marks() -> None:
    """In Devanagari a vowel is a mark, and tells words apart."""
    assert normalised_title("की") != normalised_title("का")


def test_real_rows_have_a_title_and_mostly_a_value() -> None:
    """The competition's rows parse: a title in each, a value in nearly all."""
    folder = os.environ.get("AMLC_COMPETITION")
    if not folder:
        pytest.skip("AMLC_COMPETITION is not set")
    with (Path(folder) / "train.csv").open(encoding="utf-8", newline="") as stream:
        contents = [parse(row["catalog_content"]) for row in csv.DictReader(stream)]
    assert all(content.title for content in contents)
    assert sum(content.value is not None for content in contents) > 0.95 * len(contents)
