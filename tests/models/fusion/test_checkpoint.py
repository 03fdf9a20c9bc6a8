"""Checkpoints: what is written is read, and few are kept."""

import os
import time
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.deep import skip_without_deep

skip_without_deep()

from safetensors.numpy import load_file

from amlc.files import replacing
from amlc.models.fusion import checkpoint as module
from amlc.models.fusion.checkpoint import Arrays, Checkpoint, Progress
from amlc.models.fusion.settings import CheckpointSettings

ARRAYS = {"weights/a": np.arange(6, dtype=np.float32).reshape(2, 3), "step": np.array(3.0)}
SETTINGS = CheckpointSettings(seconds=60.0, days=2.0, count=2)
PROGRESS = Progress(2, 5, best=51.5, best_epoch=1)


def checkpoint(folder: Path, **parts: str) -> Checkpoint:
    """Return the checkpoint of a fit that depends on these parts."""
    return Checkpoint(folder, {"data": "d", "code": "c", **parts}, SETTINGS)


@pytest.fixture(autouse=True)
def another_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each test be a process that has written nothing."""
    forget(monkeypatch)


def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what follows be another process."""
    monkeypatch.setattr(module, "_written", set())


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    """Arrays and progress; equal ones give equal bytes."""
    checkpoint(tmp_path).save(ARRAYS, PROGRESS)
    loaded = checkpoint(tmp_path).load()
    assert loaded is not None
    arrays, progress = loaded
    assert progress == PROGRESS
    assert arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], array)
    (path,) = tmp_path.glob("*.safetensors")
    before = path.read_bytes()
    checkpoint(tmp_path).save(dict(reversed(ARRAYS.items())), PROGRESS)
    assert path.read_bytes() == before


def test_another_fit_has_another_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any part that differs makes it another fit, and the parts that differ are named."""
    checkpoint(tmp_path).save(ARRAYS, PROGRESS)
    other = checkpoint(tmp_path, code="e", threads="2")
    assert other.load() is None
    forget(monkeypatch)
    assert other.differences() == ["code", "threads"]


def test_finished_fits_and_those_of_this_process_are_no_reason_to_tell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only an unfinished fit of another run may be one that the user expects to go on."""
    checkpoint(tmp_path, data="1").save(ARRAYS, PROGRESS)
    assert checkpoint(tmp_path).differences() == []
    checkpoint(tmp_path, data="1").save(ARRAYS, Progress(3, 0, finished=True))
    forget(monkeypatch)
    assert checkpoint(tmp_path).differences() == []


@pytest.mark.parametrize("at", [3, 40, 300, -1])
def test_a_damaged_file_is_not_used(
    at: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Wherever it changed, the fit starts again and says so."""
    written = checkpoint(tmp_path)
    written.save(ARRAYS, PROGRESS)
    content = bytearray(written.path.read_bytes())
    content[at] ^= 0xFF
    written.path.write_bytes(content)
    assert written.load() is None
    assert "damaged, so the fit starts again" in capsys.readouterr().out


def test_a_file_that_was_cut_off_is_not_used(tmp_path: Path) -> None:
    """As after a loss of power."""
    written = checkpoint(tmp_path)
    written.save(ARRAYS, PROGRESS)
    for length in (0, 5, 100, written.path.stat().st_size - 1):
        written.path.write_bytes(written.path.read_bytes()[:length])
        assert written.load() is None


def test_one_that_another_process_removes_is_loaded_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And leaves no empty file, which a later run would take for a damaged one."""
    saved = checkpoint(tmp_path)
    saved.save(ARRAYS, PROGRESS)

    def removed(path: Path) -> Arrays:
        arrays: Arrays = load_file(path)
        path.unlink()
        return arrays

    monkeypatch.setattr(module, "load_file", removed)
    assert saved.load() is not None
    assert list(tmp_path.iterdir()) == []


def test_one_that_another_process_is_writing_is_kept(tmp_path: Path) -> None:
    """However old and many there are; that process renames it when it is complete."""
    checkpoint(tmp_path).save(ARRAYS, PROGRESS)
    with replacing(checkpoint(tmp_path, code="e").path) as temporary:
        temporary.touch()
        os.utime(temporary, (0, 0))
        checkpoint(tmp_path).save(ARRAYS, PROGRESS)


def test_the_oldest_and_those_that_are_too_many_are_removed(tmp_path: Path) -> None:
    """Two are kept for two days; the one just written always is."""
    names = [checkpoint(tmp_path, data=str(number)) for number in range(4)]
    for age, each in zip((4, 3, 2), names, strict=False):
        each.save(ARRAYS, PROGRESS)
        changed = time.time() - age * 3600
        os.utime(each.path, (changed, changed))
    names[3].save(ARRAYS, PROGRESS)
    assert [each.path.exists() for each in names] == [False, False, True, True]
    old = time.time() - 3 * 86_400
    os.utime(names[2].path, (old, old))
    names[3].save(ARRAYS, PROGRESS)
    assert [each.path.exists() for each in names] == [False, False, False, True]
