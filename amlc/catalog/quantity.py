"""Quantities that a title states: amount per piece, pieces, packs."""

import re
from dataclasses import dataclass

from amlc.catalog.units import lookup, spellings

# No product comes in more; a larger number is an article number or a year gone astray.
_MOST_PACKS = 2_000
_MOST_PIECES = 100_000

_NUMBER = r"(?P<number>\d{1,6}(?:\.\d{1,4})?|\.\d{1,4})"
_WORDS = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8,
    "nine": 9, "ten": 10, "eleven": 11, "twelve": 12, "dozen": 12, "single": 1, "twin": 2,
}  # fmt: skip
_COUNT_WORD = rf"(?P<number>\d{{1,6}}|{'|'.join(_WORDS)})"


def _unit_pattern(*kinds: str) -> str:
    # A blank in a spelling stands for any dots, hyphens and blanks.
    return "|".join(name.replace(" ", r"[\s.\-]*") for name in spellings(*kinds))  # type: ignore[arg-type]  # the two callers pass kinds


# A single letter is a unit only right behind its number: "500 g", not "vitamin C 1000 m".
_AMOUNT = re.compile(
    rf"(?<![\w.]){_NUMBER}[\s\-]*(?P<unit>{_unit_pattern('mass', 'volume')})(?![a-z])", re.ASCII
)
_PIECES = re.compile(
    rf"(?<![\w.]){_NUMBER}[\s\-]*(?:tea[\s\-]+)?(?P<unit>{_unit_pattern('count')})(?![a-z])",
    re.ASCII,
)
_CONTAINER = "(?:bags|boxes|jars|cans|bottles|pouches|ct|count|pcs)"
# Each pattern stands behind texts of which a match holds one: they are found in no time.
_PACKS = tuple(
    (held, re.compile(pattern, re.ASCII))
    for held, pattern in (
        (
            ("of",),
            rf"\b(?:pack|packs|case|set|box|bundle|lot|carton|tray)\s+of\s*:?\s*\(?{_COUNT_WORD}\b",
        ),
        (("pack", "pk"), rf"(?<![\w.]){_COUNT_WORD}[\s\-]*(?:pack|packs|pk|pks)\b"),
        (
            ("per", "/"),
            rf"(?<![\w.]){_COUNT_WORD}[\s\-]*(?:{_CONTAINER}\s+)?(?:per|/)\s*(?:case|pack|carton)\b",
        ),
        (("x",), rf"(?<![\w.]){_COUNT_WORD}\s*x\s*(?=\d)"),
        (("x",), rf"(?<=\d)\s*(?:oz|g|ml|lb|l)?\.?\s*x\s*{_COUNT_WORD}\b"),
    )
)
_PACK_WORDS = frozenset({"pack", "packs", "pk", "pks", "package", "packages", "case", "set"})


@dataclass(frozen=True)
class Quantity:
    """What a title says of its quantity; zero where it says nothing.

    Parameters
    ----------
    mass : float
        Grams: the largest stated amount.
    volume : float
        Millilitres: the largest stated amount.
    pieces : float
        The largest stated number of pieces.
    packs : float
        The product of the distinct stated pack counts, bounded.
    """

    mass: float
    volume: float
    pieces: float
    packs: float


def parse_quantity(title: str) -> Quantity:
    """Read amounts, pieces and packs from a title.

    Parameters
    ----------
    title : str
        As written; only its first 2,000 characters are read.

    Examples
    --------
    >>> parse_quantity("Lemon Soda, 12 Fl Oz Cans, Pack of 6").packs
    6.0
    >>> round(parse_quantity("Lemon Soda, 12 Fl Oz Cans, Pack of 6").volume)
    355
    """
    text = title[:2_000].lower()
    amounts = [(float(m["number"]), lookup(m["unit"])) for m in _AMOUNT.finditer(text)]
    return Quantity(
        mass=max((n * unit.factor for n, unit in amounts if unit.kind == "mass"), default=0.0),
        volume=max((n * unit.factor for n, unit in amounts if unit.kind == "volume"), default=0.0),
        pieces=_pieces(text),
        packs=_packs(text),
    )


def _pieces(text: str) -> float:
    stated = (
        float(match["number"])
        for match in _PIECES.finditer(text)
        if match["unit"] not in _PACK_WORDS
    )
    return min(max(stated, default=0.0), _MOST_PIECES)


def _packs(text: str) -> float:
    # The same count is often stated twice: "6 Pack (Pack of 6)".
    counts = {
        _count(match["number"])
        for held, pattern in _PACKS
        if any(some in text for some in held)
        for match in pattern.finditer(text)
    }
    total = 1.0
    for count in sorted(counts):
        total *= max(count, 1.0)
    return min(total, _MOST_PACKS) if counts else 0.0


def _count(text: str) -> float:
    return float(_WORDS.get(text, 0) or text)
