"""The tabular block."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn import preprocessing

from amlc.errors import DataError
from amlc.execution.backend import THREADS
from amlc.features import tabular as module
from amlc.features.blocks import Tabular
from amlc.features.tabular import (
    BrandGuesser,
    TabularFeatures,
    TabularSettings,
    count_digits,
    count_letters,
    count_numbers,
    count_uppercase,
    min_max_scaled,
)

SETTINGS = TabularSettings(brand_min_rows=2, brand_share=0.6, max_levels=20)
TEXTS = [
    "Item Name: Bear Creek Soup, 1.9 Ounce (Pack of 6)\nValue: 11.4\nUnit: Ounce\n",
    "Item Name: Bear Creek Stew, 12 oz\nBullet Point 1: <b>Hot</b>\nValue: 12\nUnit: oz\n",
    "Item Name: Tea, 20 Bags\nValue: None\nUnit: None\n",
]


def transform(texts: list[str]) -> pd.DataFrame:
    """Fit on `TEXTS` and transform `texts`."""
    return TabularFeatures(SETTINGS).fit(TEXTS).transform(texts).to_frame()


def test_numbers_lie_between_zero_and_one() -> None:
    """Values far outside the range of the train rows are clipped."""
    numbers = transform([*TEXTS, "Item Name: x\nValue: 1e12\nUnit: lb\n"]).filter(like="num_")
    assert numbers.to_numpy().min() >= 0
    assert numbers.to_numpy().max() <= 1
    assert set(numbers.dtypes) == {np.dtype(np.float32)}


def test_categories_do_not_depend_on_the_train_rows() -> None:
    """A unit that is not in the train rows is a category all the same."""
    train, other = transform(TEXTS), transform(["Item Name: x\nValue: 1\nUnit: gallon\n"])
    assert train["cat_unit"].dtype == other["cat_unit"].dtype
    assert other["cat_unit"].tolist() == ["gallon"]
    assert other["cat_kind"].tolist() == ["volume"]


def test_the_total_counts_the_packs() -> None:
    """A pack of six has a larger total amount than a single item."""
    texts = [f"Item Name: Bear, 2 oz (Pack of {n})\nValue: 1\nUnit: Count\n" for n in (1, 6)]
    totals = TabularFeatures(SETTINGS).fit(texts).transform(texts).number("num_log_total")
    assert totals is not None
    single, six = totals
    assert single < six


def test_a_missing_value_is_flagged() -> None:
    """A missing value is distinguished from a value of 0."""
    assert transform(TEXTS)["num_no_value"].tolist() == [0, 0, 1]


def test_a_brand_is_the_shared_beginning_of_titles() -> None:
    """A brand takes in the next word if most titles continue with it, and ends otherwise."""
    assert transform(TEXTS)["key_brand"].tolist() == ["bear creek", "bear creek", ""]


def test_a_brand_ends_where_titles_differ() -> None:
    """A first word that many products share does not take in the second."""
    titles = ["blue mug", "blue pot", "blue cup", "blue pan"]
    assert BrandGuesser(2, 0.6).fit(titles).guess("blue mug") == "blue"


@pytest.mark.parametrize("size", [1, 2, 5])
def test_the_block_does_not_depend_on_row_groups(
    size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Products that are read and written a few at a time give what all of them give at once."""
    own = pd.DataFrame({"number:weight": [1.0, np.nan, 3.0], "category:shop": ["a", "b", "a"]})
    whole = TabularFeatures(SETTINGS).fit(TEXTS, own)
    monkeypatch.setattr(module, "PIECE_ROWS", size)
    features = TabularFeatures(SETTINGS).fit(iter(TEXTS), own)
    starts = range(0, len(TEXTS), size)
    parts = ((TEXTS[start : start + size], own[start : start + size]) for start in starts)
    Tabular.write_parts(tmp_path / "tabular.parquet", features.transform_parts(parts, THREADS), 2)
    read = Tabular.read(tmp_path / "tabular.parquet").to_frame()
    pd.testing.assert_frame_equal(read, whole.transform(TEXTS, own).to_frame())


def test_a_second_fit_forgets_the_first() -> None:
    """No state of an earlier fit affects a later one."""
    features = TabularFeatures(SETTINGS).fit(TEXTS)
    refitted = features.fit(TEXTS[2:]).transform(TEXTS).to_frame()
    fresh = TabularFeatures(SETTINGS).fit(TEXTS[2:]).transform(TEXTS).to_frame()
    pd.testing.assert_frame_equal(refitted, fresh)


def test_saved_features_give_the_same_block(tmp_path: Path) -> None:
    """Loading restores everything that a transformation needs."""
    features = TabularFeatures(SETTINGS).fit(TEXTS)
    features.save(tmp_path / "tabular.json")
    loaded = TabularFeatures.load(tmp_path / "tabular.json").transform(TEXTS).to_frame()
    pd.testing.assert_frame_equal(loaded, features.transform(TEXTS).to_frame())


def test_features_of_a_version_with_other_columns_are_refused(tmp_path: Path) -> None:
    """Columns whose meaning has changed are not filled silently."""
    path = tmp_path / "tabular.json"
    TabularFeatures(SETTINGS).fit(TEXTS).save(path)
    path.write_text(json.dumps({**json.loads(path.read_text()), "columns": ["old"]}))
    with pytest.raises(DataError, match="other columns"):
        TabularFeatures.load(path)


@pytest.mark.parametrize("content", ["", "[]", "{}"])
def test_a_malformed_file_names_its_stage(content: str, tmp_path: Path) -> None:
    """The message says which stage to run."""
    (tmp_path / "tabular.json").write_text(content)
    with pytest.raises(DataError, match="run the stage tabular"):
        TabularFeatures.load(tmp_path / "tabular.json")


def test_no_train_row_is_an_error() -> None:
    """A fit needs at least one text."""
    with pytest.raises(DataError, match="at least one"):
        TabularFeatures(SETTINGS).fit([])


def test_no_text_gives_an_empty_block() -> None:
    """A block without rows has all columns."""
    assert transform([]).shape == (0, transform(TEXTS).shape[1])


@settings(max_examples=50)
@given(st.lists(st.text(max_size=80), min_size=1, max_size=5))
def test_any_texts_give_finite_rows(texts: list[str]) -> None:
    """There is one row per text, and every number is finite."""
    frame = TabularFeatures(SETTINGS).fit(texts).transform(texts).to_frame()
    assert len(frame) == len(texts)
    assert np.isfinite(frame.filter(like="num_").to_numpy()).all()


@given(arrays(np.float64, (5, 3), elements=st.floats(-1e6, 1e6)))
def test_scaling_agrees_with_scikit_learn(columns: np.ndarray) -> None:
    """Constant columns and rows outside the range are scaled equally."""
    scaler = preprocessing.MinMaxScaler(clip=True).fit(columns[:3])
    expected = scaler.transform(columns).astype(np.float32)
    train = columns[:3]
    actual = min_max_scaled(columns, train.min(axis=0), train.max(axis=0))
    np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize(
    ("count", "test"),
    [(count_digits, str.isdigit), (count_letters, str.isalpha), (count_uppercase, str.isupper)],
)
@given(text=st.text(alphabet="aB1 ²٣éÉ漢\ud800", max_size=40) | st.text())
def test_characters_of_any_script_are_counted(
    count: Callable[[str], int], test: Callable[[str], bool], text: str
) -> None:
    """Counting ASCII by translation agrees with testing each character."""
    assert count(text) == sum(map(test, text))


@given(st.text(alphabet="17. a²٣\n\ud800", max_size=40) | st.text())
def test_numbers_are_those_that_a_pattern_finds(text: str) -> None:
    """A dot joins two runs of digits, once."""
    assert count_numbers(text) == len(re.findall(r"\d+(?:\.\d+)?", text, re.ASCII))
