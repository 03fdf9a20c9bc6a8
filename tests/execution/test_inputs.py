"""Inputs as files that other processes map into memory."""

import os
from pathlib import Path

import numpy as np
import pytest

from amlc.errors import ExecutionError
from amlc.execution.inputs import InputFile, input_file
from tests.helpers.learning import Catalogue, make_products
from tests.helpers.pieces import inputs


def test_inputs_are_read_as_they_were_written(tmp_path: Path) -> None:
    """Arrays and other values alike."""
    with input_file(inputs(), tmp_path) as file:
        read = file.load()
    np.testing.assert_array_equal(read["array"], inputs()["array"])
    assert read["text"] == inputs()["text"]


def test_feature_blocks_survive(tmp_path: Path) -> None:
    """Each block of the models' features, with sparse, dense and text columns."""
    written: Catalogue = make_products(30, seed=1)
    with input_file(written[0], tmp_path) as file:
        read = file.load()
    assert written[0].tabular is not None
    assert written[0].terms is not None
    np.testing.assert_array_equal(read.tabular.keys, written[0].tabular.keys)
    np.testing.assert_array_equal(read.terms.weights.data, written[0].terms.weights.data)


def test_only_the_user_can_read_the_file(tmp_path: Path) -> None:
    """It holds prices; and it is gone once the work is done."""
    with input_file(inputs(), tmp_path) as file:
        assert file.path.stat().st_mode & 0o077 == 0
    assert list(tmp_path.iterdir()) == []


def test_another_content_is_not_unpickled(tmp_path: Path) -> None:
    """Only what the stage itself wrote is."""
    with input_file(inputs(), tmp_path) as file:
        other = InputFile(file.path, "0" * 64)
        with pytest.raises(ExecutionError, match="not the inputs that were written"):
            other.load()


def test_a_file_that_a_worker_does_not_see(tmp_path: Path) -> None:
    """The message names the setting."""
    with pytest.raises(ExecutionError, match=r"executor\.shared_folder has to be the same folder"):
        InputFile(tmp_path / "missing", "0" * 64).load()


def test_a_shared_folder_that_is_missing(tmp_path: Path) -> None:
    """It is not created: other machines would not see it."""
    with (
        pytest.raises(
            ExecutionError, match=r"missing: the inputs .* No such file .*; name a folder"
        ),
        input_file(inputs(), tmp_path / "missing"),
    ):
        pass


def test_errors_of_the_work_pass_unchanged(tmp_path: Path) -> None:
    """A file that a piece misses is not taken for the folder."""
    with pytest.raises(FileNotFoundError, match="piece"), input_file(inputs(), tmp_path):
        raise FileNotFoundError("piece")
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_run_left_is_removed(tmp_path: Path) -> None:
    """By the next run on the same machine; what others still use stays, however old."""
    with input_file(inputs(), tmp_path) as used:
        left = used.path.with_name(f"{used.path.name}-left")
        new = used.path.with_name(f"{used.path.name}-new")
        elsewhere = tmp_path / "amlc-inputs-another-machine-x"
        for path in (left, new, elsewhere):
            path.touch()
        for path in (used.path, left, elsewhere):
            os.utime(path, (0, 0))
        with input_file(inputs(), tmp_path) as file:
            assert {*tmp_path.iterdir()} == {used.path, new, elsewhere, file.path}
