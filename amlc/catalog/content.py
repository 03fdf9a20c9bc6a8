"""Catalogue texts: parse one into its fields, render fields as one, leave out a part of one."""

import math
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

_TITLE, _BULLET, _DESCRIPTION = "Item Name", "Bullet Point", "Product Description"
_VALUE, _UNIT = "Value", "Unit"
# The labels of fields that a text may have several times.
_NUMBERED = rf"(?P<numbered>{_BULLET}|{_DESCRIPTION})(?: ?\d+)?"
# A line that starts a field.
_LABELLED_LINE = re.compile(
    rf"(?:{_NUMBERED}|(?P<single>{_TITLE}|{_VALUE}|{_UNIT})) ?:(?P<rest>.*)",
    re.ASCII | re.IGNORECASE,
)
# The white space before a label, in a text that is one line. Words like these are common in titles,
# so a value counts only with the number or the unit that follows it.
_INNER_LABEL = re.compile(
    rf"(?<!\s)\s+(?=(?:{_BULLET}|{_DESCRIPTION})(?: ?\d+)? ?:"
    rf"|{_VALUE} ?: ?\S{{1,30}}\s{{1,3}}{_UNIT} ?:|{_VALUE} ?: ?[\d.,]{{1,30}}\Z)",
    re.ASCII | re.IGNORECASE,
)
_UNIT_AFTER_VALUE = re.compile(rf"(?<!\s)\s+(?={_UNIT} ?:)", re.ASCII | re.IGNORECASE)
_ESCAPED_BREAK = re.compile(r"(?:\\r)?\\n")
_NUMBER = re.compile(
    r"[+-]?(?:(?:\d+|\d{1,3}(?:,\d{3})+)(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII
)
# What programs write for a missing value.
_MISSING = frozenset({"none", "nan", "null", "n/a", "na", "nat", "<na>", "#n/a"})
# Runs of ASCII characters that are neither letters nor digits.
_NOT_WORD = re.compile(r"[ \x00-\x2f\x3a-\x40\x5b-\x60\x7b-\x7f]+")


@dataclass(frozen=True)
class Content:
    """The fields of one catalog_content.

    Parameters
    ----------
    title, description : str
        Empty if the text has none.
    bullets : tuple of str
        In the order of the text.
    value : float or None
        A finite number that is not negative; None if it is missing or anything else (``None``,
        ``nan``).
    unit : str
        As written; empty if it is missing.
    """

    title: str
    bullets: tuple[str, ...]
    description: str
    value: float | None
    unit: str


# Parsing.


def parse_content(text: str) -> Content:
    r"""Parse one catalog_content.

    Parameters
    ----------
    text : str
        Lines that start with ``Item Name:``, ``Bullet Point N:``, ``Product Description:``,
        ``Value:`` or ``Unit:``, in any case; a line without a label continues the field above it.
        In a text without any label the first line is the title and the rest is the description.

    Returns
    -------
    Content
        If a field occurs several times, the first title counts, but the last value and unit: these
        stand at the end of a text, and a line above them that looks like one of them belongs to a
        bullet point. Several descriptions are joined. Words for a missing value, such as ``nan``,
        make a field empty.

    Examples
    --------
    >>> parse_content("Item Name: Tea, 20 Bags\nValue: 20.0\nUnit: Count\n").value
    20.0
    """
    usual = usual_form(text)
    fields = _fields(usual)
    if not fields:
        title, _, description = usual.strip().partition("\n")
        return Content(title.strip(), (), description.strip(), None, "")
    by_label: dict[str, list[str]] = {}
    for label, content in fields:
        by_label.setdefault(label, []).append(content)
    return Content(
        title=_present(by_label.get(_TITLE, [""])[0]),
        bullets=tuple(filter(_present, by_label.get(_BULLET, []))),
        description="\n".join(filter(_present, by_label.get(_DESCRIPTION, []))),
        value=parse_number(by_label.get(_VALUE, [""])[-1]),
        # Lines below that of the unit do not belong to any field.
        unit=_present(by_label.get(_UNIT, [""])[-1].partition("\n")[0].strip()),
    )


def title_of(text: str) -> str:
    """Return the title of one catalog_content."""
    return parse_content(text).title


def usual_form(text: str) -> str:
    r"""Return a text with one line per field, also if it came as one line.

    Parameters
    ----------
    text : str
        As in the column ``catalog_content``. If it is one line, a backslash and ``n`` count as a
        line break; if it still is and begins with a label, a line begins at each label.

    Returns
    -------
    str
        Any other text as it is; empty if it is a word for a missing value.

    Examples
    --------
    >>> usual_form("Item Name: Great Value: Tea Bullet Point: Black Value: 20 Unit: Count")
    'Item Name: Great Value: Tea\nBullet Point: Black\nValue: 20\nUnit: Count'
    """
    line = text.strip()
    if is_missing(line):
        return ""
    if "\n" in line or len(line.splitlines()) > 1:
        return text
    if "\\n" in line:
        return _ESCAPED_BREAK.sub("\n", line)
    if not _LABELLED_LINE.fullmatch(line):
        return text
    *lines, last = _INNER_LABEL.split(line)
    if last[: len(_VALUE)].casefold() == _VALUE.casefold():
        last = _UNIT_AFTER_VALUE.sub("\n", last, count=1)
    return "\n".join([*lines, last])


def is_missing(text: str) -> bool:
    """Return whether a text is a word that programs write for a missing value, or empty.

    Examples
    --------
    >>> is_missing(" NaN "), is_missing("Naan")
    (True, False)
    """
    word = text.strip()
    return not word or (len(word) <= 4 and word.casefold() in _MISSING)


def _present(text: str) -> str:
    return "" if is_missing(text) else text


def normalised_title(title: str) -> str:
    """Return a title in lower case with a single space for any punctuation and white space.

    Examples
    --------
    >>> normalised_title("  Judee's BLUE-Cheese, 11.25 oz ")
    'judee s blue cheese 11 25 oz'
    """
    folded = unicodedata.normalize("NFKC", title).casefold()
    if not folded.isascii():
        # Letters, marks and numbers are kept; in many scripts vowels are marks.
        folded = "".join(c if unicodedata.category(c)[0] in "LMN" else " " for c in folded)
    return _NOT_WORD.sub(" ", folded).strip()


def parse_number(text: str) -> float | None:
    """Return the decimal number in a text; None if it is not one, negative or not finite.

    Examples
    --------
    >>> parse_number("1,000.0"), parse_number("1,5")
    (1000.0, None)
    """
    stripped = text.strip()
    if not _NUMBER.fullmatch(stripped):
        return None
    number = float(stripped.replace(",", ""))
    return number if math.isfinite(number) and number >= 0 else None


def _fields(text: str) -> list[tuple[str, str]]:
    """Return the label and the content of each field, in the order of the text."""
    fields: list[tuple[str, list[str]]] = []
    for line in map(str.strip, text.splitlines()):
        match = _LABELLED_LINE.fullmatch(line)
        if match:
            fields.append((_label(match), [match["rest"]]))
        elif fields:
            fields[-1][1].append(line)
    return [(label, "\n".join(lines).strip()) for label, lines in fields]


def _label(match: re.Match[str]) -> str:
    return (match["numbered"] or match["single"]).title()


# Rendering.


def render_content(content: Content) -> str:
    r"""Write a product's fields as one catalog_content.

    Parameters
    ----------
    content : Content
        Line breaks inside a field become spaces, so that its lines cannot be taken for other
        fields.

    Returns
    -------
    str
        In the catalogue's format: a missing value is ``nan``, a missing unit is ``None``, and a
        single bullet has no number. Empty if every field is.

    Examples
    --------
    >>> render_content(Content("Tea", ("Black",), "", 20.0, "Count"))
    'Item Name: Tea\nBullet Point: Black\nValue: 20.0\nUnit: Count\n'
    """
    bullets = [line for line in map(_one_line, content.bullets) if line]
    description = _one_line(content.description)
    title, unit = _one_line(content.title), _one_line(content.unit)
    if not (title or bullets or description or unit or content.value is not None):
        return ""
    lines = [f"{_TITLE}: {title}"]
    if len(bullets) == 1:
        lines.append(f"{_BULLET}: {bullets[0]}")
    else:
        lines += [f"{_BULLET} {number}: {bullet}" for number, bullet in enumerate(bullets, 1)]
    if description:
        lines.append(f"{_DESCRIPTION}: {description}")
    value = "nan" if content.value is None else repr(content.value)
    return "\n".join([*lines, f"{_VALUE}: {value}", f"{_UNIT}: {unit or None}", ""])


def _one_line(text: str) -> str:
    lines = (line.strip() for line in text.splitlines())
    return " ".join(line for line in lines if line)


# Leaving a part out.

# Words of a title that are never left out, mostly the brand: a product without a title would be
# unlike any other.
KEPT_WORDS = 3

TITLE = f"title after its first {KEPT_WORDS} words"
BULLETS, DESCRIPTION, QUANTITY = "bullet points", "description", "value and unit"
_LABELS_OF_PART = {
    BULLETS: frozenset({_BULLET}),
    DESCRIPTION: frozenset({_DESCRIPTION}),
    QUANTITY: frozenset({_VALUE, _UNIT}),
}


def without_parts(text: str) -> Iterator[tuple[str, str]]:
    r"""Yield the name of each part that a text has, and the text without that part.

    Parameters
    ----------
    text : str
        As in the column ``catalog_content``.

    Yields
    ------
    part, rest : str
        Only for parts that hold information.

    Examples
    --------
    >>> dict(without_parts("Item Name: Tea\nValue: 20.0\nUnit: Count"))
    {'value and unit': 'Item Name: Tea'}
    """
    lines = list(_lines_with_labels(usual_form(text)))
    shorter = [_shorten_title(line) if label == _TITLE else line for label, line in lines]
    if any(line != short for (_, line), short in zip(lines, shorter, strict=True)):
        yield TITLE, "\n".join(shorter)
    content = parse_content(text)
    # `render_content` writes a missing amount as the lines `Value: nan` and `Unit: None`.
    is_given = {
        BULLETS: bool(content.bullets),
        DESCRIPTION: bool(content.description),
        QUANTITY: content.value is not None or bool(content.unit),
    }
    for part, labels in _LABELS_OF_PART.items():
        rest = [line for label, line in lines if label not in labels]
        if is_given[part] and len(rest) < len(lines):
            yield part, "\n".join(rest)


def _lines_with_labels(text: str) -> Iterator[tuple[str, str]]:
    """Yield the label of each line's field, and the line.

    Lines above the first label have an empty one. In a text without any label the first line is
    the title and the rest is the description.
    """
    lines = text.splitlines()
    matches = [_LABELLED_LINE.fullmatch(line.strip()) for line in lines]
    if not any(matches):
        for number, line in enumerate(lines):
            yield _DESCRIPTION if number else _TITLE, line
        return
    label = ""
    for line, match in zip(lines, matches, strict=True):
        label = _label(match) if match else label
        yield label, line


def _shorten_title(line: str) -> str:
    match = _LABELLED_LINE.fullmatch(line.strip())
    head, title = (f"{_TITLE}: ", match["rest"]) if match else ("", line)
    words = title.split()
    return head + " ".join(words[:KEPT_WORDS]) if len(words) > KEPT_WORDS else line
