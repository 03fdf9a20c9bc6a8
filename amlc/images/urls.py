"""What links mean to the downloader: redirects, allowed hosts, file names, smaller renditions."""

import re
from urllib.parse import unquote, urljoin

from amlc.catalog.links import Link, parse_link
from amlc.images.fetch_result import (
    HOST_NOT_ALLOWED,
    HOST_NOT_FOUND,
    REDIRECT_NOT_ALLOWED,
    FetchError,
    Retry,
)
from amlc.images.settings import HostRules

# Top-level names that never exist on the internet (RFC 2606 and 6761).
RESERVED = ("invalid", "test", "example", "localhost")


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
        `REDIRECT_NOT_ALLOWED`: it leads to something that is not a link.
    """
    try:
        return parse_link(urljoin(link.url, location))
    except ValueError:  # LinkError is one, and `urljoin` raises others
        raise FetchError(REDIRECT_NOT_ALLOWED, Retry.AFTER_EXPIRY) from None


def check_host(link: Link, rules: HostRules) -> None:
    """Check that a link's host may be asked.

    Reserved names are not looked up, so that their links fail at once, in the same way with and
    without a network.

    Parameters
    ----------
    link : Link
        The link.
    rules : HostRules
        The rules.

    Raises
    ------
    FetchError
        `HOST_NOT_ALLOWED`, or `HOST_NOT_FOUND` for a reserved name.
    """
    host = link.host
    if host in rules.allow_private_hosts:
        return
    if rules.allow_hosts and host not in rules.allow_hosts:
        raise FetchError(HOST_NOT_ALLOWED, Retry.NEXT_RUN)
    if host.rpartition(".")[2] in RESERVED:
        raise FetchError(HOST_NOT_FOUND, Retry.NEXT_RUN)


def file_names(link: Link) -> list[str]:
    """Return the file names, never paths, that the link's picture may have in a folder.

    Examples
    --------
    >>> file_names(parse_link("https://a.com/I/21Rv+jEL.jpg?x=/y.jpg"))
    ['21Rv+jEL.jpg']
    >>> file_names(parse_link("https://a.com/b/.."))
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
    >>> thumbnail(parse_link("https://m.media-amazon.com/images/I/71a.jpg"), 256).target
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
