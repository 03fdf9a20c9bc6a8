"""A catalogue text laid out from several columns, each of which keeps its name."""

import re
from collections.abc import Sequence

from amlc.catalog.content import Content, is_missing, parse_number, render_content
from amlc.catalog.markup import plain_text
from amlc.catalog.units import NO_UNIT, find_unit

# A column whose name holds one of these words is a description.
_DESCRIPTIONS = ("description", "body")
_AMOUNT = re.compile(r"([\d.,]{1,20})\s*([^\W\d_][^\d]{0,30})", re.ASCII)


def lay_out(names: Sequence[str], cells: Sequence[str], quantity: str = "") -> str:
    r"""Lay out the fields of a product as a catalogue text.

    Parameters
    ----------
    names : sequence of str
        The names of the columns. The first one is the title; those whose names hold "description"
        or "body" are descriptions; each other one becomes a bullet point that begins with its name.
    cells : sequence of str
        Their cells; HTML becomes text, and words for a missing value count as empty.
    quantity : str
        An amount such as ``5 kg``; one without a known unit becomes a bullet point.

    Returns
    -------
    str
        As `amlc.catalog.content.parse_content` reads it; empty if every cell is.

    Examples
    --------
    >>> print(lay_out(["name", "brand_name", "description"], ["Tea", "Yogi", "<p>Good"], "2 oz"))
    Item Name: Tea
    Bullet Point: brand name: Yogi
    Product Description: Good
    Value: 2.0
    Unit: oz
    <BLANKLINE>
    """
    title, *values = ("" if is_missing(cell) else plain_text(cell) for cell in cells)
    bullets, descriptions = [], []
    for name, value in zip(names[1:], values, strict=True):
        if not value:
            continue
        if is_description(name):
            descriptions.append(value)
        else:
            bullets.append(f"{field_name(name)}: {value}")
    amount, unit = _amount(quantity)
    if amount is None and not is_missing(quantity):
        bullets.append(f"quantity: {plain_text(quantity)}")
    return render_content(Content(title, tuple(bullets), "\n".join(descriptions), amount, unit))


def field_name(name: str) -> str:
    """Return the name of a column as it stands before its value in a bullet point."""
    return name.replace("_", " ").strip()


def is_description(name: str) -> bool:
    """Return whether a column of text is a description, by its name."""
    return any(word in name.casefold() for word in _DESCRIPTIONS)


def _amount(quantity: str) -> tuple[float | None, str]:
    match = _AMOUNT.fullmatch(quantity.strip())
    if match is None or find_unit(match[2]) == NO_UNIT:
        return None, ""
    number = parse_number(match[1])
    return (None, "") if number is None else (number, match[2].strip())
