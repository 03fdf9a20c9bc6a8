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
from sklearn.preprocessing import MinMaxScaler

from amlc.errors import DataError
from amlc.features.tabular import (
    BrandGuess,
    Range,
    TabularFeatures,
    TabularSettings,
    digits,
    letters,
    numbers,
    uppers,
)

SETTINGS = TabularSettings(brand_min_rows=2, brand_share=0.6)
TEXTS = [
    "Item Name: Bear Creek Soup, 1.9 Ounce (Pack of 6)\nValue: 11.4\nUnit: Ounce\n",
    "Item Name: Bear Creek Stew, 12 oz\nBullet Point 1: <b>Hot</b>\nValue: 12\nUnit: oz\n",
    "Item Name: Tea, 20 Bags\nValue: None\nUnit: None\n",
]


def block(texts: list[str]) -> pd.DataFrame:
    """Fit on `TEXTS`, transform `texts`."""
    return TabularFeatures(SETTINGS).fit(TEXTS).transform(texts).frame()


def test_numbers_lie_between_zero_and_one() -> None:
    """Also for rows far outside the range of the train rows."""
    numbers = block([*TEXTS, "Item Name: x\nValue: 1e12\nUnit: lb\n"]).filter(like="num_")
    assert numbers.to_numpy().min() >= 0
    assert numbers.to_numpy().max() <= 1
    assert set(numbers.dtypes) == {np.dtype(np.float32)}


def test_categories_are_closed() -> None:
    """A unit never seen in training is a category all the same."""
    one, other = block(TEXTS), block(["Item Name: x\nValue: 1\nUnit: gallon\n"])
    assert one["cat_unit"].dtype == other["cat_unit"].dtype
    assert other["cat_unit"].tolist() == ["gallon"]
    assert other["cat_kind"].tolist() == ["volume"]


def test_the_total_counts_the_packs() -> None:
    """A larger pack of the same thing has a larger total."""
    texts = [f"Item Name: Bear, 2 oz (Pack of {n})\nValue: 1\nUnit: Count\n" for n in (1, 6)]
    one, six = TabularFeatures(SETTINGS).fit(texts).transform(texts).number("num_log_total")
    assert one < six


def test_a_missing_value_is_flagged() -> None:
    """Zero would be a lie."""
    assert block(TEXTS)["num_no_value"].tolist() == [0, 0, 1]


def test_the_brand_is_the_shared_beginning() -> None:
    """It takes in a word where most titles go on with it, and stops where they part."""
    assert block(TEXTS)["key_brand"].tolist() == ["bear creek", "bear creek", ""]


def test_a_brand_stops_where_titles_part() -> None:
    """A first word that many products share does not swallow the second."""
    titles = ["blue mug", "blue pot", "blue cup", "blue pan"]
    assert BrandGuess(2, 0.6).fit(titles).guess("blue mug") == "blue"


def test_a_refit_forgets_what_was_learned_before() -> None:
    """No state of an earlier fit shows in a later one."""
    features = TabularFeatures(SETTINGS).fit(TEXTS)
    again = features.fit(TEXTS[2:]).transform(TEXTS).frame()
    fresh = TabularFeatures(SETTINGS).fit(TEXTS[2:]).transform(TEXTS).frame()
    pd.testing.assert_frame_equal(again, fresh)


def test_saved_encoders_give_the_same_block(tmp_path: Path) -> None:
    """What is written is all that is needed."""
    features = TabularFeatures(SETTINGS).fit(TEXTS)
    features.save(tmp_path / "tabular.json")
    state = json.loads((tmp_path / "tabular.json").read_text())
    restored = TabularFeatures.restore(state).transform(TEXTS).frame()
    pd.testing.assert_frame_equal(restored, features.transform(TEXTS).frame())


def test_encoders_of_another_version_are_refused(tmp_path: Path) -> None:
    """Columns that changed their meaning must not be filled silently."""
    TabularFeatures(SETTINGS).fit(TEXTS).save(tmp_path / "tabular.json")
    state = json.loads((tmp_path / "tabular.json").read_text())
    with pytest.raises(DataError, match="other columns"):
        TabularFeatures.restore({**state, "columns": ["old"]})


def test_no_train_row_is_an_error() -> None:
    """There is nothing to fit on."""
    with pytest.raises(DataError, match="at least one"):
        TabularFeatures(SETTINGS).fit([])


def test_no_row_gives_an_empty_block() -> None:
    """A test file may be empty of rows after fitting."""
    assert block([]).shape == (0, block(TEXTS).shape[1])


@settings(max_examples=50)
@given(st.lists(st.text(max_size=80), min_size=1, max_size=5))
def test_any_texts_give_finite_rows(texts: list[str]) -> None:
    """One row per text, each number finite."""
    frame = TabularFeatures(SETTINGS).fit(texts).transform(texts).frame()
    assert len(frame) == len(texts)
    assert np.isfinite(frame.filter(like="num_").to_numpy()).all()


@given(arrays(np.float64, (5, 3), elements=st.floats(-1e6, 1e6)))
def test_scaling_is_that_of_scikit_learn(columns: np.ndarray) -> None:
    """Also for columns that do not vary, and for rows outside of the range."""
    oracle = MinMaxScaler(clip=True).fit(columns[:3]).transform(columns).astype(np.float32)
    np.testing.assert_array_equal(Range.of(columns[:3]).scaled(columns), oracle)


@pytest.mark.parametrize(
    ("count", "test"), [(digits, str.isdigit), (letters, str.isalpha), (uppers, str.isupper)]
)
@given(text=st.text(alphabet="aB1 ²٣éÉ漢\ud800", max_size=40) | st.text())
def test_characters_of_any_script_are_counted(
    count: Callable[[str], int], test: Callable[[str], bool], text: str
) -> None:
    """Those that are counted at once and those that are looked at one by one."""
    assert count(text) == sum(map(test, text))


@given(st.text(alphabet="17. a²٣\n\ud800", max_size=40) | st.text())
def test_numbers_are_those_that_a_pattern_finds(text: str) -> None:
    """A dot joins two runs of digits, once."""
    assert numbers(text) == len(re.findall(r"\d+(?:\.\d+)?", text, re.ASCII))
