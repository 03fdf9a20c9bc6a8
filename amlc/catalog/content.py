"""Parsing of catalog_content into title, bullets, description, value and unit."""

import math
import re
import unicodedata
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
