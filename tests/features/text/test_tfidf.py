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
from amlc.features.text.tfidf import TermFeatures, TermsSettings
from amlc.features.text.tokens import join_numbers
from amlc.features.text.vocabulary import VectorizerSettings, analyzer

WORDS = VectorizerSettings(
    field="title", analyzer="word", ngram_range=[1, 2], min_df=1, max_features=1000
)
CHARS = VectorizerSettings(
    field="text", analyzer="char_wb", ngram_range=[3, 4], min_df=1, max_features=1000
)
SETTINGS = TermsSettings(vectorizers={"words": WORDS, "chars": CHARS}, max_chars=500)
TEXTS = [
    "Item Name: Lemon Soda, 12 Fl Oz (Pack of 6)\nBullet Point 1: Cold",
    "Item Name: Lemon Tea, 16oz\nBullet Point 1: Hot",
    "Item Name: Rice 5 lb",
]


def test_each_group_of_columns_has_rows_of_length_one() -> None:
    """The weights of a long text are not larger than those of a short one."""
    features = TermFeatures(SETTINGS).fit(TEXTS)
    block = features.transform(TEXTS).weights
    words = len(features.vocabularies["words"].terms)
    for group in (block[:, :words], block[:, words:]):
        lengths = np.sqrt((group.multiply(group)).sum(axis=1))
        np.testing.assert_allclose(lengths, 1, rtol=1e-5)


def test_a_vectorizer_reads_only_its_field() -> None:
    """The words of bullet points are not among those of the title."""
    features = TermFeatures(SETTINGS).fit(TEXTS)
    assert "cold" not in features.vocabularies["words"].terms
    assert "cold" in features.vocabularies["chars"].terms


def test_quantities_are_terms() -> None:
    """A number and its unit are a single term."""
    terms = set(TermFeatures(SETTINGS).fit(TEXTS).vocabularies["words"].terms)
    assert {"12fluid_ounce", "6pack", "16ounce", "5pound"} <= terms


def test_long_texts_are_cut() -> None:
    """Text after the limit is not read."""
    features = TermFeatures(SETTINGS).fit([*TEXTS, "Item Name: a " + "b " * 400 + "zebra"])
    assert "zebra" not in features.vocabularies["words"].terms


def test_saved_features_give_the_same_block(tmp_path: Path) -> None:
    """Loading restores everything that a transformation needs."""
    features = TermFeatures(SETTINGS).fit(TEXTS)
    features.save(tmp_path)
    loaded = TermFeatures.load(tmp_path).transform(TEXTS)
    np.testing.assert_array_equal(
        loaded.weights.toarray(), features.transform(TEXTS).weights.toarray()
    )


def test_missing_features_name_their_stage(tmp_path: Path) -> None:
    """The message says which file is missing and which stage to run."""
    with pytest.raises(DataError, match=r"settings\.json.*run the stage terms"):
        TermFeatures.load(tmp_path)


def test_a_truncated_list_of_terms_is_refused(tmp_path: Path) -> None:
    """There is one document frequency for each term."""
    TermFeatures(SETTINGS).fit(TEXTS).save(tmp_path)
    (tmp_path / "words.txt").write_text("tea\nrice")
    with pytest.raises(DataError, match="2 terms with"):
        TermFeatures.load(tmp_path)


def vectorizer(settings: VectorizerSettings) -> TfidfVectorizer:
    """Return scikit-learn's vectorizer, with its own analyzer, for comparison."""
    return TfidfVectorizer(
        lowercase=False,
        analyzer=settings.analyzer,
        token_pattern=r"\b\w[\w.']*\w\b|\b\w\b" if settings.analyzer == "word" else None,
        ngram_range=(settings.ngram_range[0], settings.ngram_range[1]),
        min_df=settings.min_df,
        max_features=settings.max_features,
        sublinear_tf=True,
        dtype=np.float32,
    )


@settings(max_examples=200)
@given(
    st.text(alphabet="ab é.'-\n\t\u00a0\u2003 1_漢", max_size=30),
    st.integers(1, 4),
    st.integers(0, 3),
    st.sampled_from(["word", "char_wb"]),
)
def test_terms_agree_with_scikit_learn(
    text: str, low: int, extra: int, name: Literal["word", "char_wb"]
) -> None:
    """Both split a text into the same words or character n-grams."""
    changed = VectorizerSettings(
        field="text", analyzer=name, ngram_range=[low, low + extra], min_df=1, max_features=9
    )
    assert analyzer(changed)(text) == vectorizer(changed).build_analyzer()(text)


@settings(max_examples=50)
@given(st.lists(st.text(max_size=80), max_size=4))
def test_weights_agree_with_scikit_learn(other_texts: list[str]) -> None:
    """Both give the same weights, bit for bit."""
    features = TermFeatures(SETTINGS).fit(TEXTS)
    texts = [text[:500] for text in [*TEXTS, *other_texts]]
    titles, bodies = (
        [join_numbers(field) for field in fields] for fields in (map(title_of, texts), texts)
    )
    expected = [
        vectorizer(settings).fit(fields[: len(TEXTS)]).transform(fields)
        for settings, fields in ((WORDS, titles), (CHARS, bodies))
    ]
    np.testing.assert_array_equal(
        features.transform(texts).weights.toarray(), sp.hstack(expected, format="csr").toarray()
    )


@settings(max_examples=50)
@given(st.lists(st.sampled_from([*TEXTS, "Item Name: " + "x" * 600]) | st.text(), max_size=4))
def test_known_titles_give_the_same_block(texts: list[str]) -> None:
    """A title that is handed over equals one parsed from the text, even if the text is cut."""
    features = TermFeatures(SETTINGS).fit(TEXTS)
    known = features.transform(texts, [title_of(text) for text in texts])
    np.testing.assert_array_equal(
        known.weights.toarray(), features.transform(texts).weights.toarray()
    )


@pytest.mark.parametrize("rows", [1, 2, 7])
def test_the_block_does_not_depend_on_chunks(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any number of texts per chunk gives the same bits."""
    features = TermFeatures(SETTINGS).fit(TEXTS)
    whole = features.transform(TEXTS).weights
    monkeypatch.setattr(module, "CHUNK_ROWS", rows)
    features = TermFeatures(SETTINGS).fit(iter(TEXTS))
    chunked = features.transform(TEXTS, [title_of(text) for text in TEXTS]).weights
    for name in ("data", "indices", "indptr"):
        np.testing.assert_array_equal(getattr(chunked, name), getattr(whole, name))


def test_no_text_gives_an_empty_block() -> None:
    """A block without rows has all columns."""
    features = TermFeatures(SETTINGS).fit(TEXTS)
    assert features.transform([]).shape == (0, features.transform(TEXTS).shape[1])


def test_a_row_does_not_depend_on_the_others() -> None:
    """A single text has the weights that it has among others."""
    features = TermFeatures(SETTINGS).fit(TEXTS)
    alone = features.transform(TEXTS[1:2])
    np.testing.assert_array_equal(
        alone.weights.toarray(), features.transform(TEXTS).weights[1:2].toarray()
    )


def test_two_fits_write_the_same_bytes(tmp_path: Path) -> None:
    """The file is a function of texts and settings."""
    for name in ("one.npz", "two.npz"):
        TermFeatures(SETTINGS).fit(TEXTS).transform(TEXTS).write(tmp_path / name)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


@pytest.mark.parametrize("texts", [["", ""], ["Item Name: Tea", "Item Name: Oil"], [""]])
def test_a_vectorizer_without_terms_has_no_columns(texts: list[str], tmp_path: Path) -> None:
    """Texts may be missing, or have no word in common; loading makes no difference."""
    rare = {
        name: each.model_copy(update={"min_df": 2}) for name, each in SETTINGS.vectorizers.items()
    }
    features = TermFeatures(SETTINGS.model_copy(update={"vectorizers": rare})).fit(texts)
    features.save(tmp_path)
    loaded = TermFeatures.load(tmp_path)
    assert loaded.vocabularies["words"].terms == features.vocabularies["words"].terms == []
    before, after = (each.transform([*texts, "Item Name: Tea"]) for each in (features, loaded))
    np.testing.assert_array_equal(before.weights.toarray(), after.weights.toarray())


@pytest.mark.parametrize("ngram_range", [[2, 1], [0, 1], [1, 9], [1]])
def test_impossible_ngram_ranges_are_refused(ngram_range: list[int]) -> None:
    """A range has a low and a high end, in this order."""
    with pytest.raises(ValidationError):
        VectorizerSettings(
            field="title", analyzer="word", ngram_range=ngram_range, min_df=1, max_features=9
        )
