"""Text of the catalogue, made safe for one line of a page."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amlc.report.cleaning import clean


@given(st.text(), st.integers(2, 60))
def test_a_cleaned_text_is_bounded_and_visible(text: str, limit: int) -> None:
    """It is one line within the limit, without invisible or direction-changing characters."""
    cleaned = clean(text, limit)
    assert len(cleaned) <= limit
    assert not [c for c in cleaned if unicodedata.category(c)[0] == "C" or c in "\n\t\u2028"]
    assert cleaned == cleaned.strip()


@given(st.text(), st.integers(2, 60))
def test_cleaning_twice_changes_nothing(text: str, limit: int) -> None:
    """A cleaned text stays as it is."""
    once = clean(text, limit)
    assert clean(once, limit) == once


def test_a_long_text_ends_at_a_word() -> None:
    """It is not cut in the middle of a word where that costs little."""
    assert clean("twelve black tea bags", 20) == "twelve black tea…"


def test_combining_marks_do_not_pile_up() -> None:
    """Two stay, as some scripts need them; invisible characters between them do not help."""
    assert clean("e" + "\u0301" * 50 + "x", 20) == "e\u0301\u0301x"
    assert clean("e" + "\u0301\u200b" * 50 + "x", 20) == "e\u0301\u0301x"


@pytest.mark.parametrize("text", ["", " \n\t ", "\u200b\u202e\x00"])
def test_nothing_visible_gives_an_empty_text(text: str) -> None:
    """Callers can put another text in its place."""
    assert clean(text, 10) == ""
