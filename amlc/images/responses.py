"""What the headers of a response mean: its length, content codings, cookies, where it leads."""

import contextlib
import email.utils
import math
import re
import string
import zlib
from collections.abc import Iterable
from urllib.parse import quote

from amlc.catalog.links import Link
from amlc.images.fetch_result import BAD_ENCODING, TOO_MANY_BYTES, TRUNCATED, FetchError, Retry

OPT_OUTS = frozenset({"noai", "noimageai"})

# Lengths.

_WHOLE_RANGE = re.compile(r"bytes 0-([0-9]{1,18})/([0-9]{1,18})", re.IGNORECASE)


def declared_length(text: str) -> int | None:
    """Return the value of a Content-Length header; None if it is not valid."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None


def covered_length(content_range: str) -> int | None:
    """Return the length of the file that a Content-Range covers; None if it covers only a part.

    Examples
    --------
    >>> covered_length("bytes 0-99/100"), covered_length("bytes 0-49/100")
    (100, None)
    """
    match = _WHOLE_RANGE.fullmatch(content_range.strip())
    if match is None:
        return None
    last, length = int(match[1]), int(match[2])
    return length if last + 1 == length else None


# Content codings.

_GZIP = frozenset({"gzip", "x-gzip"})
_NOT_SUPPORTED = frozenset({"br", "zstd", "compress", "x-compress", "dcb", "dcz"})
# Each coding, and each gzip file that follows another one, costs at most one more pass over a body.
_MAX_CODINGS, _MAX_MEMBERS = 5, 100
_GZIP_MAGIC = b"\x1f\x8b"
# 32 added to the window's size makes zlib detect from the header whether it is gzip or zlib.
_DETECTED, _RAW = 32 + zlib.MAX_WBITS, -zlib.MAX_WBITS


def decompress(data: bytes, encoding: str, limit: int) -> bytes:
    """Undo the content codings of a body, which servers may use although none was requested.

    Parameters
    ----------
    data : bytes
        The body.
    encoding : str
        The Content-Encoding header. As in browsers, a word that names no coding, such as ``UTF-8``
        or ``aws-chunked``, means nothing.
    limit : int
        Maximum number of bytes.

    Raises
    ------
    FetchError
        `BAD_ENCODING`, `TOO_MANY_BYTES` or `TRUNCATED`.
    """
    codings = [coding.strip() for coding in encoding.lower().split(",")]
    used = [coding for coding in codings if coding in _GZIP or coding == "deflate"]
    if len(used) > _MAX_CODINGS or not _NOT_SUPPORTED.isdisjoint(codings):
        raise FetchError(BAD_ENCODING, Retry.AFTER_EXPIRY)
    for coding in reversed(used):
        data = _undo(data, coding, limit)
    return data


def _undo(data: bytes, coding: str, limit: int) -> bytes:
    # Servers mean by "deflate" what zlib writes, with or without its header.
    for window_bits in (_DETECTED, _RAW) if coding == "deflate" else (_DETECTED,):
        with contextlib.suppress(zlib.error):
            return _inflate(data, window_bits, limit)
    raise FetchError(BAD_ENCODING, Retry.AFTER_EXPIRY)


def _inflate(data: bytes, window_bits: int, limit: int) -> bytes:
    """Decompress a file and further gzip files behind it; anything else there is padding."""
    parts: list[bytes] = []
    for _ in range(_MAX_MEMBERS):
        decompressor = zlib.decompressobj(window_bits)
        room = limit - sum(map(len, parts))
        parts.append(decompressor.decompress(data, room + 1))
        if len(parts[-1]) > room:
            raise FetchError(TOO_MANY_BYTES, Retry.AFTER_EXPIRY)
        if not decompressor.eof:
            raise FetchError(TRUNCATED, Retry.NOW)
        data = decompressor.unused_data
        if not data.startswith(_GZIP_MAGIC):
            return b"".join(parts)
    raise FetchError(BAD_ENCODING, Retry.AFTER_EXPIRY)


# Redirects.


def location_text(header: str) -> str:
    """Return the value of a Location header, which servers write in UTF-8.

    Parameters
    ----------
    header : str
        As `http.client` reads it, in ISO 8859-1.

    Examples
    --------
    >>> location_text("/Ã©.jpg"), location_text("/é.jpg")
    ('/é.jpg', '/%E9.jpg')
    """
    data = header.encode("latin-1")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        # Browsers send the server's own bytes back to it.
        return quote(data, safe=string.punctuation)


_MAX_COOKIES, _MAX_COOKIE_LENGTH = 20, 4096
_COOKIE = re.compile(r"[!-:<>-~]+=[ -:<-~]*")


class Cookies:
    """The cookies of one chain of redirects; each goes back only to the host that has set it.

    Paths and lifetimes do not count: a chain ends within seconds.
    """

    def __init__(self) -> None:
        # For each host, by name: the pair of name and value, and whether it may go over TLS only.
        self._hosts: dict[str, dict[str, tuple[str, bool]]] = {}

    def add(self, link: Link, headers: Iterable[str]) -> None:
        """Keep the cookies of the Set-Cookie headers with which a link was answered.

        Examples
        --------
        >>> cookies = Cookies()
        >>> cookies.add(Link("https", "a.com", 443, "/"), ["a=1; Path=/", "b=2; Secure"])
        >>> [cookies.header(Link(scheme, "a.com", 80, "/")) for scheme in ("http", "https")]
        ['a=1', 'a=1; b=2']
        """
        for header in headers:
            pair, *attributes = (part.strip() for part in header.split(";"))
            kept = self._hosts.setdefault(link.host, {})
            if (
                len(kept) < _MAX_COOKIES
                and len(pair) <= _MAX_COOKIE_LENGTH
                and _COOKIE.fullmatch(pair)
            ):
                secure = "secure" in map(str.lower, attributes)
                kept[pair.partition("=")[0]] = (pair, secure)

    def header(self, link: Link) -> str:
        """Return the Cookie header for a link; an empty string if it has no cookies."""
        cookies = self._hosts.get(link.host, {}).values()
        return "; ".join(pair for pair, secure in cookies if link.scheme == "https" or not secure)


# Other requests of the server.


def retry_after(text: str, now: float) -> float:
    """Return the seconds that a Retry-After header asks for; 0 if it is not valid.

    Parameters
    ----------
    text : str
        Value of the header: seconds or a date (RFC 9110, section 10.2.3).
    now : float
        Current time in seconds since the epoch.

    Examples
    --------
    >>> retry_after("3", 0), retry_after("Thu, 01 Jan 1970 00:01:00 GMT", 50)
    (3.0, 10.0)
    """
    text = text.strip()
    if text.isascii() and text.isdigit():
        return float(text) if len(text) < 10 else math.inf
    try:
        date = email.utils.parsedate_to_datetime(text)
        return max(0.0, date.timestamp() - now)
    except (ValueError, TypeError, OverflowError, IndexError, OSError):
        return 0.0


def opted_out(text: str) -> bool:
    """Return whether an X-Robots-Tag header forbids use by machine learning.

    Examples
    --------
    >>> opted_out("otherbot: noindex, NoImageAI"), opted_out("noarchive")
    (True, False)
    """
    directives = text.lower().replace(":", ",").split(",")
    return not OPT_OUTS.isdisjoint(directive.strip() for directive in directives)
