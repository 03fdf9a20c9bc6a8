"""Occurrences of known n-grams in many texts."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amlc.features.text import vocabulary as module
from amlc.features.text.tokens import Analyzer, char_analyzer, word_analyzer
from amlc.features.text.vocabulary import CharVocabulary, Vocabulary, WordVocabulary

FIRST_COLUMN = 7
TEXT = st.text(alphabet="ab.' é", max_size=25)
TEXTS = st.lists(TEXT, max_size=5)
MANY_WORDS = [f"ab{number} cd. ab {'x' * number}" for number in range(20)]


def naive_counts(terms: list[str], analyze: Analyzer, texts: list[str]) -> Counter[tuple[int, int]]:
    """Count each column in each text by looking up one n-gram after another."""
    columns = {term: FIRST_COLUMN + index for index, term in enumerate(terms)}
    return Counter(
        (row, columns[ngram])
        for row, text in enumerate(texts)
        for ngram in analyze(text)
        if ngram in columns
    )


def counts(vocabulary: Vocabulary, texts: list[str]) -> Counter[tuple[int, int]]:
    """Count each column in each text by the vocabulary."""
    rows, columns = vocabulary.occurrences(texts)
    return Counter(zip(rows.tolist(), columns.tolist(), strict=True))


@given(st.sets(TEXT), TEXTS, st.integers(1, 3), st.integers(0, 2))
def test_word_ngrams_are_those_of_the_analyzer(
    known: set[str], texts: list[str], low: int, extra: int
) -> None:
    """No n-gram spans two texts, and a term is found even if its prefixes are not terms."""
    analyze = word_analyzer(low, low + extra)
    terms = sorted({ngram for text in known for ngram in analyze(text)})
    vocabulary = WordVocabulary(terms, FIRST_COLUMN)
    assert counts(vocabulary, texts) == naive_counts(terms, analyze, texts)


@given(st.sets(TEXT), TEXTS, st.integers(1, 3), st.integers(0, 2))
def test_char_ngrams_are_those_of_the_analyzer(
    known: set[str], texts: list[str], low: int, extra: int
) -> None:
    """Cached words give the same counts as new ones."""
    analyze = char_analyzer(low, low + extra)
    terms = sorted({ngram for text in known for ngram in analyze(text)})
    vocabulary = CharVocabulary(terms, FIRST_COLUMN, analyze)
    expected = naive_counts(terms, analyze, texts)
    assert counts(vocabulary, texts) == counts(vocabulary, texts) == expected


def used_vocabularies() -> tuple[WordVocabulary, CharVocabulary]:
    """Return vocabularies that have counted many words, after a check of their counts."""
    words = WordVocabulary(["ab", "cd"], FIRST_COLUMN)
    characters = CharVocabulary(["ab", "cd"], FIRST_COLUMN, char_analyzer(2, 2))
    assert counts(words, MANY_WORDS) == naive_counts(["ab", "cd"], word_analyzer(1, 1), MANY_WORDS)
    assert counts(characters, MANY_WORDS) == naive_counts(
        ["ab", "cd"], char_analyzer(2, 2), MANY_WORDS
    )
    return words, characters


def test_the_caches_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full cache does not change the counts."""
    monkeypatch.setattr(module, "CACHE_SIZE", 3)
    words, characters = used_vocabularies()
    assert len(words.word_ids) == 2 + 3
    assert len(characters.word_columns) <= 3


def test_long_words_are_not_cached(monkeypatch: pytest.MonkeyPatch) -> None:
    """A word that is too long for the cache is counted all the same."""
    monkeypatch.setattr(module, "LONGEST_CACHED", 3)
    words, characters = used_vocabularies()
    cached = set(words.word_ids) | {word.encode() for word in characters.word_columns}
    assert max(map(len, cached)) == 3
