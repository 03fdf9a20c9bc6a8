"""Units of measure, and the quantities that a title states: amount per piece, pieces, packs."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

Kind = Literal["mass", "volume", "count", "length", "none"]
KINDS: tuple[Kind, ...] = ("mass", "volume", "count", "length", "none")


@dataclass(frozen=True)
class Unit:
    """A unit of measure.

    Parameters
    ----------
    name : str
        Canonical name.
    kind : str
        One of `KINDS`.
    factor : float
        How many grams, millilitres, pieces or centimetres one of it is; US customary units.
    """

    name: str
    kind: Kind
    factor: float


NO_UNIT = Unit("none", "none", 1.0)

# Factors: NIST Handbook 44, appendix C (avoirdupois and US liquid measure).
_SPELLINGS: dict[Unit, str] = {
    Unit("ounce", "mass", 28.349523125): "oz|ounce|ounces|ozs|onz|onza|onzas|oz av",
    Unit("pound", "mass", 453.59237): "lb|lbs|pound|pounds",
    Unit("gram", "mass", 1.0): "g|gr|gm|gms|gram|grams|gramm|gramme|grammes",
    Unit("kilogram", "mass", 1000.0): "kg|kgs|kilo|kilos|kilogram|kilograms",
    Unit("milligram", "mass", 0.001): "mg|mgs|milligram|milligrams",
    Unit("fluid ounce", "volume", 29.5735295625): (
        "fl oz|floz|fl ozs|fl ounce|fl ounces|fluid oz|fluid ounce|fluid ounces|fz|oz fl|fl"
    ),
    Unit("millilitre", "volume", 1.0): "ml|mls|millilitre|millilitres|milliliter|milliliters|cc",
    Unit("centilitre", "volume", 10.0): "cl|centilitre|centiliter|centilitres|centiliters",
    Unit("litre", "volume", 1000.0): "l|lt|ltr|litre|litres|liter|liters",
    Unit("gallon", "volume", 3785.411784): "gal|gallon|gallons",
    Unit("quart", "volume", 946.352946): "qt|quart|quarts",
    Unit("pint", "volume", 473.176473): "pt|pint|pints",
    Unit("count", "count", 1.0): (
        "count|counts|ct|cts|each|ea|unit|units|piece|pieces|pc|pcs|item|items|per box|per package"
        "|pair|pairs|serving|servings"
    ),
    Unit("pack", "count", 1.0): "pack|packs|pk|pks|package|packages|case|cases|set|sets",
    Unit("container", "count", 1.0): (
        "jar|jars|bottle|bottles|box|boxes|bag|bags|can|cans|packet|packets|pouch|pouches|tin|tins"
        "|tub|tubs|tube|tubes|bucket|buckets|carton|cartons|bundle|bundles"
    ),
    Unit("portion", "count", 1.0): (
        "tea bags|tea bag|teabag|teabags|pod|pods|k cup|k cups|capsule|capsules|bar|bars|stick"
        "|sticks|sachet|sachets|cookie|cookies|tablet|tablets"
    ),
    Unit("inch", "length", 2.54): "in|inch|inches",
    Unit("foot", "length", 30.48): "ft|foot|feet",
    Unit("yard", "length", 91.44): "yd|yard|yards",
    Unit("centimetre", "length", 1.0): "cm|centimetre|centimetres|centimeter|centimeters",
    Unit("metre", "length", 100.0): "m|metre|metres|meter|meters",
}
_BY_SPELLING = {
    spelling: unit for unit, spellings in _SPELLINGS.items() for spelling in spellings.split("|")
}
UNIT_NAMES = tuple(sorted({unit.name for unit in (*_SPELLINGS, NO_UNIT)}))
_PUNCTUATION = re.compile(r"[\s.\-_()]+")


def lookup(raw: str) -> Unit:
    """Return the unit that a raw spelling means; `NO_UNIT` where it is none that is known.

    Parameters
    ----------
    raw : str
        Any case, with or without dots, hyphens and blanks at the ends.

    Examples
    --------
    >>> lookup(" Fl. Oz ").kind
    'volume'
    >>> lookup("None").name
    'none'
    """
    return _lookup(raw[:40])


@lru_cache(4096)
def _lookup(raw: str) -> Unit:
    return _BY_SPELLING.get(_PUNCTUATION.sub(" ", raw.casefold()).strip(), NO_UNIT)


def spellings(*kinds: Kind) -> tuple[str, ...]:
    """Return the known spellings of some kinds, the longest first, for use in a pattern."""
    found = [spelling for spelling, unit in _BY_SPELLING.items() if unit.kind in kinds]
    return tuple(sorted(found, key=lambda spelling: (-len(spelling), spelling)))


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
