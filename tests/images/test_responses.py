"""The headers of a response mean the same as in a browser, and no value of one is a crash."""

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amlc.catalog.links import Link
from amlc.images.fetch_result import FetchError
from amlc.images.responses import (
    Cookies,
    covered_length,
    decompress,
    location_text,
    opted_out,
    retry_after,
)

PICTURE = bytes(range(256)) * 9
ANY_HEADER = st.text(st.characters(max_codepoint=255), max_size=60)


@pytest.mark.parametrize("encoding", ["", "identity", "UTF-8", "aws-chunked", "none", "binary"])
def test_a_content_encoding_that_names_no_coding_means_nothing(encoding: str) -> None:
    """Servers write charsets, transfer codings and other words there."""
    assert decompress(PICTURE, encoding, 9999) == PICTURE


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(PICTURE[:999]) + gzip.compress(PICTURE[999:])),
        ("gzip", gzip.compress(PICTURE) + bytes(99)),
        ("X-GZip", gzip.compress(PICTURE)),
        ("aws-chunked, gzip", gzip.compress(PICTURE)),
        ("deflate, gzip", gzip.compress(zlib.compress(PICTURE))),
        ("deflate", zlib.compress(PICTURE)),
        ("deflate", zlib.compress(PICTURE, wbits=-zlib.MAX_WBITS)),
        ("deflate", gzip.compress(PICTURE)),
    ],
)
def test_every_form_of_deflate_is_undone(encoding: str, body: bytes) -> None:
    """One gzip file or two, padded or not, twice coded, with the header of zlib or without."""
    assert decompress(body, encoding, 9999) == PICTURE


@pytest.mark.parametrize(
    ("encoding", "body", "reason"),
    [
        ("gzip", gzip.compress(PICTURE) + gzip.compress(PICTURE)[:-9], "truncated body"),
        ("gzip", gzip.compress(PICTURE) + b"\x1f\x8bno gzip", "bad content encoding"),
        ("gzip", gzip.compress(PICTURE) * 5, "too many bytes"),
        ("gzip", gzip.compress(b"") * 1000, "bad content encoding"),
        ("gzip," * 9, PICTURE, "bad content encoding"),
        ("deflate", b"\xff\xd8\xff" + PICTURE, "bad content encoding"),
        ("gzip, br", PICTURE, "bad content encoding"),
    ],
)
def test_a_bad_encoding_has_its_reason(encoding: str, body: bytes, reason: str) -> None:
    """Neither a bomb nor a million empty files within one body costs time or memory."""
    with pytest.raises(FetchError, match=reason):
        decompress(body, encoding, 9999)


@given(ANY_HEADER, st.binary(max_size=200))
def test_no_content_encoding_crashes(encoding: str, body: bytes) -> None:
    """Any header and body give at most `limit` bytes, or a reason."""
    for coding in (encoding, f"gzip,{encoding}", f"{encoding}, deflate"):
        try:
            assert len(decompress(body, coding, 200)) <= 200
        except FetchError:
            continue


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("bytes 0-99/100", 100),
        (" Bytes 0-0/1", 1),
        ("bytes 0-98/100", None),
        ("bytes 1-99/100", None),
        ("bytes 0-99/*", None),
        ("bytes */100", None),
        ("bytes 0-\u0669/\u0661\u0660", None),
        ("", None),
    ],
)
def test_a_range_covers_a_file_or_not(text: str, length: int | None) -> None:
    """The first and the last byte have to be in it, and the length has to be known."""
    assert covered_length(text) == length


@given(ANY_HEADER)
def test_no_location_crashes(header: str) -> None:
    """Whatever bytes a server sends, they are text; UTF-8 comes back as it was written."""
    location_text(header)
    assert location_text(header.encode("utf-8").decode("latin-1")) == header


def test_a_cookie_goes_back_only_to_its_host() -> None:
    """Neither other hosts nor subdomains get it, nor, if it is secure, a link without TLS."""
    cookies = Cookies()
    link = Link("https", "a.com", 443, "/1.jpg")
    cookies.add(link, ["a=1; Domain=com; Path=/", "b=2; SECURE", "a=3"])
    assert cookies.header(link) == "a=3; b=2"
    assert cookies.header(Link("http", "a.com", 80, "/")) == "a=3"
    for host in ("b.com", "www.a.com", "com", "a.co"):
        assert cookies.header(Link("https", host, 443, "/")) == ""


@given(st.lists(ANY_HEADER | st.sampled_from(["a=1\r\n X: y", "é=1", "=2", "a"]), max_size=90))
def test_no_cookie_breaks_the_next_request(headers: list[str]) -> None:
    """The header is printable ASCII of bounded length, whatever a server sets."""
    cookies = Cookies()
    link = Link("https", "a.com", 443, "/")
    cookies.add(link, [*headers, "x=" + "y" * 5000, *(f"{n}={'y' * 4000}" for n in range(90))])
    header = cookies.header(link)
    assert header.isascii()
    assert header.isprintable()
    assert len(header) < 100_000


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5", 5),
        (" 7 ", 7),
        ("Thu, 01 Jan 1970 00:20:00 GMT", 200),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("-3", 0),
        ("soon", 0),
        ("", 0),
    ],
)
def test_retry_after_is_seconds_or_a_date(text: str, seconds: float) -> None:
    """Both forms of RFC 9110 are read; a past date and an invalid value mean now."""
    assert retry_after(text, 1000.0) == seconds


@given(st.text(max_size=40))
def test_no_retry_after_crashes(text: str) -> None:
    """Any text gives a number of seconds that is not negative."""
    assert retry_after(text, 1e9) >= 0


@given(st.text(max_size=40))
def test_no_robots_tag_crashes(text: str) -> None:
    """Any text is read; with the directive added, it is an opt-out."""
    opted_out(text)
    assert opted_out(f"{text}, noai")
