"""Catalogue texts as the terms see them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amlc.features.text.tokens import NOT_AT_ENDS, join_numbers, runs, words


@pytest.mark.parametrize(
    ("written", "joined"),
    [
        ("12 Fl. Oz can", "12fluid_ounce can"),
        ("12-ounce", "12ounce"),
        ("12.50oz", "12.5ounce"),
        ("Pack of 6", "6pack"),
        ("6 Pack", "6pack"),
        ("vitamin b12 gel", "vitamin b12 gel"),
        ("16 oz 5 lb", "16ounce 5pound"),
    ],
)
def test_numbers_join_their_unit(written: str, joined: str) -> None:
    """Spellings of one quantity become one token."""
    assert join_numbers(written) == joined


@given(st.text(max_size=300))
def test_any_text_can_be_joined(text: str) -> None:
    """No text raises an error, and the result has no blanks at its ends."""
    joined = join_numbers(text)
    assert joined == joined.strip()


PIECES = {
    "12 Fl. Oz": "12fluid_ounce",
    "12.50-ounces": "12.5ounce",
    "1.5lb.": "1.5pound",
    "Pack of 6": "6pack",
    "case of 24": "24pack",
    "b12": "b12",
    "green tea": "green tea",
}


@given(st.lists(st.sampled_from(sorted(PIECES)), min_size=1))
def test_joining_twice_is_joining_once_except_for_blanks(pieces: list[str]) -> None:
    """Each quantity in a text becomes one token, and joining the text again keeps it."""
    once = join_numbers(", ".join(pieces))
    for text in (once, join_numbers(once)):
        assert [piece.strip() for piece in text.split(",")] == [PIECES[piece] for piece in pieces]


@given(st.text(alphabet="aZ é'._-\n\u00a0\u2019 9²漢\ud800") | st.text())
def test_runs_are_what_lies_between_other_characters(text: str) -> None:
    """Characters of ASCII and others, those that have no UTF-8 included."""
    blanked = "".join(one if one.isalnum() or one in ".'_" else " " for one in text)
    assert runs(text) == [run.encode() for run in blanked.split(" ") if run]


@given(st.text(alphabet="ab .'", max_size=20))
def test_a_word_is_a_run_without_what_stands_at_its_ends(text: str) -> None:
    """What is nothing else is no word."""
    found = [run.strip(NOT_AT_ENDS).decode() for run in runs(text)]
    assert words(1, 1)(text) == [word for word in found if word]
