"""The terms block."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from amlc.errors import DataError
from amlc.features.terms import (
    TermFeatures,
    TermsSettings,
    VectorizerSettings,
    join_numbers,
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


def test_each_group_of_columns_has_rows_of_length_one() -> None:
    """Long texts do not outweigh short ones."""
    features = TermFeatures(SETTINGS).fit(TEXTS)
    block = features.transform(TEXTS)
    words = len(features.vectorizers["words"].get_feature_names_out())
    for group in (block[:, :words], block[:, words:]):
        lengths = np.sqrt((group.multiply(group)).sum(axis=1))
        np.testing.assert_allclose(lengths, 1, rtol=1e-5)


def test_a_vectorizer_reads_only_its_field() -> None:
    """The title's words do not include the bullets'."""
    features = TermFeatures(SETTINGS).fit(TEXTS)
    assert "cold" not in features.vectorizers["words"].get_feature_names_out()
    assert "cold" in features.vectorizers["chars"].get_feature_names_out()


def test_quantities_are_terms() -> None:
    """A number with its unit is one term."""
    terms = set(TermFeatures(SETTINGS).fit(TEXTS).vectorizers["words"].get_feature_names_out())
    assert {"12fluid_ounce", "6pack", "16ounce", "5pound"} <= terms


def test_long_texts_are_cut() -> None:
    """What stands behind the limit is not read."""
    features = TermFeatures(SETTINGS).fit([*TEXTS, "Item Name: a " + "b " * 400 + "zebra"])
    assert "zebra" not in features.vectorizers["words"].get_feature_names_out()


def test_restored_features_give_the_same_block(tmp_path: Path) -> None:
    """Terms and document frequencies are all that is needed."""
    features = TermFeatures(SETTINGS).fit(TEXTS)
    features.save(tmp_path)
    fitted = {
        name: (
            json.loads((tmp_path / f"{name}.json").read_text()),
            np.load(tmp_path / f"{name}.npy"),
        )
        for name in ("words", "chars")
    }
    restored = TermFeatures.restore(SETTINGS, fitted).transform(TEXTS)
    assert (restored != features.transform(TEXTS)).nnz == 0


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


@given(st.text(max_size=300))
def test_any_text_can_be_joined(text: str) -> None:
    """Nothing raises, and joining twice is joining once, but for blanks."""
    once = join_numbers(text)
    assert isinstance(once, str)
