"""What was fetched once is there for every later run, whatever happens to the runs."""

import sqlite3
import threading
from pathlib import Path

import pytest

from amlc.errors import ImageError
from amlc.images import store as module
from amlc.images.outcome import FetchResult, Picture
from amlc.images.store import Begun, Scope, Store, default_path

SCOPE = Scope("jpeg 64", "limits", 30)
OK = FetchResult.ok(Picture(4, 3, b"picture"))
GONE = FetchResult.failed("http 404", 1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where a store may be."""
    return tmp_path / "cache" / "images.sqlite"


def _put(path: Path, scope: Scope = SCOPE, **outcomes: FetchResult) -> None:
    with Store(path, scope) as store:
        for link, outcome in outcomes.items():
            store.put(link, outcome)


def _read(path: Path, *links: str, scope: Scope = SCOPE) -> dict[str, FetchResult]:
    with Store(path, scope) as store:
        known = store.known(links)
        pictures = store.pictures([link for link in known if known[link].status == "ok"])
    return known | {link: FetchResult.ok(picture) for link, picture in pictures.items()}


def test_a_later_run_finds_what_an_earlier_one_stored(path: Path) -> None:
    """Pictures and final failures come back as they were; unknown links do not."""
    _put(path, a=OK, b=GONE)
    assert _read(path, "a", "b", "c") == {"a": OK, "b": GONE}


def test_what_was_put_can_be_read_after_a_flush(path: Path) -> None:
    """The same run reads its own pictures back to write its shards."""
    with Store(path, SCOPE) as store:
        for number in range(1200):
            store.put(str(number), OK)
        store.flush()
        assert len(store.pictures([str(number) for number in range(1200)])) == 1200


def test_another_size_is_another_picture(path: Path) -> None:
    """The key is the link together with what was made of it."""
    _put(path, a=OK)
    assert _read(path, "a", scope=Scope("jpeg 128", "limits", 30)) == {}


def test_a_failure_counts_only_under_its_limits(path: Path) -> None:
    """Who allows more pixels asks again for what had too many; a picture stays a picture."""
    _put(path, a=OK, b=GONE)
    assert _read(path, "a", "b", scope=Scope("jpeg 64", "others", 30)) == {"a": OK}


def test_an_old_failure_is_forgotten(path: Path) -> None:
    """After remember_days a link is worth another try."""
    _put(path, a=OK, b=GONE)
    assert _read(path, "a", "b", scope=Scope("jpeg 64", "limits", 0)) == {"a": OK}


def test_a_failure_never_takes_a_pictures_place(path: Path) -> None:
    """Two runs may disagree; the picture wins, whoever comes last."""
    _put(path, a=OK)
    _put(path, a=GONE)
    assert _read(path, "a") == {"a": OK}


def test_a_picture_takes_a_failures_place(path: Path) -> None:
    """What works at last is kept."""
    _put(path, a=GONE)
    _put(path, a=OK)
    assert _read(path, "a") == {"a": OK}


def test_two_runs_share_one_store(path: Path) -> None:
    """Both write at once, and nothing of either is lost."""

    def run(name: str) -> None:
        with Store(path, SCOPE) as store:
            for number in range(300):
                store.put(f"{name}{number}", OK)

    threads = [threading.Thread(target=run, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(_read(path, *(f"{name}{n}" for name in "abc" for n in range(300)))) == 900


def test_a_full_disk_stops_the_run_and_keeps_what_is_there(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message says so; with space again, the next run goes on from what was stored."""
    _put(path, a=OK)
    connect = module._connect

    def small_disk(place: Path) -> sqlite3.Connection:
        connection = connect(place)
        connection.execute("PRAGMA max_page_count = 40")
        return connection

    monkeypatch.setattr(module, "_connect", small_disk)
    big = FetchResult.ok(Picture(4, 3, bytes(50_000)))
    with pytest.raises(ImageError, match="no space left on the disk"):
        _put(path, **{f"big{number}": big for number in range(10)})
    monkeypatch.undo()
    _put(path, b=big)
    assert _read(path, "a", "b") == {"a": OK, "b": big}


def test_after_an_error_nobody_waits_for_ever(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put and flush say what is wrong, from then on."""
    monkeypatch.setattr(module, "_PUT", "INSERT INTO nothing VALUES (?)")
    store = Store(path, SCOPE)
    store.put("a", OK)
    with pytest.raises(ImageError, match="cannot be used as the image store"):
        store.flush()
    with pytest.raises(ImageError):
        store.put("b", OK)
    with pytest.raises(ImageError), store:
        pass


def test_a_file_that_is_no_store_is_left_alone(path: Path) -> None:
    """The message names the file and says what to do; the file keeps its bytes."""
    path.parent.mkdir()
    path.write_bytes(b"not a database, but somebody's file" * 100)
    with pytest.raises(ImageError, match=r"images\.sqlite: cannot be used.*AMLC_STORE"):
        Store(path, SCOPE)
    assert path.read_bytes().startswith(b"not a database")


def test_a_store_of_a_newer_version_is_left_alone(path: Path) -> None:
    """An older program does not write what it does not know."""
    _put(path, a=OK)
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(ImageError, match="version 99"):
        Store(path, SCOPE)


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    """A file where the folder should be."""
    (tmp_path / "file").touch()
    with pytest.raises(ImageError, match="AMLC_STORE"):
        Store(tmp_path / "file" / "images.sqlite", SCOPE)


def test_the_store_lies_where_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AMLC_STORE names a folder; without it, the user's cache folder."""
    monkeypatch.setenv("AMLC_STORE", str(tmp_path))
    assert default_path() == tmp_path / "images.sqlite"
    monkeypatch.delenv("AMLC_STORE")
    assert default_path().parent.name == "amlc"


def test_pictures_that_vanish_stop_the_run(path: Path) -> None:
    """A store that somebody empties meanwhile gives an error, not a placeholder."""
    with Store(path, SCOPE) as store, pytest.raises(ImageError, match=r"vanished.*: a;"):
        store.pictures(["a"])


def _broken_off(path: Path, *links: str) -> None:
    """Begin with some links and be broken off."""
    begun = Begun(path)
    for link in links:
        begun.add(link)
    begun.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)


def test_a_run_that_was_broken_off_leaves_its_links(tmp_path: Path) -> None:
    """The next run knows which links were begun, and no others."""
    _broken_off(tmp_path / "begun", "https://a.com/1", "https://a.com/2")
    with Begun(tmp_path / "begun") as begun:
        assert "https://a.com/2" in begun
        assert "https://a.com/3" not in begun


def test_a_link_of_this_run_is_not_one_of_an_earlier_one(tmp_path: Path) -> None:
    """A run does not put off its own links."""
    with Begun(tmp_path / "begun") as begun:
        begun.add("https://a.com/1")
        assert "https://a.com/1" not in begun


def test_a_run_that_ends_leaves_nothing(tmp_path: Path) -> None:
    """The file does not grow from run to run."""
    _broken_off(tmp_path / "begun", "https://a.com/1")
    with Begun(tmp_path / "begun") as begun:
        begun.add("https://a.com/2")
    assert (tmp_path / "begun").read_bytes() == b""


def test_links_of_several_broken_runs_add_up(tmp_path: Path) -> None:
    """Kills may come in quick succession."""
    _broken_off(tmp_path / "begun", "https://a.com/1")
    _broken_off(tmp_path / "begun", "https://a.com/2")
    with Begun(tmp_path / "begun") as begun:
        assert "https://a.com/1" in begun
        assert "https://a.com/2" in begun


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A folder in the file's place gives a sentence, not a traceback."""
    (tmp_path / "begun").mkdir()
    with pytest.raises(ImageError, match=r"begun: cannot be written"):
        Begun(tmp_path / "begun")
