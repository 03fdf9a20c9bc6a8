"""The one definition of an image link, for the catalogue, the downloader and the service."""

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

MAX_LINK_LENGTH = 2048  # characters
# What a link has to be, as an instruction to the user.
LINK_RULE = (
    "write http(s)://HOST/... without user name and white space, in at most "
    f"{MAX_LINK_LENGTH:,} characters"
)
_DEFAULT_PORTS = {"http": 80, "https": 443}
# Characters that may stand in a request line; all others are percent-encoded as UTF-8.
_SAFE = "%/:@!$&'()*+,;=~-._?"
_HOST = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(\.(?!-)[a-z0-9_-]{1,63}(?<!-))*")


class LinkError(ValueError):
    """A text is not an image link; the message says what a link has to be."""

    def __init__(self) -> None:
        super().__init__(f"malformed link: {LINK_RULE}")


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
        port = "" if self.port == _DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.target}"


def parse_link(text: str) -> Link:
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
    LinkError
        Not http or https, user info, no host or an invalid one, a port out of range, a character
        that is white space or cannot be printed, a backslash, or longer than `MAX_LINK_LENGTH`.

    Examples
    --------
    >>> parse_link("https://M.Example.com/I/é.jpg#top").url
    'https://m.example.com/I/%C3%A9.jpg'
    """
    # Among the characters that cannot be printed are all white space but the blank, and surrogates.
    if len(text) > MAX_LINK_LENGTH or not text.isprintable() or " " in text or "\\" in text:
        raise LinkError
    try:
        parts = urlsplit(text)
        port = parts.port
        host = _ascii_host(parts.hostname or "", bracketed="[" in parts.netloc)
    except ValueError:  # UnicodeError is one
        raise LinkError from None
    if parts.scheme not in _DEFAULT_PORTS or "@" in parts.netloc or port == 0:
        raise LinkError
    target = quote(parts.path or "/", safe=_SAFE)
    if parts.query:
        target += f"?{quote(parts.query, safe=_SAFE)}"
    return Link(parts.scheme, host, port or _DEFAULT_PORTS[parts.scheme], target)


def _ascii_host(host: str, *, bracketed: bool) -> str:
    if bracketed:
        return ipaddress.IPv6Address(host.partition("%")[0]).compressed
    host = host.lower().removesuffix(".")
    if not host.isascii():
        host = host.encode("idna").decode("ascii")
    if len(host) > 253 or not _HOST.fullmatch(host):
        raise ValueError(host)
    return host
