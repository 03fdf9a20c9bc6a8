"""The terms block."""

from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from sklearn.feature_extraction.text import TfidfVectorizer

from amlc.catalog.content import title_of
from amlc.errors import DataError
from amlc.features.text import tfidf as module
from amlc.features.text.tfidf import (
    TermFeatures,
    TermsSettings,
    VectorizerSettings,
    analyzer,
    write_terms,
)

WORDS = VectorizerSettings(field="title", analyzer="word", ngrams=[1, 2], min_df=1, max_terms=1000)
CHARS = VectorizerSettings(
    field="text", analyzer="char_wb", ngrams=[3, 4], min_df=1, max_terms=1000
)
SETTINGS = TermsSettings(vectorizers={"words": WORDS, "chars": CHARS}, max_chars=500)
TEXTS = [
    "Item Name: Lemon Soda, 12 Fl Oz (Pack of 6)\nBullet Point 1: Cold",
    "Item Name: Lemon Tea, 16oz\nBullet Point 1: Hot",
    "Item Name: Rice 5 lb",
]


def test_each_group_of_columns_has_rows_of_length_one() -> None:
    """Long texts do not outweigh short ones."""
    features = TermFeatures(SETTINGS).fit(TEXTS)
    block = features.transform(TEXTS)
    words = len(features.groups["words"].terms)
    for group in (block[:, :words], block[:, words:]):
        lengths = np.sqrt((group.multiply(group)).sum(axis=1))
        np.testing.assert_allclose(lengths, 1, rtol=1e-5)


def test_a_vectorizer_reads_only_its_field() -> None:
    """The title's words do not include the bullets'."""
    features = TermFeatures(SETTINGS).fit(TEXTS)
    assert "cold" not in features.groups["words"].terms
    assert "cold" in features.groups["chars"].terms


def test_quantities_are_terms() -> None:
    """A number with its unit is one term."""
    terms = set(TermFeatures(SETTINGS).fit(TEXTS).groups["words"].terms)
    assert {"12fluid_ounce", "6pack", "16ounce", "5pound"} <= terms


def test_long_texts_are_cut() -> None:
    """What stands behind the limit is not read."""
    features = TermFeatures(SETTINGS).fit([*TEXTS, "Item Name: a " + "b " * 400 + "zebra"])
    assert "zebra" not in features.groups["words"].terms


def test_saved_features_give_the_same_block(tmp_path: Path) -> None:
    """Terms and document frequencies are all that is needed."""
    features = TermFeatures(SETTINGS).fit(TEXTS)
    features.save(tmp_path)
    again = TermFeatures.load(tmp_path).transform(TEXTS)
    assert (again != features.transform(TEXTS)).nnz == 0


def test_missing_terms_name_their_stage(tmp_path: Path) -> None:
    """The message says which file, and what to run."""
    with pytest.raises(DataError, match=r"settings\.json.*run the stage terms"):
        TermFeatures.load(tmp_path)


def test_terms_without_their_frequencies_are_refused(tmp_path: Path) -> None:
    """A list of terms that was cut belongs to no block."""
    TermFeatures(SETTINGS).fit(TEXTS).save(tmp_path)
    (tmp_path / "words.txt").write_text("tea\nrice")
    with pytest.raises(DataError, match="2 terms with"):
        TermFeatures.load(tmp_path)


def vectorizer(settings: VectorizerSettings) -> TfidfVectorizer:
    """Return the oracle: scikit-learn's own vectorizer with its own analyzer."""
    return TfidfVectorizer(
        lowercase=False,
        analyzer=settings.analyzer,
        token_pattern=r"\b\w[\w.']*\w\b|\b\w\b" if settings.analyzer == "word" else None,
        ngram_range=(settings.ngrams[0], settings.ngrams[1]),
        min_df=settings.min_df,
        max_features=settings.max_terms,
        sublinear_tf=True,
        dtype=np.float32,
    )


@settings(max_examples=200, deadline=None)
@given(
    st.text(alphabet="ab é.'-\n\t\u00a0\u2003 1_漢", max_size=30),
    st.integers(1, 4),
    st.integers(0, 3),
    st.sampled_from(["word", "char_wb"]),
)
def test_the_terms_are_those_of_scikit_learn(
    text: str, low: int, more: int, name: Literal["word", "char_wb"]
) -> None:
    """Words and characters are taken apart as its analyzers of the same name do."""
    found = VectorizerSettings(
        field="text", analyzer=name, ngrams=[low, low + more], min_df=1, max_terms=9
    )
    assert analyzer(found)(text) == vectorizer(found).build_analyzer()(text)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(max_size=80), max_size=4))
def test_the_weights_are_those_of_scikit_learn(more: list[str]) -> None:
    """Counting by remembered words gives, bit for bit, what its vectorizers give."""
    features = TermFeatures(SETTINGS).fit(TEXTS)
    texts = [*TEXTS, *more]
    oracles = [
        vectorizer(settings)
        .fit(features._fields(TEXTS, None)[settings.field])
        .transform(features._fields(texts, None)[settings.field])
        for settings in SETTINGS.vectorizers.values()
    ]
    assert (features.transform(texts) != sp.hstack(oracles, format="csr")).nnz == 0


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from([*TEXTS, "Item Name: " + "x" * 600]) | st.text(), max_size=4))
def test_titles_that_are_known_are_not_parsed_again(texts: list[str]) -> None:
    """They give the same block, whatever is left of a text that is cut."""
    features = TermFeatures(SETTINGS).fit(TEXTS)
    known = features.transform(texts, [title_of(text) for text in texts])
    assert (known != features.transform(texts)).nnz == 0


@pytest.mark.parametrize("rows", [1, 2, 7])
def test_chunks_do_not_matter(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """How many texts are worked on at once is nobody's business."""
    features = TermFeatures(SETTINGS).fit(TEXTS)
    whole = features.transform(TEXTS)
    monkeypatch.setattr(module, "ROWS_AT_ONCE", rows)
    parts = features.transform(TEXTS, [title_of(text) for text in TEXTS])
    for name in ("data", "indices", "indptr"):
        np.testing.assert_array_equal(getattr(parts, name), getattr(whole, name))


def test_no_text_gives_an_empty_block() -> None:
    """A file may have no rows."""
    features = TermFeatures(SETTINGS).fit(TEXTS)
    assert features.transform([]).shape == (0, features.transform(TEXTS).shape[1])


def test_a_row_does_not_depend_on_the_others() -> None:
    """One text by itself has the weights that it has among others."""
    features = TermFeatures(SETTINGS).fit(TEXTS)
    alone = features.transform(TEXTS[1:2])
    assert (alone != features.transform(TEXTS)[1:2]).nnz == 0


def test_two_fits_write_the_same_bytes(tmp_path: Path) -> None:
    """The block on disk is a function of its inputs."""
    for name in ("one.npz", "two.npz"):
        write_terms(tmp_path / name, TermFeatures(SETTINGS).fit(TEXTS).transform(TEXTS))
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


def test_texts_without_terms_name_the_vectorizer() -> None:
    """The message says which setting to look at."""
    with pytest.raises(DataError, match=r"terms\.vectorizers\.words"):
        TermFeatures(SETTINGS).fit(["", ""])


@pytest.mark.parametrize("ngrams", [[2, 1], [0, 1], [1, 9], [1]])
def test_impossible_ranges_of_ngrams_are_refused(ngrams: list[int]) -> None:
    """A range has a low and a high end, in this order."""
    with pytest.raises(ValidationError):
        VectorizerSettings(field="title", analyzer="word", ngrams=ngrams, min_df=1, max_terms=9)
