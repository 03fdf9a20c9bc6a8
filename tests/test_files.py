"""Files and folders are written completely or not at all, with the same bytes each time."""

import json
import os
import re
import shutil
import struct
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from filelock import FileLock

from amlc import files
from amlc.errors import DataError
from amlc.files import replacing_folder
from tests.helpers.disks import full_disk


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


def test_mapped_arrays_are_those_that_were_written(tmp_path: Path) -> None:
    """Any type, order and shape, the empty one among them, is mapped as it would be read."""
    arrays = {
        "f": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "empty": np.empty((0, 4), np.int32),
        "half": np.arange(3, dtype=np.float16),
        "one": np.array(7),
    }
    files.write_arrays(tmp_path / "a.npz", **arrays)
    mapped = files.map_arrays(tmp_path / "a.npz")
    assert list(mapped) == list(arrays)
    for name, array in arrays.items():
        assert mapped[name].dtype == array.dtype
        np.testing.assert_array_equal(mapped[name], array)


def test_only_plain_uncompressed_arrays_are_mapped(tmp_path: Path) -> None:
    """Compressed arrays, and those that would have to be unpickled, are refused."""
    np.savez_compressed(tmp_path / "a.npz", a=np.arange(3))
    np.savez(tmp_path / "b.npz", b=np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="compressed"):
        files.map_arrays(tmp_path / "a.npz")
    with pytest.raises(ValueError, match="objects"):
        files.map_arrays(tmp_path / "b.npz")


def test_headers_of_arrays_do_not_depend_on_python(tmp_path: Path) -> None:
    """The fields of a zip archive that Python's releases fill in unlike ways have fixed values."""
    files.write_arrays(tmp_path / "a.npz", one=np.arange(3), two=np.zeros((0, 2)))
    content = (tmp_path / "a.npz").read_bytes()
    # Version to extract, flags, method, time and date (1 January 1980), as PKWARE's APPNOTE has it.
    fixed = struct.pack("<5H", 20, 0, 0, 0, 0x21)
    assert content.startswith(b"PK\3\4" + fixed)
    # Length of the name, length of the extra field: without sizes of 64 bits.
    assert content[26:30] == struct.pack("<2H", len("one.npy"), 0)
    entries = re.findall(rb"PK\x01\x02(.{42})(?:one|two)\.npy", content, re.DOTALL)
    # Version and system that made it.
    assert [entry[:12] for entry in entries] == [bytes([20, 3]) + fixed] * 2


def test_large_arrays_get_sizes_of_64_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An array beyond what the headers hold otherwise is written and read all the same."""
    monkeypatch.setattr("zipfile.ZIP64_LIMIT", 1_000)
    files.write_arrays(tmp_path / "a.npz", a=np.arange(1_000))
    np.testing.assert_array_equal(files.read_arrays(tmp_path / "a.npz")["a"], np.arange(1_000))


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


def test_what_killed_runs_left_is_removed(tmp_path: Path) -> None:
    """Files, folders and their locks go with the next write, and nothing else beside them."""
    for name in (".images.0123abcd.lock", ".images.4567abcd.lock", ".t.csv.01234567.csv",
                 ".t.csv.01234567.csv.lock", ".t.csv.old.csv", ".other.01234567"):  # fmt: skip
        (tmp_path / name).touch()
    (tmp_path / ".images.0123abcd").mkdir()
    (tmp_path / ".images.0123abcd" / "shard").touch()
    (tmp_path / "images").mkdir()
    with replacing_folder(tmp_path / "images"):
        assert not list(tmp_path.glob(".images.*abcd*"))
    files.write_text(tmp_path / "t.csv", "new")
    assert sorted(names(tmp_path)) == [".other.01234567", ".t.csv.old.csv", "images", "t.csv"]


def test_what_a_running_process_writes_stays(tmp_path: Path) -> None:
    """The temporary folder and file of another run are locked, so they are not stale."""
    target = tmp_path / "images"
    with replacing_folder(target) as folder:
        (folder / "shard").touch()
        with replacing_folder(target):
            pass
        assert (folder / "shard").exists()
    assert names(target) == ["shard"]
    with files.replacing(tmp_path / "file") as first:
        first.write_text("first")
        files.write_text(tmp_path / "file", "second")
    assert (tmp_path / "file").read_text() == "first"
    assert sorted(names(tmp_path)) == ["file", "images"]


def test_of_two_folders_that_are_written_at_the_same_time_the_last_one_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one may come after the old one was removed."""
    target, removed = tmp_path / "page", shutil.rmtree

    def overtaken(path: Path, *, ignore_errors: bool) -> None:
        removed(path, ignore_errors=ignore_errors)
        monkeypatch.setattr(shutil, "rmtree", removed)
        with replacing_folder(target) as other:
            (other / "first").touch()

    monkeypatch.setattr(shutil, "rmtree", overtaken)
    with replacing_folder(target) as folder:
        (folder / "second").touch()
    assert names(target) == ["second"]
    assert names(tmp_path) == ["page"]


def test_what_another_process_is_about_to_write_keeps_its_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where its lock was there, and not yet locked, it locks it as soon as that is free again."""
    begun = FileLock(tmp_path / ".file.01234567.lock")
    Path(begun.lock_file).touch()

    class Contended(FileLock):
        def release(self, force: bool = False) -> None:  # noqa: FBT001, FBT002 - as the library's
            super().release(force)
            begun.acquire()

    monkeypatch.setattr(files, "FileLock", Contended)
    files.write_text(tmp_path / "file", "new")
    assert Path(begun.lock_file).exists()


WRITERS: dict[str, Callable[[Path], None]] = {
    "text": lambda path: files.write_text(path, "x" * 100_000),
    "JSON": lambda path: files.write_json(path, ["x"] * 100_000),
    "rows": lambda path: files.write_rows(path, ["a"], [["x" * 100]] * 1_000),
    "array": lambda path: files.write_array(path, np.zeros(100_000)),
    "arrays": lambda path: files.write_arrays(path, a=np.zeros(100_000)),
    "frame": lambda path: files.write_frame(path, pd.DataFrame({"a": np.arange(100_000)})),
}


@pytest.mark.parametrize("writer", WRITERS)
def test_a_full_disk_is_one_sentence(tmp_path: Path, writer: str) -> None:
    """Whatever is written, the error names the file and leaves nothing behind."""
    path = tmp_path / "out"
    with full_disk(), pytest.raises(DataError, match=r"out: cannot be written: .*(large|full)"):
        WRITERS[writer](path)
    assert not names(tmp_path)


@pytest.mark.parametrize("writer", WRITERS)
def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path, writer: str) -> None:
    """The error names the file that was to be written."""
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"file/out: cannot be written: .*/file: File exists"):
        WRITERS[writer](tmp_path / "file" / "out")
    with pytest.raises(DataError, match=r"file/a/out: cannot be written: .*: Not a directory"):
        WRITERS[writer](tmp_path / "file" / "a" / "out")


def test_a_file_that_cannot_be_read_is_not_the_one_being_written(tmp_path: Path) -> None:
    """The error names the file that caused it."""
    with (
        pytest.raises(DataError, match="missing: cannot be used: No such file"),
        files.replacing(tmp_path / "out"),
    ):
        (tmp_path / "missing").read_bytes()


def test_what_cannot_be_made_is_no_error_of_the_file(tmp_path: Path) -> None:
    """Parts of a table may come from other processes, which have errors of their own."""

    def parts() -> Iterator[pa.Table]:
        yield pa.table({"a": [1]})
        raise TimeoutError("no worker")

    with pytest.raises(TimeoutError, match="no worker"):
        files.write_tables(tmp_path / "out", parts())
    assert names(tmp_path) == []


# Files that a user names.


def test_a_link_is_followed(tmp_path: Path) -> None:
    """The file that a link leads to is replaced, or created, and the link stays."""
    (tmp_path / "deep").mkdir()
    link = tmp_path / "link"
    link.symlink_to(Path("deep") / "file")
    for text in ("new", "newer"):
        with files.writing(link) as temporary:
            temporary.write_text(text)
        assert link.is_symlink()
        assert (tmp_path / "deep" / "file").read_text() == text
    assert names(tmp_path / "deep") == ["file"]


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o777])
def test_the_permissions_of_a_file_are_kept(tmp_path: Path, mode: int) -> None:
    """Nobody can read the new content who could not read the old one, at no time."""
    path = tmp_path / "out"
    path.touch()
    path.chmod(mode)
    with files.writing(path) as temporary:
        with temporary.open("w") as stream:
            stream.write("new")
        assert temporary.stat().st_mode & 0o777 == mode
    assert path.stat().st_mode & 0o777 == mode
    assert path.read_text() == "new"


def test_a_fifo_gets_what_is_written(tmp_path: Path) -> None:
    """It stays a FIFO, and no file is left beside it."""
    path = tmp_path / "fifo"
    os.mkfifo(path)
    with ThreadPoolExecutor(1) as pool:
        read = pool.submit(path.read_text)
        with files.writing(path) as target:
            target.write_text("prices")
        assert read.result(30) == "prices"
    assert path.is_fifo()
    assert names(tmp_path) == ["fifo"]


def test_a_device_stays_a_device() -> None:
    """It is written to, and its errors are one sentence."""
    with files.writing(Path("/dev/null")) as target:
        target.write_text("prices")
    assert Path("/dev/null").is_char_device()
    with pytest.raises(DataError, match=r"^/dev/full: cannot be written: No space left"):
        write_to_full_device()


def write_to_full_device() -> None:
    """Write to a device that is always full."""
    with files.writing(Path("/dev/full")) as target:
        target.write_text("prices")


def test_a_folder_is_no_output(tmp_path: Path) -> None:
    """The error says so, and the folder stays."""
    with (
        pytest.raises(DataError, match="cannot be written: Is a directory"),
        files.writing(tmp_path),
    ):
        pass
    assert tmp_path.is_dir()


def test_a_file_that_may_not_be_written_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file without permission to write is not replaced, although its folder would allow it."""
    path = tmp_path / "out"
    path.write_text("old")
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(DataError, match="Permission denied"), files.writing(path):
        pass
    assert path.read_text() == "old"
