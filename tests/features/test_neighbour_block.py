"""The block of the most similar train products and its file."""

from pathlib import Path

import numpy as np
import pytest

from amlc.errors import DataError
from amlc.features.blocks import Blocks
from amlc.features.neighbour_block import NeighbourBlock, Neighbours

POSITIONS = np.array([1, 2], np.int32)
AMONG = np.ones((2, 1), np.float16)
NEIGHBOURS = Neighbours(POSITIONS[:, None], np.array([[0.5], [0.25]], np.float32), POSITIONS, AMONG)


def test_parts_of_neighbours_give_the_bytes_of_the_whole(tmp_path: Path) -> None:
    """However many products come at a time."""
    NEIGHBOURS.write(tmp_path / "whole.npz")
    parts = (NEIGHBOURS.take(np.array([row])) for row in (0, 1))
    Neighbours.write_parts(tmp_path / "parts.npz", parts)
    assert (tmp_path / "parts.npz").read_bytes() == (tmp_path / "whole.npz").read_bytes()


def test_neighbours_survive_the_file(tmp_path: Path) -> None:
    """Rows, similarities and positions are read as they were written."""
    NEIGHBOURS.write(tmp_path / "n.npz")
    loaded = NeighbourBlock.read(tmp_path / "n.npz").loaded()
    np.testing.assert_array_equal(NEIGHBOURS.rows, loaded.rows)
    np.testing.assert_array_equal(NEIGHBOURS.similarity, loaded.similarity)
    np.testing.assert_array_equal(NEIGHBOURS.position, loaded.position)


def test_similarities_among_neighbours_are_read_when_used(tmp_path: Path) -> None:
    """Rows taken twice from the file are those taken twice from the array."""
    NEIGHBOURS.write(tmp_path / "n.npz")
    block = NeighbourBlock.read(tmp_path / "n.npz")
    loaded = block.take(np.array([1, 0])).take(np.array([0, 0, 1])).loaded()
    assert loaded.n_compared == NEIGHBOURS.n_compared
    np.testing.assert_array_equal(np.asarray(loaded.among), np.asarray(AMONG)[[1, 1, 0]])


@pytest.mark.parametrize("content", [b"", b"PK", b"no archive"])
def test_a_broken_neighbours_file_names_its_stage(tmp_path: Path, content: bytes) -> None:
    """What cannot be mapped is an error with the stage to run."""
    (tmp_path / "neighbours.npz").write_bytes(content)
    with pytest.raises(DataError, match="run the stage neighbours"):
        NeighbourBlock.read(tmp_path / "neighbours.npz")


def test_a_missing_neighbours_file_names_its_stage(tmp_path: Path) -> None:
    """The message says which stage to run."""
    with pytest.raises(DataError, match="run the stage neighbours"):
        NeighbourBlock.read(tmp_path / "neighbours.npz")


def test_take_selects_rows_of_all_parts_of_neighbours() -> None:
    """Rows, similarities and positions stay aligned."""
    taken = NEIGHBOURS.take(np.array([1]))
    assert (taken.rows.tolist(), taken.similarity.tolist()) == ([[2]], [[0.25]])
    assert taken.position.tolist() == [2]


def test_neighbours_stay_on_disk(tmp_path: Path) -> None:
    """Taking rows copies nothing until they are read."""
    NEIGHBOURS.write(tmp_path / "neighbours.npz")
    stored = Blocks.read(tmp_path, ["neighbours"]).neighbours
    assert stored is not None
    taken = stored.take(np.array([1, 0])).take(np.array([0]))
    assert taken.table is stored.table
    assert taken.shape == (1, 1)
    expected = NEIGHBOURS.take(np.array([1]))
    assert taken.position.tolist() == expected.position.tolist()
    for name in Neighbours.by_row:
        read = getattr(taken.loaded(), name)
        np.testing.assert_array_equal(read, getattr(expected, name))
    assert taken.loaded(among=False).n_compared == 0
    taken.write(tmp_path / "taken.npz")
    again = NeighbourBlock.read(tmp_path / "taken.npz").loaded()
    assert again.rows.tolist() == expected.rows.tolist()


def test_a_mask_takes_rows() -> None:
    """Also those of rows that were taken before."""
    taken = NeighbourBlock(NEIGHBOURS).take(np.array([False, True]))
    assert taken.shape == (1, 1)
    assert taken.position.tolist() == [2]
    assert taken.take(np.array([False])).shape == (0, 1)
