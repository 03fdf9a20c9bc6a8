"""Links are parsed strictly, and never become paths."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amlc.images.fetch_result import FetchError
from amlc.images.settings import ImageSettings
from amlc.images.urls import Link, check_host, file_names, parse, resolve_redirect, thumbnail
from tests.images.conftest import MakeSettings


@pytest.mark.parametrize(
    "text",
    [
        "",
        "picture.jpg",
        "//a.com/1.jpg",
        "ftp://a.com/1.jpg",
        "file:///etc/hostname",
        "data:image/png;base64,AAAA",
        "javascript:alert(1)",
        "https://",
        "https:///1.jpg",
        "https://user@a.com/1.jpg",
        "https://user:word@a.com/1.jpg",
        "https://@a.com/1.jpg",
        "https://a.com\\@b.com/1.jpg",
        "https://a.com:0/1.jpg",
        "https://a.com:65536/1.jpg",
        "https://a.com:x/1.jpg",
        "https://a b.com/1.jpg",
        "https://a.com/1 2.jpg",
        "https://a.com/1.jpg\r\nHost: b.com",
        "https://a.com/\x00.jpg",
        "https://-a.com/1.jpg",
        "https://a..com/1.jpg",
        "https://[::1/1.jpg",
        "https://[v1.x]/1.jpg",
        "https://a.com/" + "x" * 5000,
        "https://" + "a" * 64 + ".com/1.jpg",
    ],
)
def test_a_malformed_link_is_refused(text: str) -> None:
    """Other schemes, user info, invalid hosts and ports, and white space are malformed."""
    with pytest.raises(FetchError, match="malformed link"):
        parse(text)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("HTTPS://A.Com/X.jpg", "https://a.com/X.jpg"),
        ("http://a.com:80", "http://a.com/"),
        ("https://a.com:8443/1.jpg?a=b&c#d", "https://a.com:8443/1.jpg?a=b&c"),
        ("https://a.com./1.jpg", "https://a.com/1.jpg"),
        ("https://bücher.de/ü.jpg", "https://xn--bcher-kva.de/%C3%BC.jpg"),
        ("https://a.com/I/51+PFEe-w-L.jpg", "https://a.com/I/51+PFEe-w-L.jpg"),
        ("https://a.com/a%20b%2Fc.jpg", "https://a.com/a%20b%2Fc.jpg"),
        ("http://[2001:db8::1]:8080/a", "http://[2001:db8::1]:8080/a"),
    ],
)
def test_a_link_is_normalised(text: str, url: str) -> None:
    """The host is lower-case ASCII, path and query are encoded, fragment and default port go."""
    assert parse(text).url == url


@given(st.text(max_size=80) | st.from_regex(r"https?://[^\s]{0,40}", fullmatch=True))
def test_parsing_never_crashes_and_is_stable(text: str) -> None:
    """Any text is a link or an error; a link parses to itself, and fits a request line."""
    try:
        link = parse(text)
    except FetchError:
        return
    assert parse(link.url) == link
    assert link.target.isascii()
    assert link.target.startswith("/")
    assert not set(link.target + link.host) & set(" \r\n\t\x00")
    assert 0 < link.port < 65_536


@given(st.text(max_size=60))
def test_a_file_name_never_leaves_its_folder(tail: str) -> None:
    """The file names of any link are names of files directly in the folder."""
    try:
        link = parse("https://a.com/" + tail)
    except FetchError:
        return
    folder = Path("/some/folder")
    for name in file_names(link):
        assert (folder / name).parent == folder
        assert name not in {"", ".", ".."}
        assert not set(name) & {"/", "\\", "\x00"}


@pytest.mark.parametrize("tail", ["..", "%2e%2e", "a/%2e%2e%2fb", "x%5Cy", "x%00", "a/"])
def test_an_unsafe_last_segment_has_no_decoded_name(tail: str) -> None:
    """Dots, encoded slashes and nulls give, at most, the segment as it is written."""
    assert file_names(parse(f"https://a.com/{tail}")) in ([], [tail.rpartition("/")[2]])


def test_the_encoded_and_the_plain_name_are_both_candidates() -> None:
    """A folder may hold either spelling."""
    assert file_names(parse("https://a.com/b%2Bc.jpg")) == ["b+c.jpg", "b%2Bc.jpg"]


def test_a_redirect_may_be_relative() -> None:
    """Location is resolved against the link that was asked for."""
    assert resolve_redirect(parse("https://a.com/x/y.jpg"), "../z.jpg").url == "https://a.com/z.jpg"


@pytest.mark.parametrize("location", ["file:///etc/hostname", "gopher://a.com/", "//u@b.com/", ""])
def test_a_redirect_to_another_scheme_is_refused(location: str) -> None:
    """The target of a redirect is checked like a link; an empty one is the link itself."""
    start = parse("https://a.com/x.jpg")
    if not location:
        assert resolve_redirect(start, location) == start
        return
    with pytest.raises(FetchError):
        resolve_redirect(start, location)


@pytest.mark.parametrize("host", ["images.invalid", "a.test", "b.example", "localhost"])
def test_a_reserved_name_is_not_found_without_a_lookup(host: str, settings: ImageSettings) -> None:
    """Reserved top-level names fail at once, in the same way with and without a network."""
    with pytest.raises(FetchError, match="host not found"):
        check_host(parse(f"https://{host}/1.jpg"), settings)


def test_only_allowed_hosts_are_asked(make: MakeSettings) -> None:
    """With a list of hosts, all others are refused; without a list, no host is."""
    only = make(allow_hosts=["cdn.com"])
    check_host(parse("https://cdn.com/1.jpg"), only)
    check_host(parse("https://other.com/1.jpg"), make())
    with pytest.raises(FetchError, match="host not in allow_hosts"):
        check_host(parse("https://other.com/1.jpg"), only)


@pytest.mark.parametrize(
    ("target", "smaller"),
    [
        ("/images/I/71a.jpg", "/images/I/71a._SL512_.jpg"),
        ("/71a._AC_SL1500_.jpg", None),
        ("/71a", None),
        ("/.jpg", None),
        ("/71a.jpg?x=1", None),
    ],
)
def test_a_smaller_rendition_needs_a_plain_name(target: str, smaller: str | None) -> None:
    """A name that already has a size mark, or no extension, has no smaller rendition."""
    rendition = thumbnail(Link("https", "a.com", 443, target), 256)
    assert (rendition.target if rendition else None) == smaller
