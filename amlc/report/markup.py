"""HTML that escapes whatever is not HTML already, and hostile text cut to size."""

import html
import unicodedata
from collections.abc import Iterable

# Elements without an end tag.
VOID = frozenset({"br", "img", "meta"})
# Combining marks on one character; a few scripts need two.
MAX_MARKS = 2


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


Child = str | Iterable[str]
Attribute = str | bool | None


def tag(name: str, /, *children: Child, **attributes: Attribute) -> Html:
    """Return an element; children and attribute values are escaped unless they are `Html`.

    Parameters
    ----------
    name : str
        The element's name.
    *children : str or iterable of str
        In order, without anything in between.
    **attributes : str or bool, optional
        ``class_`` and the like lose the underscore at their end, others become hyphens. True
        gives a bare attribute; None and False leave it out.

    Examples
    --------
    >>> tag("p", "1 < 2", tag("br"), class_="note")
    '<p class="note">1 &lt; 2<br></p>'
    """
    shown = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in VOID:
        return Html(f"<{name}{shown}>")
    return Html(f"<{name}{shown}>{joined(*children)}</{name}>")


def joined(*children: Child) -> Html:
    """Return children one after the other, escaped unless they are `Html`."""
    return Html("".join(_content(child) for child in children))


def _content(child: Child) -> str:
    if isinstance(child, Html):
        return child
    if isinstance(child, str):
        return html.escape(child, quote=False)
    return joined(*child)


def _attribute(key: str, value: Attribute) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{html.escape(value)}"'


def clean(text: str, limit: int) -> str:
    r"""Return text on one line, without control characters, at most `limit` characters long.

    Parameters
    ----------
    text : str
        From outside. Characters that are invisible, change the direction of writing or have no
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
    # What is left out hardly ever makes up most of a text; a hostile one is not read to its end.
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
