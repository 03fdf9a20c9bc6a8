"""The store of vectors: what an encoder computed once is not computed again."""

import hashlib
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Self

import numpy as np
from filelock import FileLock

from amlc import layout, sqlite
from amlc.arrays import Floats32
from amlc.errors import DataError

# Version of the tables below; the vectors of another version are dropped.
VERSION = 1
# The vectors of the encoders that were used longest ago are removed above this size.
MAX_BYTES = 20 * 2**30
_KEYS_PER_QUERY = 500

_CREATE_ENCODER = """
CREATE TABLE IF NOT EXISTS encoder (id INTEGER PRIMARY KEY, key BLOB UNIQUE NOT NULL, used INTEGER)
"""
_CREATE_VECTOR = """
CREATE TABLE IF NOT EXISTS vector (
    encoder INTEGER NOT NULL,
    content BLOB NOT NULL,
    vector BLOB NOT NULL,
    checksum BLOB NOT NULL,
    PRIMARY KEY (encoder, content)
) WITHOUT ROWID
"""
_USE = """
INSERT INTO encoder (key, used) VALUES (?, (SELECT coalesce(max(used), 0) + 1 FROM encoder))
ON CONFLICT DO UPDATE SET used = excluded.used
"""

# Another run may drop the encoder of this one, and SQLite then gives its id to the next encoder.
_ID = "(SELECT id FROM encoder WHERE key = ?)"
_FIND = f"SELECT content, vector, checksum FROM vector WHERE encoder = {_ID} AND content IN"  # noqa: S608 - constant text
_PUT = f"INSERT OR REPLACE INTO vector VALUES ({_ID}, ?, ?, ?)"  # noqa: S608 - constant text


def default_path() -> Path:
    """Return the path of the store in the folder of all stores."""
    return layout.store() / "encoders.sqlite"


class VectorStore:
    """The store, opened for one encoder.

    Parameters
    ----------
    path : Path
        The SQLite file; it is created if it is missing.
    encoder : str
        The key of the encoder: vectors of another one are never returned.
    width : int
        Length of its vectors.

    Attributes
    ----------
    damaged : int
        Vectors that had changed on the disk and are computed again.
    replaced : bool
        Whether the file was unreadable and was made anew.

    Raises
    ------
    DataError
        The file cannot be opened; every method raises it if the disk is full.
    """

    def __init__(self, path: Path, encoder: str, width: int) -> None:
        self.damaged = 0
        self.replaced = False
        self._path, self._key, self._width = path, encoder.encode(), width
        with self._errors():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = _opened(path) or self._made_anew()
            with self._connection:
                self._connection.execute(_USE, (self._key,))
            _shrink(self._connection, self._key)

    def _made_anew(self) -> sqlite3.Connection:
        """Open the file, after removing it if no other run has done so meanwhile."""
        with FileLock(self._path.with_name(f"{self._path.name}.lock")):
            if connection := _opened(self._path):
                return connection
            self.replaced = True
            for suffix in ("", "-wal", "-shm"):
                self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
            return sqlite.connect(self._path, _prepare)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def find(self, contents: Sequence[bytes]) -> dict[bytes, Floats32]:
        """Return the vectors that are stored, by the SHA-256 of their content."""
        vectors: dict[bytes, Floats32] = {}
        for start in range(0, len(contents), _KEYS_PER_QUERY):
            keys = contents[start : start + _KEYS_PER_QUERY]
            query = f"{_FIND} ({','.join('?' * len(keys))})"
            with self._errors():
                rows = self._connection.execute(query, (self._key, *keys)).fetchall()
            for content, raw, checksum in rows:
                if _is_intact(content, raw, checksum) and len(raw) == 4 * self._width:
                    vectors[content] = np.frombuffer(raw, "<f4").astype(np.float32)
                else:
                    self.damaged += 1
        return vectors

    def put(self, vectors: Mapping[bytes, Floats32]) -> None:
        """Store vectors by the SHA-256 of their content; when this returns, they are committed."""
        rows = []
        for content, vector in vectors.items():
            raw = vector.astype("<f4").tobytes()
            rows.append((self._key, content, raw, _checksum(content, raw)))
        with self._errors(), self._connection:
            self._connection.execute(_USE, (self._key,))
            self._connection.executemany(_PUT, rows)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            problem = (
                f"cannot be used as the store of vectors: {error}; free space, move the file away, "
                "or set AMLC_STORE to another folder, and run again"
            )
            if sqlite.is_locked(error):
                problem = (
                    "another run has kept the store of vectors locked for "
                    f"{sqlite.BUSY_SECONDS:.0f} seconds; run again when that run has ended"
                )
            raise DataError(f"{self._path}: {problem}") from None


def _prepare(connection: sqlite3.Connection) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version not in {0, VERSION}:
        connection.execute("DROP TABLE IF EXISTS encoder")
        connection.execute("DROP TABLE IF EXISTS vector")
    connection.execute(_CREATE_ENCODER)
    connection.execute(_CREATE_VECTOR)
    connection.execute(f"PRAGMA user_version = {VERSION}")


def _opened(path: Path) -> sqlite3.Connection | None:
    """Return a connection to the file, or None if that is damaged."""
    try:
        return sqlite.connect(path, _prepare)
    except sqlite3.OperationalError:
        # Busy or not readable, which is no damage.
        raise
    except sqlite3.DatabaseError:
        return None


def _shrink(connection: sqlite3.Connection, kept: bytes) -> None:
    """Remove the vectors of encoders that were used longest ago while the file is too large."""
    while _bytes_used(connection) > MAX_BYTES:
        query = "SELECT id FROM encoder WHERE key != ? ORDER BY used LIMIT 1"
        with closing(connection.execute(query, (kept,))) as oldest:
            row = oldest.fetchone()
        if row is None:
            return
        with connection:
            connection.execute("DELETE FROM vector WHERE encoder = ?", row)
            connection.execute("DELETE FROM encoder WHERE id = ?", row)


def _bytes_used(connection: sqlite3.Connection) -> int:
    names = ("page_count", "freelist_count", "page_size")
    pages, free, size = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names)
    return int((pages - free) * size)


def _checksum(content: bytes, raw: bytes) -> bytes:
    return hashlib.blake2b(content + raw, digest_size=8).digest()


def _is_intact(content: bytes, raw: object, checksum: object) -> bool:
    # Damage can make a vector a value of another type.
    return isinstance(raw, bytes) and _checksum(content, raw) == checksum
