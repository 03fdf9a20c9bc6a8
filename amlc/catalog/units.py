"""Units of measure, and their spellings in catalogues."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

UnitKind = Literal["mass", "volume", "count", "length", "none"]
UNIT_KINDS: tuple[UnitKind, ...] = ("mass", "volume", "count", "length", "none")


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
