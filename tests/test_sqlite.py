"""Several runs may open one SQLite file at the same moment."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from amlc import sqlite


def _create(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE IF NOT EXISTS number (value INTEGER)")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a file that does not exist yet."""
    return tmp_path / "numbers.sqlite"


@pytest.fixture
def other(path: Path) -> Iterator[sqlite3.Connection]:
    """Yield the connection of another run that has just begun to create the tables."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        _create(connection)
        yield connection


def test_a_file_that_another_run_creates_is_waited_for(
    path: Path, other: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite does not wait by itself while the log of a new file is turned on."""
    monkeypatch.setattr("time.sleep", lambda _: other.execute("COMMIT"))
    with closing(sqlite.connect(path, _create)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("SELECT count(*) FROM number").fetchone() == (0,)


@pytest.mark.usefixtures("other")
def test_the_wait_ends(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that stays locked is an error that is told apart from damage."""
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.0)
    with pytest.raises(sqlite3.OperationalError) as caught:
        sqlite.connect(path, _create)
    assert sqlite.is_locked(caught.value)


def test_damage_is_not_waited_for(path: Path) -> None:
    """A file that is not a database is an error at once."""
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(sqlite3.DatabaseError) as caught:
        sqlite.connect(path, _create)
    assert not sqlite.is_locked(caught.value)


def test_tables_are_created_together_or_not_at_all(path: Path) -> None:
    """What fails in the middle leaves no half of the tables, and no open connection."""

    def fail(connection: sqlite3.Connection) -> None:
        _create(connection)
        raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        sqlite.connect(path, fail)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
