"""What was fetched before: one SQLite file outside every repository, keyed by link and size."""

import hashlib
import os
import queue
import sqlite3
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from amlc.errors import ImageError, first_few
from amlc.images.outcome import FetchResult, Picture

VERSION = 1
COMMIT_ROWS = 500
BUSY_SECONDS = 120.0
_DAY = 86_400
_LINKS_A_QUERY = 500

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
# A failure never takes the place of a picture, whoever comes last.
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
_KNOWN = f"SELECT link, status, reason, tries FROM image {_WHERE}"  # noqa: S608 - all of it is constant
_READ = f"SELECT link, width, height, bytes FROM image {_WHERE}"  # noqa: S608 - all of it is constant


@dataclass(frozen=True, slots=True)
class Scope:
    """What part of the store a run reads and writes.

    Parameters
    ----------
    variant : str
        What the pictures were made to: size and quality. Part of the key.
    limits : str
        The limits under which a failure is final; a failure under others does not count.
    remember_days : int
        Older failures do not count.
    """

    variant: str
    limits: str
    remember_days: int


def default_path() -> Path:
    """Return where the store lies: in the folder `AMLC_STORE`, or in the user's cache folder."""
    named = os.environ.get("AMLC_STORE")
    return (Path(named) if named else _cache_folder()) / "images.sqlite"


class Store:
    """The store of one run.

    Parameters
    ----------
    path : Path
        The SQLite file; created where it is missing.
    scope : Scope
        What part of it counts.

    Raises
    ------
    ImageError
        The file cannot be opened, is no store, or is one of a newer version; later on, from any
        method: the disk is full or the file broken. What was stored before stays good.
    """

    def __init__(self, path: Path, scope: Scope) -> None:
        self._path = path
        self._scope = scope
        self._queue: queue.Queue[tuple[str, FetchResult] | threading.Event | None] = queue.Queue(
            256
        )
        self._error: ImageError | None = None
        with self._explained():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._reader = _connect(path)
            _prepare(self._reader)
        self._writer = threading.Thread(target=self._write_all, name="store", daemon=True)
        self._writer.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._queue.put(None)
        self._writer.join()
        self._reader.close()
        if kind is None:
            self._check()

    def known(self, links: Sequence[str]) -> dict[str, FetchResult]:
        """Return what is known of some links, without pictures: ok, or failed for good."""
        rows = self._rows(_KNOWN, links)
        return {
            link: FetchResult(status, reason, tries, None) for link, status, reason, tries in rows
        }

    def pictures(self, links: Sequence[str]) -> dict[str, Picture]:
        """Return the pictures of links that are ok."""
        rows = self._rows(_READ, links)
        found = {link: Picture(width, height, data) for link, width, height, data in rows}
        if len(found) < len(links):
            lost = first_few(link for link in links if link not in found)
            raise ImageError(f"{self._path}: pictures vanished during the run: {lost}; run again")
        return found

    def _rows(self, query: str, links: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        youngest = int(time.time()) - self._scope.remember_days * _DAY
        for start in range(0, len(links), _LINKS_A_QUERY):
            some = links[start : start + _LINKS_A_QUERY]
            values = (self._scope.variant, self._scope.limits, youngest, *some)
            with self._explained():
                yield from self._reader.execute(f"{query} ({_marks(len(some))})", values)

    def put(self, link: str, outcome: FetchResult) -> None:
        """Hand one outcome to the writer; from any thread."""
        self._check()
        self._queue.put((link, outcome))

    def flush(self) -> None:
        """Return when all that was put before is committed."""
        done = threading.Event()
        self._queue.put(done)
        done.wait()
        self._check()

    def _check(self) -> None:
        if self._error is not None:
            raise self._error

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise _explained(self._path, error) from None

    def _write_all(self) -> None:
        """Write what comes until the end of the queue; after an error, only empty it."""
        with closing(_connect(self._path)) as writer:
            last: threading.Event | bool = False
            while last is not True:
                rows, last = self._gathered()
                if self._error is None:
                    self._commit(writer, rows)
                if isinstance(last, threading.Event):
                    last.set()

    def _gathered(self) -> tuple[list[tuple[object, ...]], threading.Event | bool]:
        """Gather what is there, one row at least, and who waits for it or whether to end."""
        rows: list[tuple[object, ...]] = []
        item = self._queue.get()
        while isinstance(item, tuple):
            rows.append(self._row(*item))
            if len(rows) == COMMIT_ROWS or self._queue.empty():
                return rows, False
            item = self._queue.get()
        return rows, item if item is not None else True

    def _commit(self, writer: sqlite3.Connection, rows: list[tuple[object, ...]]) -> None:
        try:
            with writer:
                writer.executemany(_PUT, rows)
        except sqlite3.Error as error:
            self._error = _explained(self._path, error)

    def _row(self, link: str, outcome: FetchResult) -> tuple[object, ...]:
        picture = outcome.picture or Picture(0, 0, b"")
        return (
            self._scope.variant,
            link,
            outcome.status,
            outcome.reason,
            outcome.tries,
            picture.width,
            picture.height,
            picture.data,
            self._scope.limits,
            int(time.time()),
        )


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS)
    # Readers and the writer do not wait for each other; a kill loses nothing that is committed.
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection


def _prepare(connection: sqlite3.Connection) -> None:
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version not in {0, VERSION}:
            raise sqlite3.DatabaseError(f"it has version {version}, this program knows {VERSION}")
        connection.execute(_CREATE)
        connection.execute(f"PRAGMA user_version = {VERSION}")


def _marks(count: int) -> str:
    return ",".join("?" * count)


def _explained(path: Path, error: sqlite3.Error | OSError) -> ImageError:
    if "full" in str(error) or "No space" in str(error):
        return ImageError(
            f"{path}: no space left on the disk; what was stored before is safe: make space, or "
            "set AMLC_STORE to a folder on another disk, and run again"
        )
    return ImageError(
        f"{path}: cannot be used as the image store: {error}; "
        "move it away, or set AMLC_STORE to another folder"
    )


def _cache_folder() -> Path:
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "amlc"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home())) / "amlc"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "amlc"


_DIGEST_BYTES = 16


class Begun:
    """A file of links' digests, appended to; emptied by a run that comes to its end.

    Parameters
    ----------
    path : Path
        Created where it is missing.

    Raises
    ------
    ImageError
        The file cannot be read, or a link cannot be added to it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
            content = path.read_bytes()
        except OSError as error:
            raise self._explained(error) from None
        self._before = {
            content[start : start + _DIGEST_BYTES]
            for start in range(0, len(content), _DIGEST_BYTES)
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            os.ftruncate(self._file, 0)
        os.close(self._file)

    def __contains__(self, link: str) -> bool:
        """Return whether an earlier run that did not come to its end had begun with a link."""
        return _digest(link) in self._before

    def add(self, link: str) -> None:
        """Say that a link's first request is next; from any thread."""
        try:
            # In one piece, also beside other runs: the file was opened for appending.
            os.write(self._file, _digest(link))
        except OSError as error:
            raise self._explained(error) from None

    def _explained(self, error: OSError) -> ImageError:
        return ImageError(
            f"{self._path}: cannot be written: {error.strerror}; what was fetched before is safe: "
            "make space or give access, or set AMLC_STORE to another folder, and run again"
        )


def _digest(link: str) -> bytes:
    return hashlib.blake2b(link.encode(errors="surrogatepass"), digest_size=_DIGEST_BYTES).digest()
