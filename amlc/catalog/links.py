"""The one definition of an image link, for the catalogue, the downloader and the service."""

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

import idna

# The host of pictures that are files; RFC 6761 reserves its domain, so it never has an address.
LOCAL = "local.invalid"
MAX_LINK_LENGTH = 2048  # characters
# What a link has to be, as an instruction to the user.
LINK_RULE = (
    "write http(s)://HOST/... without user name, backslash and line break, in at most "
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
    """Parse and check a link as browsers do, apart from what could hide where it leads.

    White space around the link is left out. Blanks in its path and query, and characters that are
    not ASCII, are percent-encoded. The name of the host follows IDNA 2008, after the mapping of
    UTS 46; a label of characters that only UTS 46 allows, such as emoji, is encoded all the same.

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
        Not http or https, user info, no host or an invalid one, a port out of range, a backslash,
        a character inside that cannot be printed (line breaks, tabs and all white space but the
        blank are such), or longer than `MAX_LINK_LENGTH`.

    Examples
    --------
    >>> parse_link("HTTPS://Straße.example.com/I/my é.jpg#top ").url
    'https://xn--strae-oqa.example.com/I/my%20%C3%A9.jpg'
    """
    text = text.strip()
    # Among the characters that cannot be printed are all white space but the blank, and surrogates.
    if len(text) > MAX_LINK_LENGTH or not text.isprintable() or "\\" in text:
        raise LinkError
    try:
        parts = urlsplit(text)
        port = parts.port
        host = _ipv6(parts.hostname) if "[" in parts.netloc else _ascii_host(parts.netloc)
    except ValueError:  # UnicodeError and IDNAError are two
        raise LinkError from None
    if parts.scheme not in _DEFAULT_PORTS or "@" in parts.netloc or port == 0:
        raise LinkError
    target = quote(parts.path or "/", safe=_SAFE)
    if parts.query:
        target += f"?{quote(parts.query, safe=_SAFE)}"
    return Link(parts.scheme, host, port or _DEFAULT_PORTS[parts.scheme], target)


def parse_host(text: str) -> str:
    """Return the name or address of a host as links have it after `parse_link`.

    Parameters
    ----------
    text : str
        In any case, in Unicode, or with a dot at its end; an IPv6 address with or without brackets.

    Raises
    ------
    ValueError
        Not a host alone: empty, with a scheme, a port, a path or a wildcard, or no valid name.

    Examples
    --------
    >>> parse_host("Straße.Example.com."), parse_host("[::0001]")
    ('xn--strae-oqa.example.com', '::1')
    """
    address = text.removeprefix("[").removesuffix("]")
    try:
        return _ipv6(address) if ":" in address else _ascii_host(text)
    except ValueError:
        raise ValueError("write the name or address of a host, without scheme and port") from None


def _ipv6(host: str | None) -> str:
    return ipaddress.IPv6Address((host or "").partition("%")[0]).compressed


def _ascii_host(netloc: str) -> str:
    # The attribute `hostname` is in lower case already, which turns a final Σ into ς.
    host = netloc.partition(":")[0]
    if not host.isascii():
        mapped = idna.uts46_remap(host, std3_rules=False)
        host = ".".join(_ascii_label(label) for label in mapped.split("."))
    host = host.lower().removesuffix(".")
    if len(host) > 253 or not _HOST.fullmatch(host):
        raise ValueError(host)
    return host


def _ascii_label(label: str) -> str:
    if label.isascii():
        return label
    try:
        return idna.alabel(label).decode("ascii")
    except idna.InvalidCodepoint:
        return f"xn--{label.encode('punycode').decode('ascii')}"
