"""Results come in the order of the links, while later links are fetched ahead."""

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from amlc.images import download
from amlc.images.download import fetch_results
from amlc.images.mirror import Mirror
from tests.helpers.pictures import jpeg
from tests.helpers.site import Exchange, Site, page
from tests.images.conftest import BothSettings, MakeSettings

GOOD = page(jpeg())


def test_links_come_in_order_and_as_often_as_given(
    site: Site, settings: BothSettings, tmp_path: Path
) -> None:
    """A repeated link is fetched once, even in two batches; a malformed one has its reason."""
    site.other = GOOD
    good, gone, malformed = site.url("/a.jpg"), site.url("/gone"), "ftp://host/a.jpg"
    site.pages["/gone"] = page(b"", "404 Not Found")
    links = [
        gone,
        good,
        malformed,
        good,
        *(site.url(f"/{number}.jpg") for number in range(600)),
        good,
    ]
    rows = list(fetch_results(links, *settings, tmp_path / "store"))
    assert [link for link, _ in rows] == links
    assert [result.reason for _, result in rows[:4]] == ["http 404", "", "malformed link", ""]
    assert all(result.picture for link, result in rows if link not in {gone, malformed})
    assert site.hits["/a.jpg"] == 1


def test_a_slow_link_does_not_hold_up_the_network(
    site: Site, settings: BothSettings, tmp_path: Path
) -> None:
    """All later links are fetched before the first one answers."""
    others_done, held_up = threading.Event(), []

    def slow(exchange: Exchange) -> bool:
        held_up.append(not others_done.wait(50))
        return GOOD(exchange)

    def count(exchange: Exchange) -> bool:
        if sum(site.hits.values()) == 601:
            others_done.set()
        return GOOD(exchange)

    site.pages["/slow.jpg"], site.other = slow, count
    links = [site.url(path) for path in ("/slow.jpg", *(f"/{n}.jpg" for n in range(600)))]
    rows = list(fetch_results(links, *settings, tmp_path / "store"))
    assert held_up == [False]
    assert [link for link, _ in rows] == links


@pytest.mark.parametrize("limit", ["MAX_AHEAD", "MAX_PICTURES"])
def test_reading_ahead_is_bounded(
    limit: str, site: Site, make: MakeSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither endless links nor pictures of a mirror accumulate behind a slow link."""
    monkeypatch.setattr(download, limit, 500)
    read = [0]
    (tmp_path / "1.jpg").write_bytes(jpeg())
    (mirrored := tmp_path / "mirror").mkdir()

    def links() -> Iterator[str]:
        yield site.url("/slow.jpg")
        while True:
            read[0] += 1
            yield site.url(f"/{read[0]}.jpg")

    names = [site.url(f"/{number}.jpg") for number in range(3000)]
    if limit == "MAX_PICTURES":
        for number in range(3000):
            (mirrored / f"{number}.jpg").hardlink_to(tmp_path / "1.jpg")
    site.pages["/slow.jpg"], site.other = GOOD, GOOD
    settings = make()
    mirror = Mirror(str(mirrored), names)
    with closing(fetch_results(links(), *settings, tmp_path / "store", mirror)) as rows:
        assert next(rows)[0] == site.url("/slow.jpg")
        assert read[0] <= 1500


def test_closing_early_ends_every_thread(
    site: Site, settings: BothSettings, tmp_path: Path
) -> None:
    """A consumer that stops leaves neither workers nor an open store."""
    site.other = GOOD
    before = set(threading.enumerate())
    links = (site.url(f"/{number}.jpg") for number in range(1000))
    with closing(fetch_results(links, *settings, tmp_path / "store")) as rows:
        next(rows)
    prefixes = ("fetch", "store", "watchdog", "lookup")
    remaining = [thread.name for thread in set(threading.enumerate()) - before]
    assert [name for name in remaining if name.startswith(prefixes)] == []
