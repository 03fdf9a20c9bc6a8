"""What an image link has to look like, before anything is fetched."""

from urllib.parse import urlsplit

MAX_LENGTH = 2048


def is_link(text: str) -> bool:
    """Return whether a text can be an image link; a check of its form only.

    Parameters
    ----------
    text : str
        As written in the catalogue.

    Returns
    -------
    bool
        True for an http or https URL with a host, without a user name or password, without white
        space, control characters or backslashes, of at most `MAX_LENGTH` characters, and with
        a port from 1 to 65535 where it names one.

    Examples
    --------
    >>> is_link("https://m.example.com/images/I/71a.jpg")
    True
    >>> is_link("file:///etc/passwd"), is_link("https://me@example.com/a.jpg")
    (False, False)
    """
    if len(text) > MAX_LENGTH or not text.isprintable() or " " in text or "\\" in text:
        return False
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    if parts.scheme not in {"http", "https"} or "@" in parts.netloc:
        return False
    return bool((parts.hostname or "").strip(".")) and port != 0
