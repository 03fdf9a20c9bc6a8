"""Files and folders are written completely or not at all, with the same bytes each time."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from amlc import files
from amlc.files import lock_folder, remove_stale_folders, replacing_folder


def names(folder: Path) -> list[str]:
    """Return the names in a folder."""
    return [path.name for path in folder.iterdir()]


def fail_while_writing(path: Path) -> None:
    """Write half of a file, then fail."""
    with files.replacing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError


def test_replacing_creates_folders_and_no_other_files(tmp_path: Path) -> None:
    """Only the file is left in its folder."""
    path = tmp_path / "a" / "b" / "out.txt"
    with files.replacing(path) as temporary:
        temporary.write_text("new")
    assert path.read_text() == "new"
    assert names(path.parent) == ["out.txt"]


def test_replacing_keeps_the_old_file_when_the_block_fails(tmp_path: Path) -> None:
    """An exception loses the new file, not the old one."""
    path = tmp_path / "out.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError):
        fail_while_writing(path)
    assert path.read_text() == "old"
    assert names(tmp_path) == ["out.txt"]


def test_the_file_appears_at_the_end_of_the_block(tmp_path: Path) -> None:
    """A half-written file cannot be read by others."""
    path = tmp_path / "out.txt"
    with files.replacing(path) as temporary:
        temporary.write_text("half")
        assert not path.exists()
    assert path.exists()


def test_replacing_follows_the_umask(tmp_path: Path) -> None:
    """A result has the same permissions as any new file."""
    path, plain = tmp_path / "out.txt", tmp_path / "plain.txt"
    files.write_text(path, "")
    plain.write_text("")
    assert path.stat().st_mode == plain.stat().st_mode


def test_replacing_folder_removes_the_old_folder(tmp_path: Path) -> None:
    """No file of the old folder is left."""
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "old").touch()
    with files.replacing_folder(folder) as temporary:
        (temporary / "new").touch()
    assert names(folder) == ["new"]
    assert names(tmp_path) == ["out"]


def test_replacing_folder_keeps_the_old_one_when_the_block_fails(tmp_path: Path) -> None:
    """An exception loses the new folder, not the old one."""
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "old").touch()
    with pytest.raises(RuntimeError), files.replacing_folder(folder):
        raise RuntimeError
    assert names(folder) == ["old"]
    assert names(tmp_path) == ["out"]


def test_write_text_keeps_line_ends_and_writes_utf8(tmp_path: Path) -> None:
    """The bytes do not depend on the platform."""
    files.write_text(tmp_path / "a", "é\n")
    assert (tmp_path / "a").read_bytes() == b"\xc3\xa9\n"


def test_write_json_does_not_depend_on_the_order_of_keys(tmp_path: Path) -> None:
    """Equal content gives equal bytes."""
    files.write_json(tmp_path / "a", {"x": 1, "y": {"b": "é", "a": [1.5]}})
    files.write_json(tmp_path / "b", {"y": {"a": [1.5], "b": "é"}, "x": 1})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert json.loads((tmp_path / "a").read_text("utf-8"))["y"]["b"] == "é"


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_write_json_refuses_numbers_that_are_not_finite(tmp_path: Path, bad: float) -> None:
    """A metrics file never contains NaN or an infinity."""
    with pytest.raises(ValueError, match="JSON compliant"):
        files.write_json(tmp_path / "a", {"smape": bad})
    assert not names(tmp_path)


def test_write_array_round_trips(tmp_path: Path) -> None:
    """The file has exactly the given name, and the array keeps its type."""
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    files.write_array(tmp_path / "a.bin", array)
    loaded = np.load(tmp_path / "a.bin", allow_pickle=False)
    assert loaded.dtype == np.float32
    assert np.array_equal(loaded, array)


def test_write_arrays_round_trips(tmp_path: Path) -> None:
    """Names, order and values survive, and two writes give the same bytes."""
    arrays = {"b": np.arange(3), "a": np.ones((2, 2), np.float32)}
    for name in ("one.npz", "two.npz"):
        files.write_arrays(tmp_path / name, **arrays)
    again = files.read_arrays(tmp_path / "one.npz")
    assert list(again) == list(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(again[name], array)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


def test_write_array_never_pickles(tmp_path: Path) -> None:
    """An array of objects is refused, and no file is left."""
    with pytest.raises(ValueError, match="pickle"):
        files.write_array(tmp_path / "a.npy", np.array([{}], dtype=object))
    assert not names(tmp_path)


def test_write_frame_gives_the_same_bytes_twice(tmp_path: Path) -> None:
    """A rerun does not change the hash; the index is not written."""
    frame = pd.DataFrame({"a": ["x", "None", ""], "b": [1.0, float("nan"), 3.0]}, index=[5, 6, 7])
    files.write_frame(tmp_path / "a", frame)
    files.write_frame(tmp_path / "b", frame)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    loaded = pd.read_parquet(tmp_path / "a")
    assert loaded["a"].tolist() == ["x", "None", ""]
    assert loaded.index.tolist() == [0, 1, 2]


def test_the_folder_of_a_killed_run_is_removed(tmp_path: Path) -> None:
    """Its lock goes too; nothing else beside the target is touched."""
    target = tmp_path / "images"
    (tmp_path / ".images.abc.lock").touch()
    (tmp_path / ".images.def.lock").touch()
    (tmp_path / ".images.abc").mkdir()
    (tmp_path / ".images.abc" / "shard").touch()
    (tmp_path / ".other.abc").mkdir()
    target.mkdir()
    remove_stale_folders(target)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".other.abc", "images"]


def test_the_folder_of_a_running_process_stays(tmp_path: Path) -> None:
    """A temporary folder that another run has locked is not stale."""
    target = tmp_path / "images"
    with replacing_folder(target) as folder, lock_folder(folder):
        (folder / "shard").touch()
        remove_stale_folders(target)
    assert (target / "shard").exists()
    assert names(tmp_path) == ["images"]
