"""The store of fetched pictures: one SQLite file for all repositories, by size and link."""

import os
import queue
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import platformdirs

from amlc.errors import ImageError, first_few
from amlc.images.fetch_result import FetchResult, Picture
from amlc.images.settings import ImageSettings

# Version of the table below; a file of another version is refused.
VERSION = 1
# Results in one transaction, at most.
COMMIT_ROWS = 500
# How long to wait while another run writes to the file.
BUSY_SECONDS = 120.0
_QUEUE_SIZE = 256
_DAY = 86_400
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
_SELECT_RESULTS = f"SELECT link, status, reason, tries FROM image {_WHERE}"  # noqa: S608 - constant text
_SELECT_PICTURES = f"SELECT link, width, height, bytes FROM image {_WHERE}"  # noqa: S608 - constant text


@dataclass(frozen=True, slots=True)
class StorePolicy:
    """Which entries of the store are valid in a run.

    Parameters
    ----------
    variant : str
        Size and quality of the pictures; part of the key.
    limits : str
        The limits of the run; failures under other limits are ignored.
    remember_days : int
        Older failures are ignored.
    """

    variant: str
    limits: str
    remember_days: int

    @classmethod
    def of(cls, settings: ImageSettings) -> Self:
        """Return the policy that follows from settings."""
        return cls(
            variant=f"jpeg {settings.size} px quality {settings.quality}",
            limits=f"{settings.max_bytes} bytes, {settings.max_pixels} pixels, "
            f"sides {settings.min_side} to {settings.max_side}, "
            f"respect_noai {settings.respect_noai}",
            remember_days=settings.remember_days,
        )


def default_path() -> Path:
    """Return the store's path: in the folder that `AMLC_STORE` names, else in the user's cache."""
    folder = os.environ.get("AMLC_STORE")
    if not folder:
        # With `opinion`, there would be a further folder "Cache" on Windows.
        folder = platformdirs.user_cache_dir("amlc", appauthor=False, opinion=False)
    return Path(folder) / "images.sqlite"


class Store:
    """The store, opened for one run.

    Parameters
    ----------
    path : Path
        The SQLite file; it is created if it is missing.
    policy : StorePolicy
        Which entries are valid.

    Raises
    ------
    ImageError
        The file cannot be opened, is not a store or has another version. Every method raises it
        once the disk is full or the file is damaged; what was stored before stays valid.
    """

    def __init__(self, path: Path, policy: StorePolicy) -> None:
        self._path = path
        self._policy = policy
        # Results to write, events of threads that wait for them, and None as the end.
        self._queue: queue.Queue[tuple[str, FetchResult] | threading.Event | None] = queue.Queue(
            _QUEUE_SIZE
        )
        self._error: ImageError | None = None
        with self._translated_errors():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._reader = _connect(path)
            _prepare(self._reader)
        self._writer = threading.Thread(target=self._write_all, name="store", daemon=True)
        self._writer.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._queue.put(None)
        self._writer.join()
        self._reader.close()
        if kind is None:
            self._check()

    def find_results(self, links: Sequence[str]) -> dict[str, FetchResult]:
        """Return the stored results of links, without pictures; links without one are left out."""
        rows = self._select(_SELECT_RESULTS, links)
        return {
            link: FetchResult(status, reason, tries, None) for link, status, reason, tries in rows
        }

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

    def _select(self, query: str, links: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        youngest = int(time.time()) - self._policy.remember_days * _DAY
        for start in range(0, len(links), _LINKS_PER_QUERY):
            batch = links[start : start + _LINKS_PER_QUERY]
            values = (self._policy.variant, self._policy.limits, youngest, *batch)
            with self._translated_errors():
                yield from self._reader.execute(f"{query} ({_placeholders(len(batch))})", values)

    def put(self, link: str, result: FetchResult) -> None:
        """Pass a result to the thread that writes; any thread may call it."""
        self._check()
        self._queue.put((link, result))

    def flush(self) -> None:
        """Wait until everything that was put before is committed."""
        done = threading.Event()
        self._queue.put(done)
        done.wait()
        self._check()

    def _check(self) -> None:
        if self._error is not None:
            raise self._error

    @contextmanager
    def _translated_errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise _image_error(self._path, error) from None

    def _write_all(self) -> None:
        """Write the results in the queue until it ends; after an error, only empty the queue."""
        with closing(_connect(self._path)) as writer:
            last: threading.Event | bool = False
            while last is not True:
                rows, last = self._next_batch()
                if self._error is None:
                    self._commit(writer, rows)
                if isinstance(last, threading.Event):
                    last.set()

    def _next_batch(self) -> tuple[list[tuple[object, ...]], threading.Event | bool]:
        """Return rows from the queue, and an event that waits for them, or True at the end."""
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
            self._error = _image_error(self._path, error)

    def _row(self, link: str, result: FetchResult) -> tuple[object, ...]:
        picture = result.picture or Picture(0, 0, b"")
        return (
            self._policy.variant,
            link,
            result.status,
            result.reason,
            result.tries,
            picture.width,
            picture.height,
            picture.data,
            self._policy.limits,
            int(time.time()),
        )


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS)
    # Readers and the writer do not block each other, and a killed run loses no committed row.
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


def _placeholders(count: int) -> str:
    return ",".join("?" * count)


def _image_error(path: Path, error: sqlite3.Error | OSError) -> ImageError:
    if "full" in str(error) or "No space" in str(error):
        return ImageError(
            f"{path}: no space left on the disk; what was stored before is safe: free space, or "
            "set AMLC_STORE to a folder on another disk, and run again"
        )
    return ImageError(
        f"{path}: cannot be used as the image store: {error}; "
        "move it away, or set AMLC_STORE to another folder"
    )
