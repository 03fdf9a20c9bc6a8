"""The store of vectors."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest

from amlc import sqlite
from amlc.errors import DataError
from amlc.features.encoders import store
from amlc.features.encoders.store import VectorStore

KEYS = [number.to_bytes(32) for number in range(1200)]
VECTORS = {key: np.full(3, number, np.float32) for number, key in enumerate(KEYS)}


def path_of(folder: Path) -> Path:
    """Return the path of a store in a folder that does not exist yet."""
    return folder / "cache" / "encoders.sqlite"


def test_vectors_come_back_as_they_were(tmp_path: Path) -> None:
    """Also in another run, and more than one query asks for."""
    with VectorStore(path_of(tmp_path), "a", 3) as first:
        first.put(VECTORS)
    with VectorStore(path_of(tmp_path), "a", 3) as second:
        found = second.find([*KEYS, b"x" * 32])
    assert found.keys() == VECTORS.keys()
    assert all((found[key] == VECTORS[key]).all() for key in KEYS)


def test_an_encoder_never_gets_the_vectors_of_another(tmp_path: Path) -> None:
    """The key of the encoder decides."""
    with VectorStore(path_of(tmp_path), "a", 3) as first:
        first.put(VECTORS)
    with VectorStore(path_of(tmp_path), "b", 3) as second:
        assert second.find(KEYS) == {}


@pytest.mark.parametrize("value", [b"\0" * 12, b"short", "text", 5, 1.5])
def test_a_damaged_vector_is_left_out_and_counted(value: object, tmp_path: Path) -> None:
    """It is computed again."""
    with VectorStore(path_of(tmp_path), "a", 3) as vectors:
        vectors.put({KEYS[1]: VECTORS[KEYS[1]], KEYS[2]: VECTORS[KEYS[2]]})
    with sqlite3.connect(path_of(tmp_path)) as connection:
        connection.execute("UPDATE vector SET vector = ? WHERE content = ?", (value, KEYS[1]))
    connection.close()
    with VectorStore(path_of(tmp_path), "a", 3) as vectors:
        assert list(vectors.find(KEYS[:5])) == [KEYS[2]]
        assert vectors.damaged == 1


def test_a_file_that_is_no_store_is_made_anew(tmp_path: Path) -> None:
    """What it held can be computed again."""
    path = path_of(tmp_path)
    path.parent.mkdir()
    path.write_bytes(b"not a database " * 100)
    with VectorStore(path, "a", 3) as vectors:
        assert vectors.replaced
        vectors.put({KEYS[0]: VECTORS[KEYS[0]]})
        assert list(vectors.find(KEYS)) == [KEYS[0]]


def test_a_store_that_another_run_has_made_anew_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two runs may find at the same time that it cannot be read."""
    connect = sqlite.connect

    def late(path: Path, *_: object) -> NoReturn:
        monkeypatch.setattr(sqlite, "connect", connect)
        with VectorStore(path, "a", 3) as other:
            other.put(VECTORS)
        raise sqlite3.DatabaseError("file is not a database")

    monkeypatch.setattr(sqlite, "connect", late)
    with VectorStore(path_of(tmp_path), "a", 3) as vectors:
        assert vectors.find(KEYS).keys() == VECTORS.keys()
        assert not vectors.replaced


def test_the_vectors_of_another_version_are_dropped(tmp_path: Path) -> None:
    """They may have another meaning."""
    with VectorStore(path_of(tmp_path), "a", 3) as vectors:
        vectors.put(VECTORS)
    with sqlite3.connect(path_of(tmp_path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with VectorStore(path_of(tmp_path), "a", 3) as vectors:
        assert vectors.find(KEYS) == {}


def test_a_store_that_is_too_large_forgets_the_encoder_used_longest_ago(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one in use is kept."""
    monkeypatch.setattr(store, "MAX_BYTES", 150_000)
    for name in ("a", "b", "a", "c"):
        with VectorStore(path_of(tmp_path), name, 3) as vectors:
            if not vectors.find(KEYS):
                vectors.put(VECTORS)
    with VectorStore(path_of(tmp_path), "b", 3) as vectors:
        assert vectors.find(KEYS) == {}


def test_an_encoder_that_another_run_has_dropped_does_not_write_into_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite gives the id of the one that was dropped to the next one."""
    path = path_of(tmp_path)
    VectorStore(path, "another", 3).__exit__()
    with VectorStore(path, "used", 3) as used:
        with monkeypatch.context() as patch:
            patch.setattr(store, "MAX_BYTES", 0)
            VectorStore(path, "another", 3).__exit__()
        with VectorStore(path, "next", 3) as following:
            used.put(VECTORS)
            assert following.find(KEYS) == {}
            assert used.find(KEYS).keys() == VECTORS.keys()


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    """The remedy names the environment variable."""
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="set AMLC_STORE"):
        VectorStore(tmp_path / "file" / "encoders.sqlite", "a", 3)


def test_a_store_that_another_run_has_locked_is_not_to_be_moved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message says that another run uses it; the file and its vectors stay."""
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.0)
    path = path_of(tmp_path)
    with VectorStore(path, "encoder", 3) as vectors:
        vectors.put({KEYS[0]: VECTORS[KEYS[0]]})
    with closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DataError, match=r"another run has .* locked .* run again when"):
            VectorStore(path, "encoder", 3)
    with VectorStore(path, "encoder", 3) as vectors:
        assert list(vectors.find(KEYS[:1])) == KEYS[:1]
