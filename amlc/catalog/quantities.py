"""Units of measure, and the quantities in a title: mass, volume, number of pieces and of packs."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

UnitKind = Literal["mass", "volume", "count", "length", "none"]
UNIT_KINDS: tuple[UnitKind, ...] = ("mass", "volume", "count", "length", "none")

# Units of measure.


@dataclass(frozen=True)
class Unit:
    """A unit of measure.

    Parameters
    ----------
    name : str
        Canonical name.
    kind : str
        One of `UNIT_KINDS`.
    factor : float
        Grams, millilitres, pieces or centimetres in one unit; ounces, gallons and the like are US
        customary units.
    """

    name: str
    kind: UnitKind
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


def find_unit(spelling: str) -> Unit:
    """Return the unit that a spelling stands for; `NO_UNIT` if it is unknown.

    Parameters
    ----------
    spelling : str
        In any case; dots, hyphens and the like count as spaces, and spaces at the ends do not
        count.

    Examples
    --------
    >>> find_unit(" Fl. Oz ").kind
    'volume'
    >>> find_unit("None").name
    'none'
    """
    # Longer than any spelling: a text of any length must not be kept in the cache.
    return _find_unit(spelling[:40])


@lru_cache(4096)
def _find_unit(spelling: str) -> Unit:
    return _BY_SPELLING.get(_PUNCTUATION.sub(" ", spelling.casefold()).strip(), NO_UNIT)


def unit_spellings(*kinds: UnitKind) -> tuple[str, ...]:
    """Return the known spellings of the units of some kinds, the longest first."""
    spellings = [spelling for spelling, unit in _BY_SPELLING.items() if unit.kind in kinds]
    return tuple(sorted(spellings, key=lambda spelling: (-len(spelling), spelling)))


def unit_pattern(*kinds: UnitKind) -> str:
    """Return a regular expression for the spellings of the units of some kinds.

    For a space in a spelling it accepts any number of dots, hyphens and white space.
    """
    return "|".join(spelling.replace(" ", r"[\s.\-]*") for spelling in unit_spellings(*kinds))


# Quantities in a title.

# Upper limits: a larger number is most likely an article number.
_MAX_PACKS = 2_000
_MAX_PIECES = 100_000

_NUMBER = r"(?P<number>\d{1,6}(?:\.\d{1,4})?|\.\d{1,4})"
_COUNT_WORDS = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8,
    "nine": 9, "ten": 10, "eleven": 11, "twelve": 12, "dozen": 12, "single": 1, "twin": 2,
}  # fmt: skip
_COUNT = rf"(?P<number>\d{{1,6}}|{'|'.join(_COUNT_WORDS)})"

# A unit has to follow its number directly and must not be the beginning of a longer word: "500 g"
# is an amount, "model 500gt" is not.
_AMOUNT = re.compile(
    rf"(?<![\w.]){_NUMBER}[\s\-]*(?P<unit>{unit_pattern('mass', 'volume')})(?![a-z])", re.ASCII
)
_PIECES = re.compile(
    rf"(?<![\w.]){_NUMBER}[\s\-]*(?:tea[\s\-]+)?(?P<unit>{unit_pattern('count')})(?![a-z])",
    re.ASCII,
)
_CONTAINER = "(?:bags|boxes|jars|cans|bottles|pouches|ct|count|pcs)"
# Patterns of pack counts, each after strings of which every match contains at least one. Most
# titles contain none of these, so that the slower search for the pattern is not needed.
PACK_PATTERNS = tuple(
    (substrings, re.compile(pattern, re.ASCII))
    for substrings, pattern in (
        (
            ("of",),
            rf"\b(?:pack|packs|case|set|box|bundle|lot|carton|tray)\s+of\s*:?\s*\(?{_COUNT}\b",
        ),
        (("pack", "pk"), rf"(?<![\w.]){_COUNT}[\s\-]*(?:pack|packs|pk|pks)\b"),
        (
            ("per", "/"),
            rf"(?<![\w.]){_COUNT}[\s\-]*(?:{_CONTAINER}\s+)?(?:per|/)\s*(?:case|pack|carton)\b",
        ),
        (("x",), rf"(?<![\w.]){_COUNT}\s*x\s*(?=\d)"),
        (("x",), rf"(?<=\d)\s*(?:oz|g|ml|lb|l)?\.?\s*x\s*{_COUNT}\b"),
    )
)
# Units of `_PIECES` that count packs.
_PACK_UNITS = frozenset({"pack", "packs", "pk", "pks", "package", "packages", "case", "set"})


@dataclass(frozen=True)
class Quantity:
    """The quantities that a title states; 0 for those that it does not state.

    Parameters
    ----------
    mass : float
        Grams: the largest stated amount.
    volume : float
        Millilitres: the largest stated amount.
    pieces : float
        The largest stated number of pieces.
    packs : float
        The product of the distinct stated pack counts, at most 2,000.
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
    amounts = [
        (float(match["number"]), find_unit(match["unit"])) for match in _AMOUNT.finditer(text)
    ]
    return Quantity(
        mass=_largest(amounts, "mass"),
        volume=_largest(amounts, "volume"),
        pieces=_pieces(text),
        packs=_packs(text),
    )


def _largest(amounts: list[tuple[float, Unit]], kind: UnitKind) -> float:
    return max((number * unit.factor for number, unit in amounts if unit.kind == kind), default=0.0)


def _pieces(text: str) -> float:
    counts = (
        float(match["number"])
        for match in _PIECES.finditer(text)
        if match["unit"] not in _PACK_UNITS
    )
    return min(max(counts, default=0.0), _MAX_PIECES)


def _packs(text: str) -> float:
    # The same count is often stated twice: "6 Pack (Pack of 6)".
    counts = {
        _count(match["number"])
        for substrings, pattern in PACK_PATTERNS
        if any(substring in text for substring in substrings)
        for match in pattern.finditer(text)
    }
    total = 1.0
    for count in sorted(counts):
        total *= max(count, 1.0)
    return min(total, _MAX_PACKS) if counts else 0.0


def _count(text: str) -> float:
    return float(_COUNT_WORDS.get(text, 0) or text)
