"""Which texts can be image links."""

from urllib.parse import urlsplit

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from amlc.catalog.links import MAX_LENGTH, is_link

LABEL = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True)


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
        "https://h/" + "a" * (MAX_LENGTH - 10),
    ],
)
def test_links_of_products_are_accepted(text: str) -> None:
    """Any http or https URL with a host, whatever its path."""
    assert is_link(text)


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
        "https://example.com/a b.jpg",
        " https://example.com/a.jpg",
        "https://example.com/a.jpg\n",
        "https://example.com/\x00a.jpg",
        "https://example.com/a\u00a0b.jpg",
        "https://example.com/a\u200bb.jpg",
        "https://example.com\\@evil.example/a.jpg",
        "https://example.com/a\\b.jpg",
        "https://h/" + "a" * (MAX_LENGTH - 9),
    ],
)
def test_everything_else_is_refused(text: str) -> None:
    """Other schemes, no host, a user name, white space, control characters, too long."""
    assert not is_link(text)


@settings(deadline=None)
@given(st.sampled_from(["http", "https"]), st.lists(LABEL, min_size=1, max_size=4), LABEL)
def test_links_put_together_from_their_parts_are_accepted(
    scheme: str, labels: list[str], name: str
) -> None:
    """Whatever has the form of a link is one."""
    assert is_link(f"{scheme}://{'.'.join(labels)}/{name}.jpg")


@settings(deadline=None)
@given(st.one_of(st.text(), st.text().map("https://".__add__), st.text().map("http://h/".__add__)))
@example("https://h]/")
@example("https://[v1.a]/")
def test_accepted_links_keep_their_promise(text: str) -> None:
    """No text raises, and whatever passes has a scheme, a host, and nothing hidden in it."""
    if is_link(text):
        parts = urlsplit(text)
        assert parts.scheme in {"http", "https"}
        assert parts.hostname
        assert parts.username is None
        assert not any(mark.isspace() for mark in text)
        assert len(text) <= MAX_LENGTH
