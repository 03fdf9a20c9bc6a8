"""The tabular block as arrays."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from amlc.errors import DataError
from amlc.features.blocks import (
    Blocks,
    Neighbours,
    Tabular,
    read_blocks,
    read_neighbours,
    write_neighbours,
)
from amlc.features.text.tfidf import write_terms
from amlc.files import write_array, write_frame


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


POSITIONS = np.array([1, 2], np.int32)
FOUND = Neighbours(POSITIONS[:, None], np.array([[0.5], [0.25]], np.float32), POSITIONS)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    """Positions and similarities survive the file."""
    write_neighbours(tmp_path / "n.npz", FOUND)
    again = read_neighbours(tmp_path / "n.npz")
    np.testing.assert_array_equal(FOUND.rows, again.rows)
    np.testing.assert_array_equal(FOUND.similarity, again.similarity)


def test_missing_neighbours_name_their_stage(tmp_path: Path) -> None:
    """The message says what to run."""
    with pytest.raises(DataError, match="run the stage neighbours"):
        read_neighbours(tmp_path / "n.npz")


def test_taking_rows_takes_every_part() -> None:
    """Positions and similarities stay together."""
    taken = FOUND.take(np.array([1]))
    assert (taken.rows.tolist(), taken.similarity.tolist()) == ([[2]], [[0.25]])
    assert taken.own.tolist() == [2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with all four blocks of three rows."""
    frame = pd.DataFrame({"num_a": np.zeros(3, np.float32), "key_b": ["x", "", "y"]})
    frame["cat_c"] = pd.Categorical(["u", "v", "u"], ["u", "v", "w"])
    write_frame(tmp_path / "tabular.parquet", frame)
    write_terms(tmp_path / "terms.npz", sp.csr_array(np.eye(3, dtype=np.float32)))
    write_array(tmp_path / "topics.npy", np.ones((3, 2), np.float32))
    write_array(tmp_path / "vision.npy", np.ones((3, 4), np.float32))
    return tmp_path


def test_only_the_blocks_asked_for_are_read(folder: Path) -> None:
    """A model pays for what it sees."""
    blocks = read_blocks(folder, ["topics"])
    assert blocks.terms is None
    assert len(blocks) == 3


def test_categories_survive_the_file(folder: Path) -> None:
    """A category without a row is still a category."""
    tabular = read_blocks(folder, ["tabular"]).tabular
    assert tabular is not None
    assert tabular.levels["cat_c"] == ("u", "v", "w")


def test_taking_rows_takes_them_in_every_block(folder: Path) -> None:
    """Rows stay aligned."""
    taken = read_blocks(folder, ["tabular", "terms", "topics", "vision"]).take(np.array([2, 0]))
    assert taken.tabular is not None
    assert taken.terms is not None
    assert taken.tabular.keys.tolist() == [["y"], ["x"]]
    assert taken.terms.toarray().tolist() == [[0, 0, 1], [1, 0, 0]]


def test_blocks_of_other_lengths_are_refused(folder: Path) -> None:
    """A stale block must not be glued to a fresh one."""
    write_array(folder / "topics.npy", np.ones((4, 2), np.float32))
    with pytest.raises(DataError, match="number of rows"):
        read_blocks(folder, ["topics", "vision"])


@pytest.mark.parametrize("name", ["tabular", "terms", "topics", "vision"])
def test_a_missing_block_names_its_stage(tmp_path: Path, name: str) -> None:
    """The message says what to run."""
    with pytest.raises(DataError, match=f"run the stage {name}"):
        read_blocks(tmp_path, [name])  # type: ignore[list-item]


def test_a_file_that_is_no_block_is_refused(folder: Path) -> None:
    """Also one that would have to be unpickled."""
    np.save(folder / "topics.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match="cannot be read"):
        read_blocks(folder, ["topics"])


def test_no_blocks_have_no_rows() -> None:
    """An empty union is empty."""
    assert len(Blocks()) == 0
