"""The tabular block as arrays."""

import numpy as np
import pandas as pd
import pytest

from amlc.features.columns import Tabular


@pytest.fixture
def frame() -> pd.DataFrame:
    """Return a block of three rows as a table."""
    return pd.DataFrame(
        {
            "num_a": np.array([0, 0.5, 1], np.float32),
            "num_b": np.zeros(3, np.float32),
            "cat_c": pd.Categorical(["u", "v", "u"], ["u", "v", "w"]),
            "key_d": pd.array(["x", "", "y"], dtype="str"),
        }
    )


def test_a_table_comes_back_as_it_was(frame: pd.DataFrame) -> None:
    """Also categories without a row."""
    pd.testing.assert_frame_equal(Tabular.of(frame).frame(), frame)


def test_an_empty_table_comes_back(frame: pd.DataFrame) -> None:
    """No rows are a block too."""
    assert Tabular.of(frame[:0]).frame().dtypes.tolist() == frame.dtypes.tolist()


def test_other_columns_are_left_out(frame: pd.DataFrame) -> None:
    """Only a prefix makes a feature."""
    assert Tabular.of(frame.assign(price=1.0)).shape == (3, 4)


def test_rows_are_taken_from_every_column(frame: pd.DataFrame) -> None:
    """Numbers, categories and keys stay aligned."""
    taken = Tabular.of(frame).take(np.array([2, 0])).frame()
    pd.testing.assert_frame_equal(taken, frame.iloc[[2, 0]].reset_index(drop=True))


@pytest.mark.parametrize("name", ["num_a", "cat_c", "key_d"])
def test_a_column_can_be_left_out(frame: pd.DataFrame, name: str) -> None:
    """Whatever its kind."""
    rest = Tabular.of(frame).without([name]).frame()
    pd.testing.assert_frame_equal(rest, frame.drop(columns=name))


def test_a_number_that_is_not_there_is_none(frame: pd.DataFrame) -> None:
    """The caller says what follows."""
    block = Tabular.of(frame)
    assert block.number("num_z") is None
    np.testing.assert_array_equal(block.number("num_a"), frame["num_a"])


def test_labels_are_the_levels_as_texts(frame: pd.DataFrame) -> None:
    """Not their codes."""
    assert Tabular.of(frame).labels("cat_c").tolist() == ["u", "v", "u"]
