"""Counts of terms, from which a vectorizer chooses its vocabulary."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer

from amlc.features.text.term_counts import TermCounts

TEXTS = st.lists(st.lists(st.sampled_from("abcdefgh"), max_size=12).map(" ".join), max_size=12)


@given(TEXTS, st.integers(1, 3), st.integers(1, 9))
def test_the_vocabulary_is_that_of_scikit_learn(
    texts: list[str], min_df: int, max_features: int
) -> None:
    """Terms, and the bits of their inverse document frequencies, also where terms are tied."""
    counts = TermCounts(str.split)
    counts.add(texts)
    terms, idf = counts.vocabulary(min_df, max_features)
    vectorizer = TfidfVectorizer(
        analyzer=str.split, min_df=min_df, max_features=max_features, dtype=np.float32
    )
    try:
        vectorizer.fit(texts)
    except ValueError:
        assert (terms, idf.tolist()) == ([], [])
        return
    assert terms == vectorizer.get_feature_names_out().tolist()
    assert idf.tobytes() == vectorizer.idf_.tobytes()


@pytest.mark.parametrize("size", [1, 2])
def test_texts_can_be_added_bit_by_bit(size: int) -> None:
    """Counts do not depend on how many texts come together."""
    texts = ["a b a", "b", "", "c a"]
    whole, parts = TermCounts(str.split), TermCounts(str.split)
    whole.add(texts)
    for start in range(0, len(texts), size):
        parts.add(texts[start : start + size])
    assert parts.vocabulary(1, 9)[0] == whole.vocabulary(1, 9)[0] == ["a", "b", "c"]
    np.testing.assert_array_equal(parts.vocabulary(1, 9)[1], whole.vocabulary(1, 9)[1])
