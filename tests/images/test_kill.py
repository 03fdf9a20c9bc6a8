"""A run may be killed at any moment, and only requests in flight are repeated."""

import random
import sqlite3
import time
from contextlib import closing
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from tests.helpers.killed import kill, start
from tests.helpers.pictures import jpeg
from tests.helpers.site import Exchange, Page, Site, page
from tests.images.conftest import MakeSettings

LINKS, KILLS, WORKERS = 800, 8, 16
# Requests between two kills, and how many more are answered before the kill, however late it is; in
# all fewer than there are links, so that each kill meets a run.
FEWEST, MOST, MORE = 40, 80, 16


class Bounded:
    """Pages of a server that answers a number of requests, and holds those that come after it."""

    def __init__(self, site: Site, pages: dict[str, Page]) -> None:
        self._site, self._pages = site, pages
        self.most = 0
        site.other = self._answer

    @property
    def requests(self) -> int:
        """The requests so far."""
        return sum(self._site.hits.values())

    def _answer(self, exchange: Exchange) -> bool:
        if self.requests > self.most:
            exchange.stall()
            return False
        return self._pages[exchange.path](exchange)


def _wait(pages: Bounded, process: BaseProcess, requests: int) -> None:
    """Wait until the server has had this many further requests, or the run has ended."""
    until = pages.requests + requests
    pages.most = until + MORE
    while pages.requests < until and process.is_alive():
        time.sleep(0.001)


def _finish(process: BaseProcess) -> None:
    process.join(120)
    assert process.exitcode == 0


def _stored_hits(site: Site, store: Path) -> dict[str, int]:
    """Return the requests so far of each path whose picture is in the store."""
    if not store.exists():
        return {}
    with closing(sqlite3.connect(store)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE name = 'image'")
        links = connection.execute("SELECT link FROM image") if tables.fetchone() else []
        paths = {"/" + link.rpartition("/")[2] for (link,) in links}
    return {path: site.hits[path] for path in paths}


def _bytes(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.slow
def test_kills_change_nothing(site: Site, make: MakeSettings, tmp_path: Path) -> None:
    """The shards are those of an undisturbed run, and no stored picture is requested again."""
    rng = random.Random(20)
    bodies = [page(jpeg(seed, 40, 30)) for seed in range(50)]
    paths = [f"/{number:04d}.jpg" for number in range(LINKS)]
    pages = Bounded(site, {path: bodies[n % 50] for n, path in enumerate(paths)})
    links = [site.url(path) for path in paths]
    settings = make(workers=WORKERS, shard_links=100, size=32)
    stored: dict[str, int] = {}
    for number in range(KILLS):
        folder = tmp_path / f"killed{number}"
        folder.mkdir()
        process = start(links, settings, tmp_path / "store", folder)
        _wait(pages, process, rng.randint(FEWEST, MOST))
        kill(process)
        stored = _stored_hits(site, tmp_path / "store") | stored
    pages.most = 9 * LINKS
    (tmp_path / "last").mkdir()
    _finish(start(links, settings, tmp_path / "store", tmp_path / "last"))
    hits = {path: site.hits[path] for path in paths}
    assert stored
    assert {path: hits[path] for path in stored} == stored
    assert min(hits.values()) == 1
    assert max(hits.values()) <= 1 + KILLS
    assert sum(hits.values()) - LINKS <= KILLS * 3 * WORKERS
    (tmp_path / "undisturbed").mkdir()
    _finish(start(links, settings, tmp_path / "undisturbed-store", tmp_path / "undisturbed"))
    assert _bytes(tmp_path / "last") == _bytes(tmp_path / "undisturbed")
    with closing(sqlite3.connect(tmp_path / "store")) as store:
        assert store.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_two_runs_at_once_agree(site: Site, make: MakeSettings, tmp_path: Path) -> None:
    """Two processes over one store both finish, with the same shards."""
    site.other = page(jpeg())
    links = [site.url(f"/{number}.jpg") for number in range(300)]
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    settings = make(size=32, shard_links=50)
    runs = [start(links, settings, tmp_path / "store", tmp_path / n) for n in ("one", "two")]
    for process in runs:
        _finish(process)
    assert _bytes(tmp_path / "one") == _bytes(tmp_path / "two")
