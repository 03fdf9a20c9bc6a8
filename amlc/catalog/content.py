"""A catalogue text: parsed into its fields, put together from them, and without one of them."""

import math
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

_LABEL = re.compile(
    r"(?P<label>Item Name|Bullet Point(?: ?\d+)?|Product Description|Value|Unit):[ \t]*(?P<rest>.*)"
)
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
_NOT_WORD = re.compile(r"[ \x00-\x2f\x3a-\x40\x5b-\x60\x7b-\x7f]+")


@dataclass(frozen=True)
class Content:
    """What one catalog_content says.

    Parameters
    ----------
    title, description : str
        Empty where the text has none.
    bullets : tuple of str
        In the order of the text.
    value : float or None
        A finite, non-negative number; None where it is missing or not one (``None``, ``nan``).
    unit : str
        As written; empty where it is missing.
    """

    title: str
    bullets: tuple[str, ...]
    description: str
    value: float | None
    unit: str


def parse(text: str) -> Content:
    r"""Parse one catalog_content.

    Parameters
    ----------
    text : str
        Lines that start with ``Item Name:``, ``Bullet Point N:``, ``Product Description:``,
        ``Value:`` or ``Unit:``; a line without a label continues the field above it. A text
        without any label is taken as a title line followed by a description.

    Returns
    -------
    Content
        A field given more than once keeps its first title and description, its last value and
        unit: those two stand at the end, and a bullet may begin with the same word.

    Examples
    --------
    >>> parse("Item Name: Tea, 20 Bags\nValue: 20.0\nUnit: Count\n").value
    20.0
    """
    fields = _fields(text)
    if not fields:
        title, _, description = text.strip().partition("\n")
        return Content(title.strip(), (), description.strip(), None, "")
    by_label: dict[str, list[str]] = {}
    for label, content in fields:
        by_label.setdefault(label, []).append(content)
    return Content(
        title=by_label.get("Item Name", [""])[0],
        bullets=tuple(content for content in by_label.get("Bullet Point", []) if content),
        description=by_label.get("Product Description", [""])[0],
        value=parse_number(by_label.get("Value", [""])[-1]),
        unit=_unit(by_label.get("Unit", [""])[-1]),
    )


def title_of(text: str) -> str:
    """Return the title of one catalog_content; the same as ``parse(text).title``."""
    return parse(text).title


def normalised_title(text: str) -> str:
    """Return a title in lower case without punctuation, for comparing and for leading words.

    Examples
    --------
    >>> normalised_title("  Judee's BLUE-Cheese, 11.25 oz ")
    'judee s blue cheese 11 25 oz'
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    if not folded.isascii():
        folded = "".join(map(_word_or_blank, folded))
    return _NOT_WORD.sub(" ", folded).strip()


def parse_number(text: str) -> float | None:
    """Return a plain decimal number, or None where the text is not one that is >= 0 and finite."""
    stripped = text.strip()
    if not _NUMBER.fullmatch(stripped):
        return None
    number = float(stripped)
    return number if math.isfinite(number) and number >= 0 else None


def _word_or_blank(character: str) -> str:
    # Letters, marks and numbers; in many scripts a vowel is a mark.
    return character if unicodedata.category(character)[0] in "LMN" else " "


def _fields(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        match = _LABEL.fullmatch(line)
        if match:
            label = "Bullet Point" if match["label"].startswith("Bullet") else match["label"]
            found.append((label, [match["rest"]]))
        elif found:
            found[-1][1].append(line)
    return [(label, "\n".join(lines).strip()) for label, lines in found]


def _unit(text: str) -> str:
    # What follows the unit's line belongs to no field.
    first = text.partition("\n")[0].strip()
    return "" if first.casefold() in {"none", "nan", "null", "n/a"} else first


def to_text(content: Content) -> str:
    r"""Write a product's fields as one catalog_content.

    Parameters
    ----------
    content : Content
        Line ends inside a field become blanks, so that no field can be taken for another.

    Returns
    -------
    str
        What the catalogue would say: a missing value is ``nan``, a missing unit ``None``, a
        single bullet has no number. Empty where every field is.

    Examples
    --------
    >>> to_text(Content("Tea", ("Black",), "", 20.0, "Count"))
    'Item Name: Tea\nBullet Point: Black\nValue: 20.0\nUnit: Count\n'
    """
    bullets = [line for line in map(_one_line, content.bullets) if line]
    description = _one_line(content.description)
    title, unit = _one_line(content.title), _one_line(content.unit)
    if not (title or bullets or description or unit or content.value is not None):
        return ""
    lines = [f"Item Name: {title}", *_bullet_lines(bullets)]
    if description:
        lines.append(f"Product Description: {description}")
    value = "nan" if content.value is None else repr(content.value)
    return "\n".join([*lines, f"Value: {value}", f"Unit: {unit or None}", ""])


def _bullet_lines(bullets: list[str]) -> list[str]:
    if len(bullets) == 1:
        return [f"Bullet Point: {bullets[0]}"]
    return [f"Bullet Point {number}: {text}" for number, text in enumerate(bullets, 1)]


def _one_line(text: str) -> str:
    lines = (line.strip() for line in text.splitlines())
    return " ".join(line for line in lines if line)


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
