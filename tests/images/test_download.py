"""Links become shards with the right picture or the right reason, from the nearest source."""

import gzip
import io
import socket
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trustme
from PIL import Image

from amlc.catalog.links import parse_link
from amlc.errors import ImageError
from amlc.images.download import download
from amlc.images.inspection import Inspected, inspect
from amlc.images.shards import ImageRow, check_links, read_rows
from tests.helpers.hostile_pictures import with_scans
from tests.helpers.pictures import encoded, jpeg, noise, png, png_bomb
from tests.helpers.site import Exchange, Page, Site, closed_port, page, tls
from tests.helpers.stores import create_unwritable_store
from tests.images.conftest import BothSettings, MakeSettings

Run = Callable[..., dict[str, ImageRow]]


@pytest.fixture
def run(tmp_path: Path, settings: BothSettings) -> Run:
    """Return a function that downloads links and returns the rows by link."""

    def rows(
        links: list[str], settings: BothSettings = settings, *, store: str = "store", out: str = ""
    ) -> dict[str, ImageRow]:
        folder = tmp_path / (out or f"out{len(list(tmp_path.iterdir()))}")
        folder.mkdir()
        download(links, *settings, tmp_path / store, folder)
        check_links(folder, list(set(links)))
        return {row.link: row for row in read_rows(folder)}

    return rows


def _bytes(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def _looks_like(row: ImageRow, image: Image.Image) -> bool:
    pixels = np.asarray(Image.open(io.BytesIO(row.data)), dtype=np.int64)
    expected = np.asarray(image.resize((row.width, row.height)), dtype=np.int64)
    return float(np.abs(pixels - expected).mean()) < 12


def _first(answer: Page, then: Page, times: int = 1) -> Page:
    def choose(exchange: Exchange) -> bool:
        return (answer if exchange.number <= times else then)(exchange)

    return choose


def _hangs(exchange: Exchange) -> bool:
    exchange.stall()
    return False


def _cut(exchange: Exchange) -> bool:
    exchange.send_raw(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + jpeg()[:100])
    return False


def _half_of_unknown_length(exchange: Exchange) -> bool:
    exchange.send_raw(b"HTTP/1.1 200 OK\r\n\r\n" + jpeg()[:700])
    return False


def _reset(exchange: Exchange) -> bool:
    exchange.reset()
    return False


GOOD = page(jpeg())
MIXED: dict[str, tuple[Page, str]] = {
    "/missing": (page(b"", "404 Not Found"), "http 404"),
    "/down": (page(b"", "503 Service Unavailable"), "http 503"),
    "/html": (page(b"<html>", Content_Type="image/jpeg"), "not an image"),
    "/empty": (page(b""), "empty body"),
    "/bomb": (page(png_bomb()), "too many pixels"),
    "/half": (page(jpeg()[:700]), "damaged image"),
    "/pixel": (page(encoded(noise(1, 1), "GIF")), "too small"),
    "/line": (page(png(10, 90_000, 0, b"")), "too many pixels"),
    "/scans": (
        page(with_scans(encoded(noise(64, 64), progressive=True), 2_000)),
        "too many parts",
    ),
    "/avif": (page(encoded(noise(64, 64), "AVIF")), "image format not accepted: AVIF"),
    "/half-of-unknown": (_half_of_unknown_length, "truncated body"),
    "/cut": (_cut, "truncated body"),
    "/reset": (_reset, "connection broken"),
    "/loop": (page(b"", "302 Found", Location="/loop"), "too many redirects"),
    "/inside": (page(b"", "302 Found", Location="http://10.0.0.1/"), "address not allowed"),
    "/gzip-bomb": (
        page(gzip.compress(bytes(9_000_000)), Content_Encoding="gzip"),
        "too many bytes",
    ),
}


def test_each_link_gets_its_picture_or_the_reason_of_its_failure(
    authority: trustme.CA, ca_bundle: str, run: Run, make: MakeSettings
) -> None:
    """Forty pictures and all kinds of failures, over TLS, give no wrong picture or reason."""
    images = {f"/{number}.jpg": noise(90, 60, number) for number in range(40)}
    pages = {path: page(encoded(image)) for path, image in images.items()}
    pages |= {path: answer for path, (answer, _) in MIXED.items()}
    settings = make(ca_bundle=ca_bundle, workers=20)
    with Site(pages, tls(authority, "127.0.0.1")) as site:
        rows = run([site.url(path) for path in pages], settings)
        for path, image in images.items():
            row = rows[site.url(path)]
            assert (row.status, row.reason, row.tries) == ("ok", "", 0)
            assert _looks_like(row, image)
        reasons = {path: rows[site.url(path)].reason for path in MIXED}
    assert reasons == {path: reason for path, (_, reason) in MIXED.items()}


def test_a_link_that_hangs_is_a_placeholder(site: Site, run: Run, make: MakeSettings) -> None:
    """The run does not wait for its picture."""
    site.pages["/hangs"] = _hangs
    row = run([site.url("/hangs")], make(read_seconds=0.1))[site.url("/hangs")]
    assert (row.status, row.reason, row.tries) == ("placeholder", "timeout", 1)


def test_a_picture_that_breaks_the_decoder_is_a_placeholder(
    site: Site, run: Run, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The run goes on, and the log names the link and the error."""

    class OddError(Exception):
        """An error that no decoder is known to raise."""

    def fails_for_gif(body: bytes) -> Inspected:
        if body.startswith(b"GIF"):
            raise OddError("odd")
        return inspect(body)

    monkeypatch.setattr("amlc.images.decode.inspect", fails_for_gif)
    site.pages |= {"/odd": page(encoded(noise(64, 64), "GIF")), "/good": GOOD}
    odd, good = site.url("/odd"), site.url("/good")
    rows = run([odd, good])
    assert (rows[odd].status, rows[odd].reason) == ("placeholder", "cannot be decoded")
    assert rows[good].status == "ok"
    assert caplog.messages == [f"{odd}: cannot be decoded: OddError: odd"]


def test_a_placeholder_is_grey_and_has_a_reason(site: Site, run: Run) -> None:
    """An empty link, a malformed one and a reserved name need no connection."""
    links = ["", "not a link", "https://images.invalid/1.jpg"]
    rows = run(links)
    assert [(rows[link].status, rows[link].reason) for link in links] == [
        ("placeholder", "no link"),
        ("placeholder", "malformed link"),
        ("placeholder", "host not found"),
    ]
    pixels = np.asarray(Image.open(io.BytesIO(rows[""].data)))
    assert pixels.shape == (64, 64, 3)
    assert (pixels == 128).all()
    assert site.connections == 0


def test_links_as_people_write_them_are_fetched(site: Site, run: Run) -> None:
    """Blanks, capitals, white space around; the row has the link as the catalogue has it."""
    site.pages |= dict.fromkeys(("/my%20pic.jpg", "/a.jpg", "/%C3%A9.jpg?q=1%202"), GOOD)
    links = [
        site.url("/my pic.jpg"),
        site.url("/a.jpg").replace("http", "HTTP"),
        f" \t{site.url('/a.jpg#top')}\r\n",
        site.url("/é.jpg?q=1 2"),
    ]
    rows = run(links)
    assert {link: rows[link].status for link in links} == dict.fromkeys(links, "ok")


def test_the_host_that_is_asked_is_the_one_of_idna_2008(
    site: Site, run: Run, make: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another domain, perhaps of somebody else, would be asked with ss for ß."""
    lookups: list[str] = []
    real = socket.getaddrinfo

    def look_up(host: str, *others: Any, **options: Any) -> Any:
        if host == "127.0.0.1":
            return real(host, *others, **options)
        lookups.append(host)
        return real("127.0.0.1", *others, **options)

    monkeypatch.setattr("socket.getaddrinfo", look_up)
    site.pages["/a.jpg"] = GOOD
    link = site.url("/a.jpg", host="straße.de")
    assert run([link], make(allow_private_hosts=["xn--strae-oqa.de"]))[link].status == "ok"
    assert lookups == ["xn--strae-oqa.de"]
    assert site.seen[0]["Host"] == f"xn--strae-oqa.de:{site.port}"


def test_a_fetched_picture_is_not_fetched_again(site: Site, run: Run, tmp_path: Path) -> None:
    """The second run makes no request, and writes the same bytes."""
    paths = [f"/{number}.jpg" for number in range(25)]
    site.pages |= {path: page(jpeg(number)) for number, path in enumerate(paths)}
    links = [site.url(path) for path in paths]
    run(links, out="first")
    run(links, out="second")
    assert all(site.hits[path] == 1 for path in paths)
    assert _bytes(tmp_path / "first") == _bytes(tmp_path / "second")
    assert len(_bytes(tmp_path / "first")) == 3


def test_a_picture_that_rotted_in_the_store_is_fetched_again(
    site: Site, run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The row has the good picture, and a message names the link; a third run makes no request."""
    site.pages["/a.jpg"] = GOOD
    link = site.url("/a.jpg")
    good = run([link])[link]
    with closing(sqlite3.connect(tmp_path / "store")) as connection, connection:
        connection.execute("UPDATE image SET bytes = substr(bytes, 1, 300) || x'00'")
    assert run([link])[link] == good
    assert f"1 pictures were damaged on the disk, and were looked for again: {link}" in (
        capsys.readouterr().err
    )
    assert run([link])[link] == good
    assert site.hits["/a.jpg"] == 2


def test_a_repeated_link_is_fetched_once(site: Site, run: Run) -> None:
    """All products that share a link have one row."""
    site.pages["/a.jpg"] = GOOD
    assert len(run([site.url("/a.jpg")] * 5)) == 1
    assert site.hits["/a.jpg"] == 1


def test_the_mirror_comes_before_the_network(
    site: Site, run: Run, make: MakeSettings, tmp_path: Path
) -> None:
    """A picture that the user has is not requested."""
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    image = noise(80, 80, 7)
    (mirror / "a.jpg").write_bytes(encoded(image))
    row = run([site.url("/a.jpg")], make(mirror=str(mirror)))[site.url("/a.jpg")]
    assert _looks_like(row, image)
    assert not site.hits


def test_the_mirror_is_used_for_a_remembered_failure(
    site: Site, run: Run, make: MakeSettings, tmp_path: Path
) -> None:
    """A picture in the mirror counts, although its link failed before."""
    link = site.url("/a.jpg")
    assert run([link])[link].reason == "http 404"
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / "a.jpg").write_bytes(jpeg())
    assert run([link], make(mirror=str(tmp_path / "mirror")))[link].status == "ok"


def test_an_unusable_file_in_the_mirror_is_reported_and_ignored(
    site: Site,
    run: Run,
    make: MakeSettings,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The picture comes from the network instead."""
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / "a.jpg").write_bytes(jpeg()[:500])
    site.pages["/a.jpg"] = GOOD
    link = site.url("/a.jpg")
    assert run([link], make(mirror=str(tmp_path / "mirror")))[link].status == "ok"
    assert "1 files cannot be used as pictures: a.jpg" in capsys.readouterr().err


def test_what_a_mirror_lacks_is_named_so_where_the_host_is_not_found(
    run: Run, make: MakeSettings, tmp_path: Path
) -> None:
    """Without a network, the remedy is a file in the folder; a bad file is not missing."""
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / "b.jpg").write_bytes(b"no picture")
    links = [f"https://images.invalid/{name}.jpg" for name in "ab"]
    rows = run(links, make(mirror=str(tmp_path / "mirror")))
    reasons = [rows[link].reason for link in links]
    assert reasons == ["not in images.mirror, host not found", "host not found"]


def test_other_failures_keep_their_reasons_beside_a_mirror(
    site: Site, run: Run, make: MakeSettings, tmp_path: Path
) -> None:
    """What the host says about a link counts, not that the folder lacks it."""
    (tmp_path / "mirror").mkdir()
    link = site.url("/a.jpg")
    assert run([link], make(mirror=str(tmp_path / "mirror")))[link].reason == "http 404"


def test_a_final_failure_is_asked_for_again_only_with_retry_failed(
    site: Site, run: Run, make: MakeSettings
) -> None:
    """A 404 is remembered; retry_failed asks again."""
    link = site.url("/gone.jpg")
    for _ in range(2):
        assert (run([link])[link].reason, run([link])[link].tries) == ("http 404", 1)
    assert site.hits["/gone.jpg"] == 1
    site.pages["/gone.jpg"] = GOOD
    assert run([link], make(retry_failed=True))[link].status == "ok"


def test_a_temporary_failure_is_tried_again_by_the_next_run(site: Site, run: Run) -> None:
    """A picture that is there later replaces the placeholder."""
    site.pages["/a.jpg"] = _first(page(b"", "503 Service Unavailable"), GOOD)
    link = site.url("/a.jpg")
    assert run([link])[link].reason == "http 503"
    assert run([link])[link].status == "ok"


@pytest.mark.parametrize(
    "answer",
    [
        page(b"", "500 Oops"),
        page(b"", "429 Too Many Requests", Retry_After="0"),
        page(b"", "503 Service Unavailable", Retry_After="Thu, 01 Jan 1970 00:00:00 GMT"),
        _reset,
        _cut,
    ],
)
def test_a_temporary_failure_is_tried_again_in_the_same_run(
    answer: Page, site: Site, run: Run, make: MakeSettings
) -> None:
    """After two failures the link has its picture, and the row does not count the tries."""
    site.pages["/a.jpg"] = _first(answer, GOOD, times=2)
    row = run([site.url("/a.jpg")], make(tries=3))[site.url("/a.jpg")]
    assert (row.status, row.tries) == ("ok", 0)
    assert site.hits["/a.jpg"] == 3


def test_a_link_has_a_limited_number_of_tries(site: Site, run: Run, make: MakeSettings) -> None:
    """A permanent 503 ends after `tries` tries; a 404 after one."""
    site.pages["/a.jpg"] = page(b"", "503 Service Unavailable")
    rows = run([site.url("/a.jpg"), site.url("/b.jpg")], make(tries=3))
    assert rows[site.url("/a.jpg")].tries == site.hits["/a.jpg"] == 3
    assert rows[site.url("/b.jpg")].tries == site.hits["/b.jpg"] == 1


def test_a_dead_host_is_given_up_and_all_its_links_have_the_same_result(
    run: Run, make: MakeSettings, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every link has the same reason and number of tries; one message names the host."""
    with closed_port() as port:
        links = [f"http://127.0.0.1:{port}/{number}.jpg" for number in range(500)]
        rows = run(links, make(tries=3, give_up_after=10, backoff_seconds=0.01))
    assert {(row.reason, row.tries) for row in rows.values()} == {("no connection", 3)}
    messages = capsys.readouterr().err.splitlines()
    assert [message for message in messages if "127.0.0.1" in message] == messages
    assert len(messages) == 1


def test_six_thousand_links_without_a_name_server_fail_quickly(
    run: Run, make: MakeSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name is looked up a few times, not six thousand times."""
    lookups: list[object] = []

    def look_up(*arguments: object, **_: object) -> None:
        lookups.append(arguments)
        raise OSError("no network")

    monkeypatch.setattr("socket.getaddrinfo", look_up)
    links = [f"https://cdn.com/{number}.jpg" for number in range(6000)]
    settings = make(workers=60, per_host=60, give_up_after=20, shard_links=1000)
    rows = run(links, settings)
    assert {(row.reason, row.tries) for row in rows.values()} == {("host not found", 1)}
    assert len(lookups) < 200
    images = settings.images.model_copy(update={"mirror": str(tmp_path)})
    rows = run(links, BothSettings(images, settings.fetching))
    reason = "not in images.mirror, host not found"
    assert {(row.reason, row.tries) for row in rows.values()} == {(reason, 1)}


@pytest.mark.parametrize(
    "small", [page(b"", "404 Not Found"), page(b"<html>"), page(jpeg()[:500]), _reset]
)
def test_without_a_good_thumbnail_the_original_is_used(
    small: Page, site: Site, run: Run, make: MakeSettings
) -> None:
    """If the thumbnail fails, the link itself is asked for in the same try."""
    site.pages |= {"/a._SL128_.jpg": small, "/a.jpg": GOOD}
    row = run([site.url("/a.jpg")], make(thumbnail=True))[site.url("/a.jpg")]
    assert row.status == "ok"
    assert site.hits["/a.jpg"] == site.hits["/a._SL128_.jpg"] == 1


def test_a_good_thumbnail_is_enough(site: Site, run: Run, make: MakeSettings) -> None:
    """The original is not requested; the row has the original link."""
    site.pages["/a._SL128_.jpg"] = GOOD
    row = run([site.url("/a.jpg")], make(thumbnail=True))[site.url("/a.jpg")]
    assert row.status == "ok"
    assert set(site.hits) == {"/a._SL128_.jpg"}


@pytest.mark.parametrize("override", [{"thumbnail": False}, {"thumbnail_hosts": ["cdn.com"]}])
def test_thumbnails_need_the_setting_and_a_listed_host(
    override: dict[str, object], site: Site, run: Run, make: MakeSettings
) -> None:
    """They are off by default, and used only at hosts that serve them."""
    site.pages["/a.jpg"] = GOOD
    run([site.url("/a.jpg")], make(**{"thumbnail": True, **override}))
    assert set(site.hits) == {"/a.jpg"}


def test_a_host_gets_no_more_connections_than_allowed(
    site: Site, run: Run, make: MakeSettings
) -> None:
    """The limit per host holds with many workers."""
    lock, current, peak = threading.Lock(), [0], [0]

    def count(exchange: Exchange) -> bool:
        with lock:
            current[0] += 1
            peak[0] = max(peak[0], current[0])
        exchange.ended.wait(0.01)
        with lock:
            current[0] -= 1
        return GOOD(exchange)

    site.other = count
    run([site.url(f"/{number}.jpg") for number in range(60)], make(per_host=3, workers=20))
    assert peak[0] <= 3
    assert site.connections <= 3


def test_a_store_that_fails_stops_the_run(
    site: Site, run: Run, make: MakeSettings, tmp_path: Path
) -> None:
    """The run ends with an error instead of placeholders, and does not wait forever."""
    create_unwritable_store(tmp_path / "store")
    site.other = GOOD
    with pytest.raises(ImageError, match="cannot be used as the image store"):
        run([site.url(f"/{number}.jpg") for number in range(100)], make())


def test_a_shard_that_cannot_be_written_stops_the_run(
    site: Site, tmp_path: Path, settings: BothSettings
) -> None:
    """The pictures are in the store, and the next run makes no request."""
    site.pages["/a.jpg"] = GOOD
    link = site.url("/a.jpg")
    with pytest.raises(ImageError, match="safe in the store"):
        download([link], *settings, tmp_path / "store", tmp_path / "missing")
    (tmp_path / "there").mkdir()
    download([link], *settings, tmp_path / "store", tmp_path / "there")
    assert site.hits["/a.jpg"] == 1


def test_every_thread_ends_with_the_run(site: Site, run: Run) -> None:
    """Neither workers nor the watchdog nor the writer are left."""
    site.other = GOOD
    before = set(threading.enumerate())
    run([site.url(f"/{number}.jpg") for number in range(20)])
    prefixes = ("fetch", "store", "watchdog", "lookup")
    remaining = [thread.name for thread in set(threading.enumerate()) - before]
    assert [name for name in remaining if name.startswith(prefixes)] == []
    assert len(remaining) <= 20


def test_the_same_links_in_any_order_give_the_same_shards(
    site: Site, run: Run, tmp_path: Path
) -> None:
    """Shards are sorted by link."""
    paths = [f"/{number}.jpg" for number in range(15)]
    site.pages |= {path: page(jpeg(number)) for number, path in enumerate(paths)}
    links = [site.url(path) for path in paths]
    run(links, out="forward", store="one")
    run(links[::-1], out="backward", store="two")
    assert _bytes(tmp_path / "forward") == _bytes(tmp_path / "backward")
    assert parse_link(links[0]).host == "127.0.0.1"
