"""The one definition of a link: strict, normalising, and never a crash."""

from urllib.parse import urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from amlc.catalog.links import MAX_LINK_LENGTH, LinkError, parse_host, parse_link

LABEL = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True)


def accepted(text: str) -> bool:
    """Return whether a text is a link."""
    try:
        parse_link(text)
    except LinkError:
        return False
    return True


@pytest.mark.parametrize(
    "text",
    [
        "https://m.media-amazon.com/images/I/71Xb+d%20L.jpg",
        "HTTP://EXAMPLE.COM/a.jpg?x=1#y",
        "http://localhost:8000/a",
        "http://[::1]:80/a",
        "https://bücher.example/ä.jpg",
        "https://example.com",
        "https://example.com/a@b.jpg",
        "https://h/" + "a" * (MAX_LINK_LENGTH - 10),
    ],
)
def test_links_of_products_are_accepted(text: str) -> None:
    """Any http or https URL with a host is a link, whatever its path."""
    assert accepted(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nan",
        "image.jpg",
        "/etc/passwd",
        "//example.com/a.jpg",
        "file:///etc/passwd",
        "ftp://example.com/a.jpg",
        "javascript:alert(1)",
        "data:image/png;base64,AAAA",
        "https:example.com/a.jpg",
        "https:///a.jpg",
        "https://",
        "https://./a.jpg",
        "https://:443/a.jpg",
        "https://user@example.com/a.jpg",
        "https://user:secret@example.com/a.jpg",
        "https://@example.com/a.jpg",
        "https://example.com:port/a.jpg",
        "https://example.com:0/a.jpg",
        "https://example.com:65536/a.jpg",
        "https://[::1/a.jpg",
        "https://example.com/a\nb.jpg",
        "https://example.com/a\tb.jpg",
        "https:// example.com/a.jpg",
        "https://example .com/a.jpg",
        "https://example.com:80 /a.jpg",
        "https://exämple .com/a.jpg",
        "https://example.com/\x00a.jpg",
        "https://example.com/a.jpg\x00",
        "https://example.com/a\u00a0b.jpg",
        "https://example.com/a\u200bb.jpg",
        "https://example.com\\@evil.example/a.jpg",
        "https://example.com/a\\b.jpg",
        "https://h/" + "a" * (MAX_LINK_LENGTH - 9),
    ],
)
def test_other_texts_are_not_links(text: str) -> None:
    """Wrong schemes, missing hosts, user names, line breaks and great length are refused."""
    assert not accepted(text)


@given(st.sampled_from(["http", "https"]), st.lists(LABEL, min_size=1, max_size=4), LABEL)
def test_links_made_of_valid_parts_are_accepted(scheme: str, labels: list[str], name: str) -> None:
    """Scheme, host and path of the right form make a link."""
    assert accepted(f"{scheme}://{'.'.join(labels)}/{name}.jpg")


@given(st.one_of(st.text(), st.text().map("https://".__add__), st.text().map("http://h/".__add__)))
@example("https://h]/")
@example("https://[v1.a]/")
def test_accepted_links_satisfy_every_rule(text: str) -> None:
    """No text raises, and an accepted one has a scheme, a host and no hidden parts."""
    if accepted(text):
        parts = urlsplit(text)
        assert parts.scheme in {"http", "https"}
        assert parts.hostname
        assert parts.username is None
        assert not any(mark.isspace() and mark != " " for mark in text.strip())
        assert len(text.strip()) <= MAX_LINK_LENGTH


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
        "https://a.com\u3000b.com/1.jpg",
        "https://a.com\uff0fb.com/1.jpg",
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
    """Other schemes, user info, invalid hosts and ports, and line breaks are malformed."""
    with pytest.raises(LinkError, match="malformed link"):
        parse_link(text)


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
        ("https://a.com/my pic.jpg?v=1 2", "https://a.com/my%20pic.jpg?v=1%202"),
        (" https://a.com/1.jpg\r\n", "https://a.com/1.jpg"),
        ("\t\u00a0HTTPS://a.com/1.jpg\u2028", "https://a.com/1.jpg"),
    ],
)
def test_a_link_is_normalised(text: str, url: str) -> None:
    """The host is lower-case ASCII, path and query are encoded, fragment and default port go."""
    assert parse_link(text).url == url


@pytest.mark.parametrize(
    ("name", "ascii_name"),
    [
        ("straße.de", "xn--strae-oqa.de"),
        ("STRASSE.de", "strasse.de"),
        ("ΣΑΣ.gr", "xn--mxa9ab.gr"),
        ("क्\u0937.com", "xn--11b2ezc.com"),
        ("\uff21\uff22\uff23.com", "abc.com"),
        ("ü。de。", "xn--tda.de"),
        ("foo_bar.bücher.de", "foo_bar.xn--bcher-kva.de"),
        ("i❤.ws", "xn--i-7iq.ws"),
        ("אב1.com", "xn--1-zhcd.com"),
    ],
)
def test_the_name_of_a_host_is_the_one_that_browsers_ask_for(name: str, ascii_name: str) -> None:
    """IDNA 2008 comes first, so that ß is kept; symbols, which it lacks, are encoded as well."""
    assert parse_link(f"https://{name}/1.jpg").host == ascii_name


@pytest.mark.parametrize("name", ["\u0301a.de", "1א.com", "ü..de", "-ü.de", "ü" * 64 + ".de"])
def test_a_name_that_no_browser_asks_for_is_refused(name: str) -> None:
    """A leading accent, mixed directions, empty labels, edge hyphens and long labels."""
    assert not accepted(f"https://{name}/1.jpg")


@given(st.text(max_size=80) | st.from_regex(r"https?://[^\s]{0,40}", fullmatch=True))
def test_parsing_never_crashes_and_is_stable(text: str) -> None:
    """Any text is a link or an error; a link parses to itself, and fits a request line."""
    try:
        link = parse_link(text)
    except LinkError:
        return
    assert parse_link(link.url) == link
    assert link.target.isascii()
    assert link.target.startswith("/")
    assert not set(link.target + link.host) & set(" \r\n\t\x00")
    assert 0 < link.port < 65_536


@pytest.mark.parametrize(
    ("text", "host"),
    [("CDN.Example.com", "cdn.example.com"), ("cdn.example.com.", "cdn.example.com"),
     ("straße.de", "xn--strae-oqa.de"), ("127.0.0.1", "127.0.0.1"),
     ("[2001:DB8::0:1]", "2001:db8::1"), ("2001:db8::1", "2001:db8::1")],
)  # fmt: skip
def test_a_host_is_normalised_as_in_a_link(text: str, host: str) -> None:
    """Whatever way a setting writes a host, it is the host of the links that lead there."""
    assert parse_host(text) == host
    in_link = f"[{text}]" if ":" in text and "[" not in text else text
    assert parse_link(f"https://{in_link}/a.jpg").host == host


@pytest.mark.parametrize(
    "text",
    ["", ".", "https://a.com", "a.com:443", "a.com/b", "*.a.com", "a b.com", "[::1]:80", "é" * 300],
)
def test_what_is_more_than_a_host_is_refused(text: str) -> None:
    """The message says what a host is written like."""
    with pytest.raises(ValueError, match="without scheme and port"):
        parse_host(text)
