"""The neighbours block."""

from pathlib import Path

import numpy as np
import pytest

from amlc.errors import DataError
from amlc.features.neighbours import Neighbours, read_neighbours, write_neighbours

POSITIONS = np.array([1, 2], np.int32)
FOUND = Neighbours(POSITIONS[:, None], np.array([[0.5], [0.25]], np.float32), POSITIONS)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    """Positions and similarities survive the file."""
    write_neighbours(tmp_path / "n.npz", FOUND)
    again = read_neighbours(tmp_path / "n.npz")
    np.testing.assert_array_equal(FOUND.rows, again.rows)
    np.testing.assert_array_equal(FOUND.similarity, again.similarity)


def test_a_missing_block_names_its_stage(tmp_path: Path) -> None:
    """The message says what to run."""
    with pytest.raises(DataError, match="run the stage neighbours"):
        read_neighbours(tmp_path / "n.npz")


def test_taking_rows_takes_every_part() -> None:
    """Positions and similarities stay together."""
    taken = FOUND.take(np.array([1]))
    assert (taken.rows.tolist(), taken.similarity.tolist()) == ([[2]], [[0.25]])
    assert taken.own.tolist() == [2]
