"""Columns of known terms, found in many texts at once."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amlc.features.text import vocabulary as module
from amlc.features.text.tokens import Analyzer, characters, words
from amlc.features.text.vocabulary import CharacterLookup, Lookup, WordLookup

START = 7
TEXT = st.text(alphabet="ab.' é", max_size=25)
TEXTS = st.lists(TEXT, max_size=5)


def naive(terms: list[str], analyze: Analyzer, texts: list[str]) -> Counter[tuple[int, int]]:
    """Look up each term of each text by itself."""
    columns = {term: START + place for place, term in enumerate(terms)}
    return Counter(
        (row, columns[term])
        for row, text in enumerate(texts)
        for term in analyze(text)
        if term in columns
    )


def found(lookup: Lookup, texts: list[str]) -> Counter[tuple[int, int]]:
    """Return how often each column occurs in each text."""
    places, columns = lookup.occurrences(texts)
    return Counter(zip(places.tolist(), columns.tolist(), strict=True))


@given(st.sets(TEXT), TEXTS, st.integers(1, 3), st.integers(0, 2))
def test_ngrams_of_words_are_those_of_the_analyzer(
    known: set[str], texts: list[str], low: int, more: int
) -> None:
    """Each as often as it occurs, none across two texts, also where its parts are no terms."""
    analyze = words(low, low + more)
    terms = sorted({term for text in known for term in analyze(text)})
    assert found(WordLookup(terms, START), texts) == naive(terms, analyze, texts)


@given(st.sets(TEXT), TEXTS, st.integers(1, 3), st.integers(0, 2))
def test_ngrams_of_characters_are_those_of_the_analyzer(
    known: set[str], texts: list[str], low: int, more: int
) -> None:
    """Each as often as it occurs, words that come again included."""
    analyze = characters(low, low + more)
    terms = sorted({term for text in known for term in analyze(text)})
    lookup = CharacterLookup(terms, START, analyze)
    expected = naive(terms, analyze, texts)
    assert found(lookup, texts) == found(lookup, texts) == expected


MANY = [f"ab{number} cd. ab {'x' * number}" for number in range(20)]


def test_only_so_many_words_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many come; what is found stays the same."""
    monkeypatch.setattr(module, "REMEMBERED", 3)
    by_word = WordLookup(["ab", "cd"], START)
    by_character = CharacterLookup(["ab", "cd"], START, characters(2, 2))
    assert found(by_word, MANY) == naive(["ab", "cd"], words(1, 1), MANY)
    assert found(by_character, MANY) == naive(["ab", "cd"], characters(2, 2), MANY)
    assert len(by_word._number) == 2 + 3
    assert len(by_character._found) <= 3


def test_long_words_are_not_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """A word may be as long as a text; what is found stays the same."""
    monkeypatch.setattr(module, "LONGEST_REMEMBERED", 3)
    by_word = WordLookup(["ab", "cd"], START)
    by_character = CharacterLookup(["ab", "cd"], START, characters(2, 2))
    assert found(by_word, MANY) == naive(["ab", "cd"], words(1, 1), MANY)
    assert found(by_character, MANY) == naive(["ab", "cd"], characters(2, 2), MANY)
    remembered = set(by_word._number) | {word.encode() for word in by_character._found}
    assert max(map(len, remembered)) == 3
