"""Reading feature blocks."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from amlc.errors import DataError
from amlc.features.blocks import Blocks, read_blocks
from amlc.features.terms import write_terms
from amlc.files import write_array, write_frame


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
