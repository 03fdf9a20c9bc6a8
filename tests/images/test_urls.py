"""Links of redirects and hosts are checked, and links never become paths."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amlc.catalog.links import Link, LinkError, parse_link
from amlc.images.fetch_result import FetchError
from amlc.images.urls import check_host, file_names, resolve_redirect, thumbnail
from tests.images.conftest import BothSettings, MakeSettings


@given(st.text(max_size=60))
def test_a_file_name_never_leaves_its_folder(tail: str) -> None:
    """The file names of any link are names of files directly in the folder."""
    try:
        link = parse_link("https://a.com/" + tail)
    except LinkError:
        return
    folder = Path("/some/folder")
    for name in file_names(link):
        assert (folder / name).parent == folder
        assert name not in {"", ".", ".."}
        assert not set(name) & {"/", "\\", "\x00"}


@pytest.mark.parametrize("tail", ["..", "%2e%2e", "a/%2e%2e%2fb", "x%5Cy", "x%00", "a/"])
def test_an_unsafe_last_segment_has_no_decoded_name(tail: str) -> None:
    """Dots, encoded slashes and nulls give, at most, the segment as it is written."""
    assert file_names(parse_link(f"https://a.com/{tail}")) in ([], [tail.rpartition("/")[2]])


def test_the_encoded_and_the_plain_name_are_both_candidates() -> None:
    """A folder may hold either spelling."""
    assert file_names(parse_link("https://a.com/b%2Bc.jpg")) == ["b+c.jpg", "b%2Bc.jpg"]


def test_a_redirect_may_be_relative() -> None:
    """Location is resolved against the link that was asked for."""
    assert (
        resolve_redirect(parse_link("https://a.com/x/y.jpg"), "../z.jpg").url
        == "https://a.com/z.jpg"
    )


@pytest.mark.parametrize("location", ["file:///etc/hostname", "gopher://a.com/", "//u@b.com/", ""])
def test_a_redirect_to_another_scheme_is_refused(location: str) -> None:
    """The target of a redirect is checked like a link; an empty one is the link itself."""
    start = parse_link("https://a.com/x.jpg")
    if not location:
        assert resolve_redirect(start, location) == start
        return
    with pytest.raises(FetchError):
        resolve_redirect(start, location)


@pytest.mark.parametrize("host", ["images.invalid", "a.test", "b.example", "localhost"])
def test_a_reserved_name_is_not_found_without_a_lookup(host: str, settings: BothSettings) -> None:
    """Reserved top-level names fail at once, in the same way with and without a network."""
    with pytest.raises(FetchError, match="host not found"):
        check_host(parse_link(f"https://{host}/1.jpg"), settings.images)


def test_only_allowed_hosts_are_asked(make: MakeSettings) -> None:
    """With a list of hosts, all others are refused; without a list, no host is."""
    only = make(allow_hosts=["cdn.com"]).images
    check_host(parse_link("https://cdn.com/1.jpg"), only)
    check_host(parse_link("https://other.com/1.jpg"), make().images)
    with pytest.raises(FetchError, match="host not in allow_hosts"):
        check_host(parse_link("https://other.com/1.jpg"), only)


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
