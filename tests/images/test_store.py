"""Pictures are kept for later runs, even if a run fails."""

import sqlite3
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from amlc import sqlite
from amlc.errors import ImageError
from amlc.images.fetch_result import FetchResult, Picture
from amlc.images.settings import ImageSettings
from amlc.images.store import Store, default_path
from tests.helpers.stores import create_unwritable_store

SETTINGS = ImageSettings(
    size=64, quality=90, max_bytes=1_000_000, max_pixels=1_000_000, max_side=65_535, min_side=8
)
OK = FetchResult.ok(Picture(4, 3, b"\xff\xd8picture"))
GONE = FetchResult.failed("http 404", 1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a store that does not exist yet."""
    return tmp_path / "cache" / "images.sqlite"


def _changed(**changes: object) -> ImageSettings:
    return SETTINGS.model_copy(update=changes)


def _put(path: Path, **results: FetchResult) -> None:
    with Store(path, SETTINGS) as store:
        for link, result in results.items():
            store.put(link, result)


def _read(path: Path, *links: str, settings: ImageSettings = SETTINGS) -> dict[str, FetchResult]:
    with Store(path, settings) as store:
        results, _ = store.find_results(links)
        pictures = store.read_pictures([link for link in results if results[link].status == "ok"])
    return results | {link: FetchResult.ok(picture) for link, picture in pictures.items()}


def test_a_later_run_finds_what_an_earlier_one_stored(path: Path) -> None:
    """Pictures and final failures come back unchanged; unknown links are left out."""
    _put(path, a=OK, b=GONE)
    assert _read(path, "a", "b", "c") == {"a": OK, "b": GONE}


def test_what_was_put_can_be_read_at_once(path: Path) -> None:
    """The same run reads its own pictures back to write its shards."""
    with Store(path, SETTINGS) as store:
        for number in range(1200):
            store.put(str(number), OK)
        assert len(store.read_pictures([str(number) for number in range(1200)])) == 1200


def test_pictures_of_earlier_releases_have_the_same_key(path: Path) -> None:
    """Whoever updates the program keeps the pictures; failures depend on all the limits."""
    _put(path, a=OK)
    with closing(sqlite3.connect(path)) as connection:
        (key,) = connection.execute("SELECT variant, link, limits FROM image").fetchall()
    limits = "1000000 bytes, 1000000 pixels, sides 8 to 65535, respect_noai True"
    assert key == ("jpeg 64 px quality 90", "a", limits)


def test_another_size_is_another_picture(path: Path) -> None:
    """The key is the link together with the size and quality of the picture."""
    _put(path, a=OK)
    assert _read(path, "a", settings=_changed(size=128)) == {}


def test_a_failure_is_valid_only_under_its_limits(path: Path) -> None:
    """With a higher limit of pixels a link is asked for again; a picture stays valid."""
    _put(path, a=OK, b=GONE)
    assert _read(path, "a", "b", settings=_changed(max_pixels=2_000_000)) == {"a": OK}


def test_an_old_failure_is_ignored(path: Path) -> None:
    """After remember_days a link may be tried again."""
    _put(path, a=OK, b=GONE)
    assert _read(path, "a", "b", settings=_changed(remember_days=0)) == {"a": OK}


def test_a_failure_never_replaces_a_picture(path: Path) -> None:
    """Where two runs disagree, the picture is kept, whichever run comes last."""
    _put(path, a=OK)
    _put(path, a=GONE)
    assert _read(path, "a") == {"a": OK}


def test_a_picture_replaces_a_failure(path: Path) -> None:
    """The latest result counts if it is a picture."""
    _put(path, a=GONE)
    _put(path, a=OK)
    assert _read(path, "a") == {"a": OK}


def test_several_runs_share_one_store(path: Path) -> None:
    """They write at the same time, and no result is lost."""

    def run(name: str) -> None:
        with Store(path, SETTINGS) as store:
            for number in range(300):
                store.put(f"{name}{number}", OK)

    threads = [threading.Thread(target=run, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(_read(path, *(f"{name}{n}" for name in "abc" for n in range(300)))) == 900


def test_a_full_disk_stops_the_run_and_keeps_what_was_stored(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names the cause; with more space, the next run continues."""
    _put(path, a=OK)
    connect = sqlite3.connect

    def small_disk(file: Path, **options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(file, **options)
        connection.execute("PRAGMA max_page_count = 40")
        return connection

    monkeypatch.setattr(sqlite3, "connect", small_disk)
    large = FetchResult.ok(Picture(4, 3, bytes(50_000)))
    with pytest.raises(ImageError, match="no space left on the disk"):
        _put(path, **{f"large{number}": large for number in range(10)})
    monkeypatch.undo()
    _put(path, b=large)
    assert _read(path, "a", "b") == {"a": OK, "b": large}


def test_a_row_that_cannot_be_written_is_an_error_each_time(path: Path) -> None:
    """No call waits forever, and what can be read is still read."""
    create_unwritable_store(path)
    with Store(path, SETTINGS) as store:
        for link in ("a", "b"):
            with pytest.raises(ImageError, match="cannot be used as the image store"):
                store.put(link, OK)
        assert store.find_results(["a", "b"]) == ({}, [])


def test_a_second_connection_is_never_needed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once the store is open, a lack of file handles does not keep it from being written."""
    opened: list[Path] = []
    connect = sqlite3.connect

    def only_once(*arguments: Any, **options: Any) -> sqlite3.Connection:
        if opened:
            raise sqlite3.OperationalError("unable to open database file")
        opened.append(path)
        connection: sqlite3.Connection = connect(*arguments, **options)
        return connection

    monkeypatch.setattr(sqlite3, "connect", only_once)
    with Store(path, SETTINGS) as store:
        store.put("a", OK)
        assert list(store.read_pictures(["a"])) == ["a"]


def test_many_threads_may_use_one_store(path: Path) -> None:
    """Workers write while the run reads, and no result is lost."""
    with Store(path, SETTINGS) as store, ThreadPoolExecutor(16) as pool:
        written = pool.map(lambda number: store.put(str(number), OK), range(400))
        found = [store.find_results([str(number) for number in range(400)]) for _ in range(20)]
        assert len(list(written)) == 400
        assert all(
            set(results.values()) <= {FetchResult("ok", "", 0, None)} for results, _ in found
        )
        assert not any(damaged for _, damaged in found)
        assert len(store.read_pictures([str(number) for number in range(400)])) == 400


def test_a_file_that_is_not_a_store_is_left_unchanged(path: Path) -> None:
    """The message names the file and says what to do."""
    path.parent.mkdir()
    path.write_bytes(b"not a database, but somebody's file" * 100)
    with pytest.raises(ImageError, match=r"images\.sqlite: cannot be used.*AMLC_STORE"):
        Store(path, SETTINGS)
    assert path.read_bytes().startswith(b"not a database")


def test_a_store_that_another_run_has_locked_is_not_to_be_moved(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message says that another run uses it, and to run again after that."""
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.0)
    _put(path, a=OK)
    with closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(ImageError, match=r"another run has .* locked .* run again when"):
            Store(path, SETTINGS)
    assert _read(path, "a") == {"a": OK}


def test_a_store_of_a_newer_version_is_refused(path: Path) -> None:
    """An older program does not write a format that it does not know."""
    _put(path, a=OK)
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(ImageError, match="version 99"):
        Store(path, SETTINGS)


def _rot(path: Path, link: str) -> None:
    """Change one byte of a stored picture in the file, as a bad disk does."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (data,) = connection.execute("SELECT bytes FROM image WHERE link = ?", [link]).fetchone()
    content = bytearray(path.read_bytes())
    content[content.index(data)] ^= 1
    path.write_bytes(content)


def test_a_picture_that_has_changed_on_the_disk_does_not_count(path: Path) -> None:
    """It is told apart from links without a result, and a new picture takes its place."""
    _put(path, a=OK, b=GONE, c=FetchResult.ok(Picture(4, 3, b"another")))
    _rot(path, "a")
    with Store(path, SETTINGS) as store:
        results, damaged = store.find_results(["a", "b", "c", "d"])
        assert (set(results), damaged) == ({"b", "c"}, ["a"])
        store.put("a", GONE)
        assert store.find_results(["a"]) == ({}, ["a"])
        store.put("a", OK)
    assert _read(path, "a", "b") == {"a": OK, "b": GONE}


def _make_version_1(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DROP TABLE picture_hash")
        connection.execute("PRAGMA user_version = 1")


def test_a_store_of_the_first_version_goes_on(path: Path) -> None:
    """No picture is fetched again, and those that it has are guarded from now on."""
    _put(path, a=OK, b=GONE)
    _make_version_1(path)
    assert _read(path, "a", "b") == {"a": OK, "b": GONE}
    _rot(path, "a")
    assert _read(path, "a", "b") == {"b": GONE}


def test_several_runs_may_find_a_store_of_the_first_version(path: Path) -> None:
    """One of them adds the hashes, the others wait for it."""
    _put(path, **{str(number): OK for number in range(99)})
    _make_version_1(path)
    names = [str(number) for number in range(99)]
    with ThreadPoolExecutor(4) as pool:
        assert [len(found) for found in pool.map(lambda _: _read(path, *names), range(8))] == [
            99
        ] * 8


def test_a_folder_that_cannot_be_created_is_reported(tmp_path: Path) -> None:
    """A file in the folder's place gives an error that names AMLC_STORE."""
    (tmp_path / "file").touch()
    with pytest.raises(ImageError, match="AMLC_STORE"):
        Store(tmp_path / "file" / "images.sqlite", SETTINGS)


def test_the_environment_names_the_folder_of_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AMLC_STORE names the folder; without it, the store is in the user's cache folder."""
    monkeypatch.setenv("AMLC_STORE", str(tmp_path))
    assert default_path() == tmp_path / "images.sqlite"
    monkeypatch.delenv("AMLC_STORE")
    assert default_path().parent.name == "amlc"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have other cache folders")
def test_on_linux_the_cache_folder_follows_xdg(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """XDG_CACHE_HOME names the cache folder; without it, it is ~/.cache."""
    monkeypatch.delenv("AMLC_STORE", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert default_path() == tmp_path / "cache" / "amlc" / "images.sqlite"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert default_path() == tmp_path / ".cache" / "amlc" / "images.sqlite"


def test_pictures_that_disappear_stop_the_run(path: Path) -> None:
    """A store that is emptied during the run gives an error, not a placeholder."""
    with Store(path, SETTINGS) as store, pytest.raises(ImageError, match=r"disappeared.*: a;"):
        store.read_pictures(["a"])
