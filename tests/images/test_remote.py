"""Links that other processes fetch; here through copies of all that passes between them."""

from pathlib import Path

import pytest

from amlc.execution.backend import THREADS, Backend
from amlc.images import remote
from amlc.images.download import download
from amlc.images.remote import shared_out
from tests.helpers.pictures import jpeg
from tests.helpers.pieces import Copying
from tests.helpers.site import Site, page
from tests.images.conftest import BothSettings, MakeSettings


def shards(links: list[str], settings: BothSettings, folder: Path, backend: Backend) -> bytes:
    """Download into a folder, with the store beside it; return the content of its only shard."""
    folder.mkdir(parents=True)
    download(links, *settings, folder.parent / "store", folder, backend)
    (shard,) = folder.iterdir()
    return shard.read_bytes()


def test_the_shards_are_those_of_threads(
    site: Site, settings: BothSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pictures and failures alike; and what was fetched is in the store of this machine."""
    monkeypatch.setattr(remote, "PIECE_LINKS", 2)
    for number in range(5):
        site.pages[f"/{number}.jpg"] = page(jpeg(number))
    site.pages["/gone"] = page(b"", "404 Not Found")
    site.pages["/busy"] = page(b"", "503 Service Unavailable")
    links = [site.url(name) for name in (*(f"/{n}.jpg" for n in range(5)), "/gone", "/busy")]
    here = shards(links, settings, tmp_path / "threads/out", THREADS)
    there = shards(links, settings, tmp_path / "copies/out", Copying())
    assert there == here
    before = site.hits["/0.jpg"], site.hits["/gone"]
    assert shards(links, settings, tmp_path / "copies/again", Copying()) == here
    assert (site.hits["/0.jpg"], site.hits["/gone"]) == before


def test_hosts_that_were_given_up_are_named(
    site: Site, make: MakeSettings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As they are where this process fetches."""
    site.pages["/busy"] = page(b"", "503 Service Unavailable")
    hasty = make(give_up_after=1)
    shards([site.url("/busy")], hasty, tmp_path / "a/out", Copying())
    assert "http 503, repeatedly: not asked again" in capsys.readouterr().err


def test_workers_share_the_connections(make: MakeSettings) -> None:
    """A host gets no more of them from ten workers than from one; each has one at least."""
    share = shared_out(make(workers=60, per_host=6).fetching, 10)
    assert (share.workers, share.per_host) == (6, 1)
