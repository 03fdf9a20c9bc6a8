"""Results of pieces as messages and as files."""

from pathlib import Path

import numpy as np
import pytest

from amlc.errors import ExecutionError
from amlc.execution.inputs import input_file
from amlc.execution.piece import Call, run_piece
from amlc.execution.results import ResultFile, packed, unpacked
from tests.helpers import pieces


def test_a_small_result_stays_a_message(tmp_path: Path) -> None:
    """A file would take longer."""
    assert packed([1, 2], tmp_path) == unpacked([1, 2]) == [1, 2]
    assert list(tmp_path.iterdir()) == []


def test_a_large_result_is_a_file_until_it_is_loaded(tmp_path: Path) -> None:
    """Its array can be changed, as if it had come as a message."""
    expected = pieces.numbers(None, 3)
    result = packed({"numbers": expected}, tmp_path)
    assert isinstance(result, ResultFile)
    assert result.path.stat().st_mode & 0o077 == 0
    loaded = unpacked(result)
    assert list(tmp_path.iterdir()) == []
    np.testing.assert_array_equal(loaded["numbers"], expected)
    loaded["numbers"][0] = 1


def test_a_file_of_another_content_is_removed_too(tmp_path: Path) -> None:
    """Nobody will read it."""
    result = packed(pieces.numbers(None, 3), tmp_path)
    result.path.write_bytes(bytes(100))
    with pytest.raises(ExecutionError, match="not what was written"):
        unpacked(result)
    assert list(tmp_path.iterdir()) == []


def test_a_piece_whose_inputs_are_a_file_puts_its_result_beside_them(tmp_path: Path) -> None:
    """There, the removal of the inputs removes what nobody has loaded."""
    call = Call(pieces.numbers, 1, "piece 1", threads=1)
    with input_file(None, tmp_path) as file:
        result = run_piece(call, file)
        assert isinstance(result, ResultFile)
        assert result.path.parent == file.path.parent
    assert list(tmp_path.iterdir()) == []
    assert not isinstance(run_piece(call, None), ResultFile)
