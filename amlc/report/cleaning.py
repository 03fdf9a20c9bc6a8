"""Text of the catalogue made safe for one line of a page: visible, bounded, in one direction."""

import unicodedata

# Combining marks on one character; a few scripts need two.
MAX_MARKS = 2


def clean(text: str, limit: int) -> str:
    r"""Return text on one line, without control characters, at most `limit` characters long.

    It does not escape HTML; the template does.

    Parameters
    ----------
    text : str
        Any text. Characters that are invisible, change the direction of writing or have no
        meaning are left out, and so are combining marks beyond two on one character.
    limit : int
        A longer text is cut and ends in an ellipsis.

    Examples
    --------
    >>> clean("Green\u202e  tea,\n20 bags", 12)
    'Green tea…'
    """
    kept: list[str] = []
    marks = 0
    # Normal text loses few characters, so this is enough of it; a hostile text may be endless.
    for character in text[: 8 * limit]:
        kind = unicodedata.category(character)[0]
        if character in "\t\r\n":
            kind = "Z"
        if kind == "C":
            continue
        marks = marks + 1 if kind == "M" else 0
        if marks <= MAX_MARKS:
            kept.append(" " if kind == "Z" else character)
    line = " ".join("".join(kept).split())
    return line if len(line) <= limit else _cut(line, limit - 1) + "…"


def _cut(line: str, length: int) -> str:
    """Return the beginning of a line, up to the end of a word where that loses little."""
    word = line[: length + 1].rfind(" ")
    return line[: word if word > 0.8 * length else length].rstrip(" \u00b7,;")
