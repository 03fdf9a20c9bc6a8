"""SQLite files that several runs read and write at the same time."""

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

# How long to wait while another run writes to a file.
BUSY_SECONDS = 120.0
_PAUSE = 0.02


def connect(path: Path, prepare: Callable[[sqlite3.Connection], None]) -> sqlite3.Connection:
    """Open a file, which is created if it is missing, and prepare its tables.

    Runs do not block each other for long, and a killed run loses no committed row.

    Parameters
    ----------
    path : Path
        The file, in a folder that exists.
    prepare : callable
        Creates the tables that are missing, in one transaction that it need neither begin nor
        commit.

    Returns
    -------
    Connection
        Any thread may use it, one at a time.

    Raises
    ------
    sqlite3.Error
        The file cannot be opened, or another run has kept it locked for `BUSY_SECONDS`.
    """
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            return _connect(path, prepare, max(0.0, deadline - time.monotonic()))
        except sqlite3.OperationalError as error:
            # SQLite itself does not wait where two runs turn on the log of a new file.
            if not is_locked(error) or time.monotonic() >= deadline:
                raise
        time.sleep(_PAUSE)


def is_locked(error: Exception) -> bool:
    """Return whether an error says that another process uses the file, which is no damage."""
    # The lower 8 bits say what happened, the others in which way.
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
    }


def _connect(
    path: Path, prepare: Callable[[sqlite3.Connection], None], seconds: float
) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=seconds, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            prepare(connection)
        connection.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000:.0f}")
    except BaseException:
        connection.close()
        raise
    return connection
