"""Occurrences of known n-grams in many texts."""

from collections import Counter
from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer

from amlc.features.text import vocabulary as module
from amlc.features.text.vocabulary import TermCounts, VectorizerSettings, Vocabulary, analyzer

FIRST_COLUMN = 7
TEXT = st.text(alphabet="ab.' é", max_size=25)
TEXTS = st.lists(TEXT, max_size=5)
MANY_WORDS = [f"ab{number} cd. ab {'x' * number}" for number in range(20)]


def settings(name: Literal["word", "char_wb"], low: int, high: int) -> VectorizerSettings:
    """Return the settings of a vectorizer."""
    return VectorizerSettings(
        field="text", analyzer=name, ngram_range=[low, high], min_df=1, max_features=9
    )


def naive_counts(
    terms: list[str], chosen: VectorizerSettings, texts: list[str]
) -> Counter[tuple[int, int]]:
    """Count each column in each text by looking up one n-gram after another."""
    analyze = analyzer(chosen)
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


@pytest.mark.parametrize("name", ["word", "char_wb"])
@given(st.sets(TEXT), TEXTS, st.integers(1, 3), st.integers(0, 2))
def test_occurrences_are_those_of_the_analyzer(
    name: Literal["word", "char_wb"], known: set[str], texts: list[str], low: int, extra: int
) -> None:
    """No n-gram spans two texts, one is found without its prefixes, and a cached word counts."""
    chosen = settings(name, low, low + extra)
    terms = sorted({ngram for text in known for ngram in analyzer(chosen)(text)})
    vocabulary = Vocabulary(chosen, terms, FIRST_COLUMN)
    expected = naive_counts(terms, chosen, texts)
    assert counts(vocabulary, texts) == counts(vocabulary, texts) == expected


def used_vocabulary() -> Vocabulary:
    """Return a vocabulary that has counted many words, after a check of their counts."""
    chosen = settings("char_wb", 2, 2)
    vocabulary = Vocabulary(chosen, ["ab", "cd"], FIRST_COLUMN)
    assert counts(vocabulary, MANY_WORDS) == naive_counts(["ab", "cd"], chosen, MANY_WORDS)
    return vocabulary


def test_the_cache_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full cache does not change the counts."""
    monkeypatch.setattr(module, "CACHE_SIZE", 3)
    assert used_vocabulary().word_columns.cache_info().currsize == 3


def test_long_words_are_not_cached(monkeypatch: pytest.MonkeyPatch) -> None:
    """A word that is too long for the cache is counted all the same."""
    monkeypatch.setattr(module, "LONGEST_CACHED", 3)
    short = {word for text in MANY_WORDS for word in text.split() if len(word) <= 3}
    assert used_vocabulary().word_columns.cache_info().currsize == len(short)


@given(
    st.lists(st.lists(st.sampled_from("abcdefgh"), max_size=12).map(" ".join), max_size=12),
    st.integers(1, 3),
)
def test_terms_are_those_of_scikit_learn(texts: list[str], min_df: int) -> None:
    """So are the bits of their inverse document frequencies."""
    chosen = settings("word", 1, 1).model_copy(update={"min_df": min_df})
    learned = TermCounts(chosen)
    learned.add(texts)
    terms, idf = learned.kept()
    vectorizer = TfidfVectorizer(analyzer=str.split, min_df=min_df, dtype=np.float32)
    try:
        vectorizer.fit(texts)
    except ValueError:
        assert (terms, idf.tolist()) == ([], [])
        return
    assert terms == vectorizer.get_feature_names_out().tolist()
    assert idf.tobytes() == vectorizer.idf_.tobytes()


@given(st.lists(st.lists(st.sampled_from("abcdef"), max_size=12), min_size=1, max_size=8))
def test_the_most_frequent_terms_are_kept(texts: list[list[str]]) -> None:
    """Of equally frequent ones, the first in alphabetical order."""
    chosen = settings("word", 1, 1).model_copy(update={"min_df": 2, "max_features": 3})
    learned = TermCounts(chosen)
    learned.add([" ".join(words) for words in texts])
    texts_with = Counter(word for words in texts for word in set(words))
    occurrences = Counter(word for words in texts for word in words)
    known = [word for word in sorted(texts_with) if texts_with[word] >= 2]
    assert learned.kept()[0] == sorted(sorted(known, key=lambda word: -occurrences[word])[:3])


@pytest.mark.parametrize("size", [1, 3, 100])
def test_terms_do_not_depend_on_the_texts_that_are_counted_together(size: int) -> None:
    """Counts of several batches add up, also where later ones have new terms."""
    chosen = settings("char_wb", 1, 3)
    whole, parts = TermCounts(chosen), TermCounts(chosen)
    whole.add(MANY_WORDS)
    for start in range(0, len(MANY_WORDS), size):
        parts.add(MANY_WORDS[start : start + size])
    assert parts.kept()[0] == whole.kept()[0]
    assert parts.kept()[1].tolist() == whole.kept()[1].tolist()
