"""Image links: parsing, redirects, allowed hosts and file names."""

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import quote, unquote, urljoin, urlsplit

from amlc.images.fetch_result import HOST_NOT_ALLOWED, HOST_NOT_FOUND, MALFORMED, FetchError, Retry
from amlc.images.settings import ImageSettings

MAX_LENGTH = 4096
DEFAULT_PORTS = {"http": 80, "https": 443}
# Top-level names that never exist on the internet (RFC 2606 and 6761).
RESERVED = ("invalid", "test", "example", "localhost")
# Characters that may stand in a request line; all others are percent-encoded as UTF-8.
_SAFE = "%/:@!$&'()*+,;=~-._?"
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f-\xa0\\\u2028\u2029\ufeff]")
_HOST = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(\.(?!-)[a-z0-9_-]{1,63}(?<!-))*")


@dataclass(frozen=True, slots=True)
class Link:
    """A parsed link.

    Parameters
    ----------
    scheme : str
        ``"http"`` or ``"https"``.
    host : str
        Lower case, in ASCII (IDNA), without a final dot; an IPv6 address without brackets.
    port : int
        TCP port.
    target : str
        Path and query as they stand in a request line.
    """

    scheme: str
    host: str
    port: int
    target: str

    @property
    def url(self) -> str:
        """The whole link, normalised."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.target}"


def parse(text: str) -> Link:
    """Parse and check a link.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    Link
        The link, normalised, without its fragment.

    Raises
    ------
    FetchError
        `MALFORMED`: not http or https, user info, no host or an invalid one, a port out of range,
        white space or control characters, a backslash, or longer than `MAX_LENGTH`.

    Examples
    --------
    >>> parse("https://M.Example.com/I/é.jpg#top").url
    'https://m.example.com/I/%C3%A9.jpg'
    """
    if len(text) > MAX_LENGTH or _FORBIDDEN.search(text):
        raise FetchError(MALFORMED, Retry.AFTER_EXPIRY)
    try:
        parts = urlsplit(text)
        port = parts.port
        host = _ascii_host(parts.hostname or "", bracketed="[" in parts.netloc)
        target = quote(parts.path or "/", safe=_SAFE)
        query = quote(parts.query, safe=_SAFE)
    except ValueError:  # UnicodeError is one
        raise FetchError(MALFORMED, Retry.AFTER_EXPIRY) from None
    scheme = parts.scheme.lower()
    if scheme not in DEFAULT_PORTS or "@" in parts.netloc or port == 0:
        raise FetchError(MALFORMED, Retry.AFTER_EXPIRY)
    target = f"{target}?{query}" if query else target
    return Link(scheme, host, port or DEFAULT_PORTS[scheme], target)


def resolve_redirect(link: Link, location: str) -> Link:
    """Return the link that a redirect from `link` leads to.

    Parameters
    ----------
    link : Link
        The link that was requested.
    location : str
        The header ``Location`` of the response.

    Raises
    ------
    FetchError
        `MALFORMED`.
    """
    try:
        return parse(urljoin(link.url, location))
    except ValueError:
        raise FetchError(MALFORMED, Retry.AFTER_EXPIRY) from None


def check_host(link: Link, settings: ImageSettings) -> None:
    """Check that the settings allow a link's host.

    Reserved names are not looked up, so that their links fail at once, in the same way with and
    without a network.

    Parameters
    ----------
    link : Link
        The link.
    settings : ImageSettings
        The section `images`.

    Raises
    ------
    FetchError
        `HOST_NOT_ALLOWED`, or `HOST_NOT_FOUND` for a reserved name.
    """
    host = link.host
    if host in settings.allow_private_hosts:
        return
    if settings.allow_hosts and host not in settings.allow_hosts:
        raise FetchError(HOST_NOT_ALLOWED, Retry.NEXT_RUN)
    if host.rpartition(".")[2] in RESERVED:
        raise FetchError(HOST_NOT_FOUND, Retry.NEXT_RUN)


def file_names(link: Link) -> list[str]:
    """Return the file names, never paths, that the link's picture may have in a folder.

    Examples
    --------
    >>> file_names(parse("https://a.com/I/21Rv+jEL.jpg?x=/y.jpg"))
    ['21Rv+jEL.jpg']
    >>> file_names(parse("https://a.com/b/.."))
    []
    """
    segment = link.target.partition("?")[0].rpartition("/")[2]
    names = dict.fromkeys([unquote(segment), segment])
    return [name for name in names if _is_plain_name(name)]


def thumbnail(link: Link, size: int) -> Link | None:
    """Return the link of a smaller version of a picture.

    Parameters
    ----------
    link : Link
        A link to a host that reads the size from a mark before the file name's extension.
    size : int
        Longest side that is needed, in pixels; twice as many are requested, so that the picture is
        sharp after it was reduced.

    Returns
    -------
    Link, optional
        None if the file name has no extension, or already has a mark.

    Examples
    --------
    >>> thumbnail(parse("https://m.media-amazon.com/images/I/71a.jpg"), 256).target
    '/images/I/71a._SL512_.jpg'
    """
    folder, _, name = link.target.rpartition("/")
    stem, dot, extension = name.partition(".")
    if not (stem and dot) or not extension.isalnum():
        return None
    target = f"{folder}/{stem}._SL{2 * size}_.{extension}"
    return Link(link.scheme, link.host, link.port, target)


def _is_plain_name(name: str) -> bool:
    return name not in {"", ".", ".."} and len(name) <= 255 and not re.search(r"[\x00/\\]", name)


def _ascii_host(host: str, *, bracketed: bool) -> str:
    if bracketed:
        return ipaddress.IPv6Address(host.partition("%")[0]).compressed
    host = host.lower().removesuffix(".")
    if not host.isascii():
        host = host.encode("idna").decode("ascii")
    if len(host) > 253 or not _HOST.fullmatch(host):
        raise ValueError(host)
    return host
