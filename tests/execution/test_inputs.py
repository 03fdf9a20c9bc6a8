"""Inputs that processes share, and the folder in which they lie."""

from pathlib import Path

import pytest

from amlc.errors import ExecutionError
from amlc.execution.inputs import input_file
from tests.helpers.pieces import inputs


def test_a_process_maps_inputs_once(tmp_path: Path) -> None:
    """For all pieces with them."""
    with input_file(inputs(), tmp_path) as file:
        assert file.load() is file.load()


def test_only_the_user_can_enter_the_folder(tmp_path: Path) -> None:
    """And it is gone once the work is done, with results that nobody has loaded."""
    with input_file(inputs(), tmp_path) as file:
        assert file.path.parent.stat().st_mode & 0o077 == 0
        (file.path.parent / "result-1").write_bytes(b"left by a worker that was killed")
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_stage_left_is_removed(tmp_path: Path) -> None:
    """The folder of a stage that runs is locked, and stays."""
    with input_file(inputs(), tmp_path) as running:
        name = running.path.parent.name
        stale = tmp_path / f"{name.rpartition('.')[0]}.0123abcd"
        stale.mkdir()
        (stale / "result-1").touch()
        with input_file(inputs(), tmp_path):
            assert running.path.is_file()
            assert not stale.exists()


def test_a_shared_folder_that_is_missing(tmp_path: Path) -> None:
    """It is not created: other machines would not see it."""
    with (
        pytest.raises(ExecutionError, match="no such folder"),
        input_file(inputs(), tmp_path / "missing"),
    ):
        pass


def test_errors_of_the_work_pass_unchanged(tmp_path: Path) -> None:
    """A file that a piece misses is not taken for the folder."""
    with pytest.raises(FileNotFoundError, match="piece"), input_file(inputs(), tmp_path):
        raise FileNotFoundError("piece")
    assert list(tmp_path.iterdir()) == []
