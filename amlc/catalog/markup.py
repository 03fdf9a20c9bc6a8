"""HTML as plain text, in linear time."""

import html
import re

# Elements whose content is no text.
_HIDDEN = re.compile(
    r"<(script|style|template)\b[^>]{0,2000}>.*?(?:</\1\s{0,20}>|\Z)", re.IGNORECASE | re.DOTALL
)
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
# A break that a reader sees; other tags stand inside a line.
_BREAK = re.compile(
    r"</?(?:p|br|div|li|ul|ol|tr|table|h[1-6]|section|article|blockquote|hr)\b[^<>]{0,2000}>",
    re.IGNORECASE,
)
_TAG = re.compile(r"</?[a-zA-Z][^<>]{0,2000}>")
_BLANKS = re.compile(r"[^\S\n]+")
_LINES = re.compile(r"\s*\n\s*")


def plain_text(text: str) -> str:
    r"""Return the text that a reader of some HTML sees.

    Parameters
    ----------
    text : str
        HTML, or any other text: only what is written like a tag, a comment or an entity changes,
        and white space around what is left.

    Examples
    --------
    >>> plain_text("<p>Tea &amp; milk,<br/>250&nbsp;g</p>\r\n<ul><li>5 < 6</li></ul>")
    'Tea & milk,\n250 g\n5 < 6'
    """
    if "<" in text:
        # Each of these patterns would search to the end of the text from every beginning.
        if "<!--" in text:
            text = _COMMENT.sub(" ", text)
        text = _HIDDEN.sub(" ", text)
        text = _TAG.sub("", _BREAK.sub("\n", text))
    if "&" in text:
        text = html.unescape(text)
    return _LINES.sub("\n", _BLANKS.sub(" ", text)).strip()
