"""Values as files that other processes map into memory."""

from pathlib import Path

import numpy as np
import pytest

from amlc.errors import ExecutionError
from amlc.execution import array_file
from amlc.execution.array_file import ArrayFile, Pickled
from tests.helpers.learning import Catalogue, make_products
from tests.helpers.pieces import inputs


def test_values_are_read_as_they_were_written(tmp_path: Path) -> None:
    """Arrays and other values alike."""
    read = Pickled(inputs()).write(tmp_path / "file").load()
    np.testing.assert_array_equal(read["array"], inputs()["array"])
    assert read["text"] == inputs()["text"]


def test_feature_blocks_survive(tmp_path: Path) -> None:
    """Each block of the models' features, with sparse, dense and text columns."""
    written: Catalogue = make_products(30, seed=1)
    read = Pickled(written[0]).write(tmp_path / "file").load()
    assert written[0].tabular is not None
    assert written[0].terms is not None
    np.testing.assert_array_equal(read.tabular.keys, written[0].tabular.keys)
    np.testing.assert_array_equal(read.terms.weights.data, written[0].terms.weights.data)


def test_only_the_user_can_read_the_file(tmp_path: Path) -> None:
    """It holds prices."""
    file = Pickled(inputs()).write(tmp_path / "file")
    assert file.path.stat().st_mode & 0o077 == 0


def test_another_content_is_not_unpickled(tmp_path: Path) -> None:
    """Only what the stage itself or its worker wrote is."""
    file = Pickled(inputs()).write(tmp_path / "file")
    with pytest.raises(ExecutionError, match="not what was written"):
        ArrayFile(file.path, "0" * 64).load()


def test_a_file_that_another_machine_does_not_see(tmp_path: Path) -> None:
    """The message names the setting."""
    with pytest.raises(ExecutionError, match=r"executor\.shared_folder has to be the same folder"):
        ArrayFile(tmp_path / "missing", "0" * 64).load()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one sentence that says which folders are meant."""
    monkeypatch.setattr(array_file, "_new_file", lambda _: Path("/dev/full").open("wb"))  # noqa: SIM115 - `write` closes it
    with pytest.raises(ExecutionError, match=r"file: cannot be written: No space left .* TMPDIR"):
        Pickled(inputs()).write(tmp_path / "file")
