"""The store of fetched pictures: one SQLite file for all repositories, by size and link."""

import hashlib
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from amlc import layout, sqlite
from amlc.errors import ImageError, first_few
from amlc.images.fetch_result import FetchResult, Picture
from amlc.images.settings import ImageSettings

# Version of the tables below; a file of a later version is refused. Version 1 had no hashes.
VERSION = 2
_LINKS_PER_QUERY = 500

_CREATE = """
CREATE TABLE IF NOT EXISTS image (
    variant TEXT NOT NULL,
    link TEXT NOT NULL,
    status TEXT NOT NULL,
    reason TEXT NOT NULL,
    tries INTEGER NOT NULL,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    bytes BLOB,
    limits TEXT NOT NULL,
    stored_at INTEGER NOT NULL,
    PRIMARY KEY (variant, link)
)
"""
# In a table of its own, so that a file of version 1 gets hashes without being written as a whole.
_CREATE_HASHES = """
CREATE TABLE IF NOT EXISTS picture_hash (
    variant TEXT NOT NULL,
    link TEXT NOT NULL,
    sha256 BLOB NOT NULL,
    PRIMARY KEY (variant, link)
) WITHOUT ROWID
"""
_HASH_ALL = """
INSERT OR REPLACE INTO picture_hash
SELECT variant, link, sha256(bytes) FROM image WHERE status = 'ok' AND typeof(bytes) = 'blob'
"""
_PUT_HASH = "INSERT OR REPLACE INTO picture_hash VALUES (?, ?, ?)"
# Of two runs that disagree, the picture is kept and the failure is not, whichever comes last.
_PUT = """
INSERT INTO image VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET status = excluded.status, reason = excluded.reason,
    tries = excluded.tries, width = excluded.width, height = excluded.height,
    bytes = excluded.bytes, limits = excluded.limits, stored_at = excluded.stored_at
WHERE image.status != 'ok' OR excluded.status = 'ok'
"""
_WHERE = """
WHERE variant = ? AND (status = 'ok' OR (limits = ? AND stored_at > ?)) AND link IN
"""
# Damage can make a picture a value of another type.
_INTACT = """
CASE WHEN status != 'ok' THEN 1 WHEN typeof(bytes) = 'blob' THEN sha256 IS sha256(bytes) ELSE 0 END
"""
_SELECT_RESULTS = (
    f"SELECT link, status, reason, tries, {_INTACT} "  # noqa: S608 - constant text
    f"FROM image LEFT JOIN picture_hash USING (variant, link) {_WHERE}"
)
_SELECT_PICTURES = f"SELECT link, width, height, bytes FROM image {_WHERE}"  # noqa: S608 - constant text


def default_path() -> Path:
    """Return the store's path: in the folder that `AMLC_STORE` names, else in the user's cache."""
    return layout.store() / "images.sqlite"


class Store:
    """The store, opened for one run; any thread may call any method.

    Parameters
    ----------
    path : Path
        The SQLite file; it is created if it is missing.
    settings : ImageSettings
        Which entries are valid: pictures of this size and quality, and failures that are not too
        old and happened under the same limits.

    Raises
    ------
    ImageError
        The file cannot be opened, is not a store or has another version. Every method raises it
        if the disk is full or the file is damaged; what was stored before stays valid.
    """

    def __init__(self, path: Path, settings: ImageSettings) -> None:
        self._path = path
        self._variant = f"jpeg {settings.size} px quality {settings.quality}"
        self._limits = (
            f"{settings.max_bytes} bytes, {settings.max_pixels} pixels, "
            f"sides {settings.min_side} to {settings.max_side}, "
            f"respect_noai {settings.respect_noai}"
        )
        self._remember_seconds = settings.remember_days * 86_400
        self._lock = threading.Lock()
        with self._exclusive():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite.connect(path, _prepare)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._connection.close()

    def find_results(self, links: Sequence[str]) -> tuple[dict[str, FetchResult], list[str]]:
        """Look links up, without reading pictures into memory.

        Returns
        -------
        results : dict of FetchResult
            By link; links without a result are left out.
        damaged : list of str
            Links whose pictures are left out, too, because they have changed on the disk.
        """
        results, damaged = {}, []
        for link, status, reason, tries, intact in self._select(_SELECT_RESULTS, links):
            if intact:
                results[link] = FetchResult(status, reason, tries, None)
            else:
                damaged.append(link)
        return results, damaged

    def read_pictures(self, links: Sequence[str]) -> dict[str, Picture]:
        """Return the pictures of links whose status is ok."""
        rows = self._select(_SELECT_PICTURES, links)
        pictures = {link: Picture(width, height, data) for link, width, height, data in rows}
        if len(pictures) < len(links):
            missing = first_few(link for link in links if link not in pictures)
            raise ImageError(
                f"{self._path}: pictures disappeared during the run: {missing}; run again"
            )
        return pictures

    def put(self, link: str, result: FetchResult) -> None:
        """Store a result; when this returns, it is committed."""
        picture = result.picture or Picture(0, 0, b"")
        row = (
            self._variant,
            link,
            result.status,
            result.reason,
            result.tries,
            picture.width,
            picture.height,
            picture.data,
            self._limits,
            int(time.time()),
        )
        with self._exclusive(), self._connection:
            self._connection.execute(_PUT, row)
            if result.picture is not None:
                self._connection.execute(_PUT_HASH, (self._variant, link, _sha256(picture.data)))

    def _select(self, query: str, links: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        youngest = int(time.time()) - self._remember_seconds
        for start in range(0, len(links), _LINKS_PER_QUERY):
            batch = links[start : start + _LINKS_PER_QUERY]
            values = (self._variant, self._limits, youngest, *batch)
            marks = ",".join("?" * len(batch))
            with self._exclusive():
                rows = self._connection.execute(f"{query} ({marks})", values).fetchall()
            yield from rows

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        """Let one thread at a time use the connection, and translate its errors."""
        try:
            with self._lock:
                yield
        except (sqlite3.Error, OSError) as error:
            problem = (
                f"cannot be used as the image store: {error}; "
                "move it away, or set AMLC_STORE to another folder"
            )
            if sqlite.is_locked(error):
                problem = (
                    f"another run has kept the image store locked for {sqlite.BUSY_SECONDS:.0f} "
                    "seconds; run again when that run has ended: what was stored before is safe"
                )
            if "full" in str(error) or "No space" in str(error):
                problem = (
                    "no space left on the disk; what was stored before is safe: free space, or "
                    "set AMLC_STORE to a folder on another disk, and run again"
                )
            raise ImageError(f"{self._path}: {problem}") from None


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def _prepare(connection: sqlite3.Connection) -> None:
    connection.create_function("sha256", 1, _sha256, deterministic=True)
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > VERSION:
        raise sqlite3.DatabaseError(f"it has version {version}, this program knows {VERSION}")
    connection.execute(_CREATE)
    connection.execute(_CREATE_HASHES)
    if version == 1:
        connection.execute(_HASH_ALL)
    connection.execute(f"PRAGMA user_version = {VERSION}")
