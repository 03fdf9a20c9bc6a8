"""Splitting catalogue texts into terms."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amlc.features.text.tokens import INNER_PUNCTUATION, join_numbers, word_ngrams, words


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
def test_numbers_are_joined_to_their_unit(written: str, joined: str) -> None:
    """All spellings of a quantity become the same token."""
    assert join_numbers(written) == joined


@given(st.text(max_size=300))
def test_any_text_can_be_joined(text: str) -> None:
    """No text raises, and the result has no spaces at its ends."""
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
def test_joining_twice_is_joining_once_except_for_spaces(pieces: list[str]) -> None:
    """Each quantity in a text becomes one token, and joining the text again keeps it."""
    once = join_numbers(", ".join(pieces))
    for text in (once, join_numbers(once)):
        assert [piece.strip() for piece in text.split(",")] == [PIECES[piece] for piece in pieces]


@given(st.text(alphabet="aZ é'._-\n\u00a0\u2019 9²漢\ud800") | st.text())
def test_words_are_split_at_other_characters(text: str) -> None:
    """ASCII and other characters are split alike, including those without a UTF-8 encoding."""
    blanked = "".join(
        character if character.isalnum() or character in ".'_" else " " for character in text
    )
    stripped = [token.strip(INNER_PUNCTUATION) for token in blanked.split(" ")]
    assert words(text) == [word for word in stripped if word]


@given(st.text(alphabet="ab .'", max_size=20))
def test_words_have_no_punctuation_at_their_ends(text: str) -> None:
    """A token of punctuation alone holds no word; single words are the n-grams of size 1."""
    stripped = [token.strip(INNER_PUNCTUATION) for token in text.split(" ")]
    assert words(text) == word_ngrams(text, 1, 1) == [word for word in stripped if word]
