"""A catalogue text without one of its parts."""

import re
from collections.abc import Iterator

from amlc.catalog.content import parse

# A line that starts a field, as `amlc.catalog.content.parse` reads it.
_LABELLED = re.compile(r"(Item Name|Bullet Point|Product Description|Value|Unit)(?: ?\d+)?:(.*)")
# Words of a title that stay: mostly the brand. A product without any name is like no other.
KEPT_WORDS = 3

TITLE = f"title after its first {KEPT_WORDS} words"
BULLETS, DESCRIPTION, QUANTITY = "bullet points", "description", "value and unit"
_PARTS = {
    BULLETS: frozenset({"Bullet Point"}),
    DESCRIPTION: frozenset({"Product Description"}),
    QUANTITY: frozenset({"Value", "Unit"}),
}


def without_parts(text: str) -> Iterator[tuple[str, str]]:
    r"""Yield each part that a text has, and the text without it.

    Parameters
    ----------
    text : str
        As in the column ``catalog_content``.

    Yields
    ------
    part, rest : str
        Only where leaving the part out changes what the text says.

    Examples
    --------
    >>> dict(without_parts("Item Name: Tea\nValue: 20.0\nUnit: Count"))
    {'value and unit': 'Item Name: Tea'}
    """
    lines = list(_labelled(text))
    shorter = "\n".join(_short(line) if label == "Item Name" else line for label, line in lines)
    if shorter != text:
        yield TITLE, shorter
    content = parse(text)
    # A form without an amount is a text that says `Value: nan` and `Unit: None`.
    said = {
        BULLETS: bool(content.bullets),
        DESCRIPTION: bool(content.description),
        QUANTITY: content.value is not None or bool(content.unit),
    }
    for part, labels in _PARTS.items():
        rest = [line for label, line in lines if label not in labels]
        if said[part] and len(rest) < len(lines):
            yield part, "\n".join(rest)


def _labelled(text: str) -> Iterator[tuple[str, str]]:
    """Yield each line with the label of its field; a text without labels is title and description.

    Lines above the first label belong to no field.
    """
    lines = text.splitlines()
    found = [_LABELLED.fullmatch(line) for line in lines]
    if not any(found):
        for number, line in enumerate(lines):
            yield "Product Description" if number else "Item Name", line
        return
    label = ""
    for line, match in zip(lines, found, strict=True):
        label = match[1] if match else label
        yield label, line


def _short(line: str) -> str:
    match = _LABELLED.fullmatch(line)
    start, title = (line[: match.start(2)] + " ", match[2]) if match else ("", line)
    words = title.split()
    return start + " ".join(words[:KEPT_WORDS]) if len(words) > KEPT_WORDS else line
