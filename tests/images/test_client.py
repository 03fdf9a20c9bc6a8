"""A try to fetch a link ends with the right reason for each failure, and never hangs."""

import gzip
import logging
import socket
import zlib
from collections.abc import Iterator

import pytest
import trustme

from amlc.catalog.links import parse_link
from amlc.images.fetch_result import FetchError, Retry
from tests.helpers.pictures import jpeg
from tests.helpers.site import Exchange, Page, Site, page, tls
from tests.images.conftest import BothSettings, Fetch, MakeSettings

GOOD = jpeg()
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"


@pytest.fixture
def sites(authority: trustme.CA) -> Iterator[dict[str, Site]]:
    """Return a running server for each scheme."""
    with Site() as plain, Site(context=tls(authority, "127.0.0.1")) as secure:
        yield {"http": plain, "https": secure}


@pytest.fixture
def short_deadline(make: MakeSettings, ca_bundle: str) -> BothSettings:
    """Return settings with a short deadline that trust the tests' authority."""
    return make(deadline_seconds=0.4, ca_bundle=ca_bundle)


def _raw(data: bytes, *, stay: bool = False) -> Page:
    def answer(exchange: Exchange) -> bool:
        exchange.send_raw(data)
        return stay

    return answer


def _stalls(data: bytes) -> Page:
    def answer(exchange: Exchange) -> bool:
        if data:
            exchange.send_raw(data)
        exchange.stall()
        return False

    return answer


def _trickles(before: bytes, data: bytes) -> Page:
    def answer(exchange: Exchange) -> bool:
        exchange.send_raw(before)
        exchange.trickle(data, 0.05)
        return False

    return answer


def _resets(data: bytes) -> Page:
    def answer(exchange: Exchange) -> bool:
        exchange.send_raw(data)
        exchange.reset()
        return False

    return answer


def _endless(exchange: Exchange) -> bool:
    exchange.send_raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        exchange.send_raw(b"10000\r\n" + bytes(65_536) + b"\r\n")


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        page(GOOD),
        page(GOOD, Content_Type="text/html"),
        _raw(b"HTTP/1.1 200 OK\r\n\r\n" + GOOD),
        _raw(CHUNKED % (len(GOOD), GOOD)),
        page(gzip.compress(GOOD), Content_Encoding="gzip"),
        page(zlib.compress(GOOD), Content_Encoding="deflate"),
        _raw(b"HTTP/1.1 100 Continue\r\n\r\n" + HEAD % len(GOOD) + GOOD),
        _raw(b"HTTP/1.0 200 OK\r\n\r\n" + GOOD),
        page(GOOD, Content_Encoding="UTF-8"),
        page(GOOD, Content_Encoding="aws-chunked"),
        page(gzip.compress(GOOD[:99]) + gzip.compress(GOOD[99:]), Content_Encoding="gzip"),
        page(zlib.compress(GOOD, wbits=-zlib.MAX_WBITS), Content_Encoding="deflate"),
        page(GOOD, "201 Created"),
        page(GOOD, "203 Non-Authoritative Information"),
        page(GOOD, "206 Partial Content", Content_Range=f"bytes 0-{len(GOOD) - 1}/{len(GOOD)}"),
        _raw(
            b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-%d/%d\r\n\r\n"
            % (len(GOOD) - 1, len(GOOD))
            + GOOD
        ),
    ],
)
def test_a_good_answer_in_any_framing_is_accepted(
    answer: Page, site: Site, fetch: Fetch, settings: BothSettings
) -> None:
    """A body may have a length, chunks or the connection's end, and be compressed or not."""
    site.pages["/a.jpg"] = answer
    assert fetch(site.url("/a.jpg"), settings) == GOOD


FAILURES: dict[str, tuple[Page, str, Retry]] = {
    "not found": (page(b"no", "404 Not Found"), "http 404", Retry.AFTER_EXPIRY),
    "gone": (page(b"", "410 Gone"), "http 410", Retry.AFTER_EXPIRY),
    "forbidden": (page(b"", "403 Forbidden"), "http 403", Retry.NEXT_RUN),
    "no content": (_raw(b"HTTP/1.1 204 No Content\r\n\r\n"), "http 204", Retry.NEXT_RUN),
    "partial": (page(GOOD, "206 Partial Content"), "http 206", Retry.NEXT_RUN),
    "a part": (
        page(GOOD, "206 Partial Content", Content_Range=f"bytes 0-{len(GOOD) - 1}/{len(GOOD) + 9}"),
        "http 206",
        Retry.NEXT_RUN,
    ),
    "less than its range": (
        page(GOOD, "206 Partial Content", Content_Range=f"bytes 0-{len(GOOD) + 8}/{len(GOOD) + 9}"),
        "truncated body",
        Retry.NOW,
    ),
    "accepted": (page(GOOD, "202 Accepted"), "http 202", Retry.NEXT_RUN),
    "busy": (page(b"", "503 Service Unavailable"), "http 503", Retry.NOW),
    "limited": (page(b"", "429 Too Many Requests", Retry_After="2"), "http 429", Retry.NOW),
    "limited for long": (page(b"", "429 Slow", Retry_After="9999"), "http 429", Retry.NEXT_RUN),
    "to metadata": (
        page(b"", "302 Found", Location="http://169.254.169.254/latest/meta-data/"),
        "address not allowed",
        Retry.NEXT_RUN,
    ),
    "to mapped loopback": (
        page(b"", "302 Found", Location="http://[::ffff:127.0.0.1]/"),
        "address not allowed",
        Retry.NEXT_RUN,
    ),
    "to a file": (
        page(b"", "302 Found", Location="file:///etc/hostname"),
        "redirect not allowed",
        Retry.AFTER_EXPIRY,
    ),
    "to another protocol": (
        page(b"", "302 Found", Location="gopher://a.com/"),
        "redirect not allowed",
        Retry.AFTER_EXPIRY,
    ),
    "to a user": (
        page(b"", "302 Found", Location="//u@b.com/"),
        "redirect not allowed",
        Retry.AFTER_EXPIRY,
    ),
    "to half an address": (
        page(b"", "302 Found", Location="http://[::1/"),
        "redirect not allowed",
        Retry.AFTER_EXPIRY,
    ),
    "to itself": (page(b"", "302 Found", Location=""), "too many redirects", Retry.AFTER_EXPIRY),
    "to nowhere": (page(b"", "302 Found"), "http 302", Retry.NEXT_RUN),
    "in circles": (page(b"", "302 Found", Location="/x"), "too many redirects", Retry.AFTER_EXPIRY),
    "too short": (_raw(HEAD % len(GOOD) + GOOD[:-9]), "truncated body", Retry.NOW),
    "length too big": (_raw(HEAD % (len(GOOD) + 9) + GOOD), "truncated body", Retry.NOW),
    "chunk cut off": (
        _raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\nabc"),
        "truncated body",
        Retry.NOW,
    ),
    "chunk of nonsense": (
        _raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\nabc"),
        "truncated body",
        Retry.NOW,
    ),
    "declared too big": (
        page(b"x", Content_Length="99999999"),
        "too many bytes",
        Retry.AFTER_EXPIRY,
    ),
    "really too big": (_raw(b"HTTP/1.1 200 OK\r\n\r\n" + bytes(3_000_000)), "too many bytes",
                       Retry.AFTER_EXPIRY),
    "chunks without end": (_endless, "too many bytes", Retry.AFTER_EXPIRY),
    "gzip bomb": (
        page(gzip.compress(bytes(30_000_000)), Content_Encoding="gzip"),
        "too many bytes",
        Retry.AFTER_EXPIRY,
    ),
    "gzip cut off": (
        page(gzip.compress(GOOD)[:-20], Content_Encoding="gzip"),
        "truncated body",
        Retry.NOW,
    ),
    "not really gzip": (
        page(GOOD, Content_Encoding="gzip"),
        "bad content encoding",
        Retry.AFTER_EXPIRY,
    ),
    "brotli": (page(GOOD, Content_Encoding="br"), "bad content encoding", Retry.AFTER_EXPIRY),
    "empty": (page(b""), "empty body", Retry.AFTER_EXPIRY),
    "reset at once": (_resets(b""), "connection broken", Retry.NOW),
    "reset in the body": (_resets(HEAD % len(GOOD) + GOOD[:99]), "connection broken", Retry.NOW),
    "hung up": (_raw(b""), "connection broken", Retry.NOW),
    "not http": (_raw(b"220 mail.example ESMTP\r\n"), "answer is not HTTP", Retry.NOW),
    "headers without end": (
        _raw(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 5000 + b"\r\n"),
        "answer is not HTTP",
        Retry.NOW,
    ),
    "opted out": (page(GOOD, X_Robots_Tag="noai"), "opted out by X-Robots-Tag", Retry.AFTER_EXPIRY),
}  # fmt: skip


@pytest.mark.parametrize("name", FAILURES)
def test_each_failure_has_its_reason(
    name: str, site: Site, fetch: Fetch, settings: BothSettings
) -> None:
    """The reason is right, and so is the time when the link may be retried."""
    answer, reason, retry = FAILURES[name]
    site.pages["/x"] = answer
    with pytest.raises(FetchError) as caught:
        fetch(site.url("/x"), settings)
    assert (caught.value.reason, caught.value.retry) == (reason, retry)


@pytest.mark.parametrize(
    "answer",
    [
        _stalls(b""),
        _stalls(b"HTTP/1.1 200 OK\r\nContent-"),
        _stalls(HEAD % 5000 + GOOD[:50]),
        _trickles(b"", b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 90),
        _trickles(HEAD % 5000, bytes(5000)),
        _trickles(b"HTTP/1.1 200 OK\r\n\r\n", bytes(5000)),
    ],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_server_that_stalls_or_trickles_meets_the_deadline(
    answer: Page, scheme: str, sites: dict[str, Site], fetch: Fetch, short_deadline: BothSettings
) -> None:
    """There is a timeout before the headers, in them and in the body, even while bytes arrive."""
    sites[scheme].pages["/x"] = answer
    with pytest.raises(FetchError, match="timeout"):
        fetch(sites[scheme].url("/x"), short_deadline)


def test_a_silent_socket_meets_the_read_timeout(
    site: Site, fetch: Fetch, make: MakeSettings
) -> None:
    """A server that sends nothing is given up before the deadline."""
    site.pages["/x"] = _stalls(b"")
    with pytest.raises(FetchError, match="timeout"):
        fetch(site.url("/x"), make(read_seconds=0.1))


def test_a_handshake_that_stalls_meets_the_deadline(fetch: Fetch, make: MakeSettings) -> None:
    """A server that never answers the client hello gives a timeout."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}/x"
        with pytest.raises(FetchError, match="timeout"):
            fetch(url, make(deadline_seconds=0.3))


def test_redirects_are_followed(site: Site, fetch: Fetch, settings: BothSettings) -> None:
    """A chain of five redirects leads to the picture; they may be relative to the last link."""
    for step in range(4):
        site.pages[f"/{step}"] = page(b"moved", "302 Found", Location=f"/{step + 1}")
    site.pages["/4"] = page(b"moved", "302 Found", Location="folder/../5")
    site.pages["/5"] = page(GOOD)
    assert fetch(site.url("/0"), settings) == GOOD


@pytest.mark.parametrize(
    ("location", "path"),
    [
        ("/my é Å à.jpg", "/my%20%C3%A9%20%C3%85%20%C3%A0.jpg"),
        ("/a%20b.jpg  ", "/a%20b.jpg"),
        ("HTTP://127.0.0.1:{port}/À", "/%C3%80"),
        ("/日本.jpg?q=ü x", "/%E6%97%A5%E6%9C%AC.jpg?q=%C3%BC%20x"),
    ],
)
def test_a_location_in_plain_text_is_followed(
    location: str, path: str, site: Site, fetch: Fetch, settings: BothSettings
) -> None:
    """Servers write UTF-8 and blanks where they should be percent-encoded."""
    location = location.format(port=site.port)
    site.pages["/x"] = page(b"", "302 Found", Location=location)
    site.pages[path] = page(GOOD)
    assert fetch(site.url("/x"), settings) == GOOD


def test_a_location_in_another_charset_goes_back_as_it_came(
    site: Site, fetch: Fetch, settings: BothSettings
) -> None:
    """The bytes of ISO 8859-1 are percent-encoded one by one."""
    site.pages["/x"] = _raw(
        b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: /\xe9 \xe4.jpg\r\n\r\n", stay=True
    )
    site.pages["/%E9%20%E4.jpg"] = page(GOOD)
    assert fetch(site.url("/x"), settings) == GOOD


def _needs_cookie(exchange: Exchange) -> bool:
    if exchange.headers["Cookie"] == "consent=yes":
        exchange.send(GOOD)
    else:
        exchange.send(b"", "302 Found", Location="/x", Set_Cookie="consent=yes; Path=/; HttpOnly")
    return True


def test_a_cookie_is_kept_along_a_chain_of_redirects(
    site: Site, fetch: Fetch, settings: BothSettings
) -> None:
    """A host that asks for its cookie gets it; the next chain starts without one."""
    site.pages["/x"] = _needs_cookie
    for _ in range(2):
        assert fetch(site.url("/x"), settings) == GOOD
    assert [seen["Cookie"] for seen in site.seen] == [None, "consent=yes"] * 2


def test_a_cookie_goes_to_no_other_host(fetch: Fetch, make: MakeSettings) -> None:
    """A host that is redirected to gets no cookie of the host that redirects."""
    with Site() as site:
        location = site.url("/y", host="localhost")
        site.pages["/x"] = page(b"", "302 Found", Location=location, Set_Cookie="a=1")
        site.pages["/y"] = page(GOOD)
        settings = make(allow_private_hosts=["127.0.0.1", "localhost"])
        assert fetch(site.url("/x"), settings) == GOOD
        assert site.seen[1]["Cookie"] is None


def test_a_sixth_redirect_is_not_followed(site: Site, fetch: Fetch, settings: BothSettings) -> None:
    """The chain ends after five, and its next link is not asked for."""
    for step in range(6):
        site.pages[f"/{step}"] = page(b"", "302 Found", Location=f"/{step + 1}")
    with pytest.raises(FetchError, match="too many redirects"):
        fetch(site.url("/0"), settings)
    assert "/6" not in site.hits


def test_a_redirect_to_another_private_host_is_refused(
    fetch: Fetch, settings: BothSettings
) -> None:
    """An allowed private host cannot redirect to another one, which gets no connection."""
    with Site() as first, Site() as second:
        first.pages["/x"] = page(b"", "302 Found", Location=second.url("/y", host="127.0.0.2"))
        with pytest.raises(FetchError, match="address not allowed"):
            fetch(first.url("/x"), settings)
        assert second.connections == 0


def test_a_redirect_to_a_host_that_is_not_allowed_is_refused(
    site: Site, fetch: Fetch, make: MakeSettings
) -> None:
    """With one allowed host, no other host is asked."""
    site.pages["/x"] = page(b"", "302 Found", Location="https://other.com/y")
    with pytest.raises(FetchError, match="host not in allow_hosts"):
        fetch(site.url("/x"), make(allow_hosts=["cdn.com"]))


def test_loopback_is_refused_by_default(site: Site, fetch: Fetch, make: MakeSettings) -> None:
    """Without the setting for private hosts no connection is opened."""
    with pytest.raises(FetchError, match="address not allowed"):
        fetch(site.url("/x"), make(allow_private_hosts=[]))
    assert site.connections == 0


def test_an_unknown_certificate_is_refused(
    authority: trustme.CA, fetch: Fetch, settings: BothSettings
) -> None:
    """A server without a trusted certificate gets no request."""
    with Site({"/x": page(GOOD)}, tls(authority, "127.0.0.1")) as site:
        with pytest.raises(FetchError, match="TLS failure"):
            fetch(site.url("/x"), settings)
        assert not site.hits


def test_a_certificate_for_another_name_is_refused(
    authority: trustme.CA, ca_bundle: str, fetch: Fetch, make: MakeSettings
) -> None:
    """A trusted certificate has to be for this host."""
    with (
        Site({"/x": page(GOOD)}, tls(authority, "other.com")) as site,
        pytest.raises(FetchError, match="TLS failure"),
    ):
        fetch(site.url("/x"), make(ca_bundle=ca_bundle))


def test_a_server_without_tls_is_an_error(site: Site, fetch: Fetch, settings: BothSettings) -> None:
    """An https link to a plain server is a TLS failure."""
    with pytest.raises(FetchError, match=r"TLS failure|connection broken"):
        fetch(site.url("/x").replace("http:", "https:"), settings)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_connections_are_kept(
    scheme: str, sites: dict[str, Site], make: MakeSettings, ca_bundle: str
) -> None:
    """Good answers, redirects and errors in turn share one connection."""
    site = sites[scheme]
    site.pages["/good"] = page(GOOD)
    site.pages["/moved"] = page(b"moved", "302 Found", Location="/good")
    site.pages["/gone"] = page(b"gone", "404 Not Found")
    client = make(ca_bundle=ca_bundle).client()
    for path in ("/good", "/moved", "/good"):
        assert client.fetch(parse_link(site.url(path))).data == GOOD
        with pytest.raises(FetchError):
            client.fetch(parse_link(site.url("/gone")))
    client.close()
    assert site.connections == 1


def test_bytes_beyond_the_declared_length_never_reach_the_next_answer(
    site: Site, settings: BothSettings
) -> None:
    """A server cannot answer a request that has not been made yet."""
    planted = jpeg(1)
    site.pages["/trap"] = _raw(HEAD % len(GOOD) + GOOD + HEAD % len(planted) + planted, stay=True)
    site.pages["/next"] = page(GOOD)
    client = settings.client()
    client.fetch(parse_link(site.url("/trap")))
    assert client.fetch(parse_link(site.url("/next"))).data == GOOD
    client.close()


def test_a_client_changes_nothing_in_the_process(settings: BothSettings) -> None:
    """What urllib3 logs is for the program to decide."""
    logger = logging.getLogger("urllib3")
    logger.setLevel(logging.NOTSET)
    settings.client().close()
    assert logger.level == logging.NOTSET


def test_the_request_names_the_program(site: Site, fetch: Fetch, settings: BothSettings) -> None:
    """The User-Agent has the program's name, and no compression is requested."""
    site.pages["/a"] = page(GOOD)
    fetch(site.url("/a"), settings)
    assert site.seen[0]["User-Agent"].startswith("amlc/")
    assert site.seen[0]["Accept-Encoding"] == "identity"


def test_an_opt_out_may_be_ignored(site: Site, fetch: Fetch, make: MakeSettings) -> None:
    """With respect_noai false, X-Robots-Tag has no effect."""
    site.pages["/a"] = page(GOOD, X_Robots_Tag="noai")
    assert fetch(site.url("/a"), make(respect_noai=False)) == GOOD
