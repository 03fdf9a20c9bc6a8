"""Split a title into numbers, words and signs, and tell what the words beside a number count."""

import math
import re
from typing import NamedTuple

from amlc.catalog.normalization import nfkc
from amlc.catalog.units import Unit, unit_spellings

# Only this much of a title is read.
_MAX_CHARS = 2_000
# A number with more characters is a code.
_MAX_DIGITS = 12

# Words.


def word_set(words: str) -> frozenset[str]:
    """Return the words of a text."""
    return frozenset(words.split())


NUMBER_WORDS = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8,
    "nine": 9, "ten": 10, "eleven": 11, "twelve": 12, "single": 1, "twin": 2, "dozen": 12,
}  # fmt: skip
PACKS = word_set("pack packs pk pks pck package packages pkg case cases cs set sets")
CONTAINERS = word_set(
    "jar jars bottle bottles box boxes can cans pouch pouches tin tins tub tubs tube tubes bucket "
    "buckets carton cartons canister canisters container containers jug jugs"
)
# These hold pieces, but a number of tea bags is one of pieces.
BAGS = frozenset({"bag", "bags"})
_TEA = frozenset({"tea", "teas", "teabag", "teabags"})
_NOT_PIECES = word_set("serving servings bundle bundles") | {"per box", "per package"}
PIECES = frozenset(unit_spellings("count")) - PACKS - CONTAINERS - BAGS - _NOT_PIECES | word_set(
    "roll rolls sheet sheets stem stems wrap wraps roses tortillas muffins buns crackers "
    "candies lollipops pops suckers gummies filters beans cakes donuts brownies wipes liners "
    "slices strips caplets softgels pellets envelopes shots biscuits wafers truffles coins"
)
LENGTHS = frozenset(unit_spellings("length")) | {"mm", '"', "'", "h", "w", "d", "l in"}
# Milligrams are doses, never the amount of a product.
AMOUNTS = frozenset(
    spelling for spelling in unit_spellings("mass", "volume") if not spelling.startswith("m")
) | {"ml", "mls", "millilitre", "millilitres", "milliliter", "milliliters"}
# Cups are an amount only in fractions: "36 cups" are pieces, or what a product makes.
CUPS = frozenset({"cup", "cups"})
CUP = Unit("cup", "volume", 236.5882365)


class Role(NamedTuple):
    """What the words after a number say that it counts.

    Parameters
    ----------
    name : str
        ``amount``, ``piece``, ``container``, ``pack``, ``length``, or empty.
    end : int
        The position after these words.
    words : str
        As in the title; empty if the name is.
    """

    name: str
    end: int
    words: str = ""


_ROLES = {
    words: name
    for name, every in (
        ("length", LENGTHS),
        ("pack", PACKS),
        ("container", CONTAINERS | BAGS),
        ("piece", PIECES),
        ("amount", AMOUNTS),
    )
    for words in every
}

# Tokens.

_FRACTION = "1/2"
_VULGAR = {
    "½": " 1/2", "¼": " 1/4", "¾": " 3/4", "⅓": " 1/3", "⅔": " 2/3", "⅛": " 1/8", "⅜": " 3/8",
    "⅝": " 5/8", "⅞": " 7/8", "⅕": " 1/5", "⅙": " 1/6",
}  # fmt: skip
_REPLACED = (
    _VULGAR | dict.fromkeys("–—−‐‑", "-") | dict.fromkeys("″”“", '"') | {"×": "x", "⁄": "/"}  # noqa: RUF001 - these characters are what is replaced
)
_SIGN = re.compile(f"[{''.join(_REPLACED)}]")
# A word in lower case that runs into the next: "9ozBag".
_RUN_ON = re.compile(r"(?<=[a-z]{2})(?=[A-Z][A-Za-z])")
# A number with a decimal comma, if a unit follows: "0,5 kg".
_DECIMAL_COMMA = re.compile(
    r"(?<![\d.,/])(?:0,\d{1,3}|[1-9]\d{0,3},\d{1,2})(?=[\s\-]{0,3}(?:"
    + "|".join(sorted(AMOUNTS, key=lambda words: (-len(words), words)))
    + r")(?![a-z]))"
)
_TOKEN = re.compile(
    r"(?P<space>\s*)(?:"
    r"(?<![\d./,])(?:(?P<whole>\d{1,3})(?: {1,2}|- ?))?"
    r"(?P<top>\d{1,2})/(?P<bottom>\d{1,2})(?![\d./])"
    r"|(?P<number>[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?(?!\d)|\d+(?:\.\d+)?|\.\d+)"
    r"|(?P<other>[^\W\d_]+|\S))"
)


def ascii_signs(text: str) -> str:
    """Return a text in Unicode's form NFKC, its fractions, dashes and quotes written in ASCII.

    Examples
    --------
    >>> ascii_signs("1½ lb \N{EN DASH} 2 oz")
    '1 1/2 lb - 2 oz'
    """
    if text.isascii():
        return text
    return nfkc(_SIGN.sub(lambda match: _REPLACED[match[0]], text))


def with_decimal_points(text: str) -> str:
    """Return a text with the decimal commas of amounts as points.

    Examples
    --------
    >>> with_decimal_points("0,5 kg, 1,000 g")
    '0.5 kg, 1,000 g'
    """
    if "," not in text:
        return text
    return _DECIMAL_COMMA.sub(lambda match: match[0].replace(",", "."), text)


class Title:
    """The tokens of a title.

    Parameters
    ----------
    title : str
        As written; only its first 2,000 characters are read.

    Attributes
    ----------
    texts : list of str
        Of each token, in lower case. The last ones are empty, so that looking a few tokens ahead,
        or behind the first one, needs no check.
    values : list of float
        The number that a token is; 0 for words, signs and numbers that are part of a name.
    joined : list of bool
        Whether a token follows the one before it without a space.

    Examples
    --------
    >>> Title("1 ½ lb (Pack of 1,200)").values[:6]
    [1.5, 0.0, 0.0, 0.0, 0.0, 1200.0]
    """

    _PADDING = 8

    def __init__(self, title: str) -> None:
        self.texts: list[str] = []
        self.values: list[float] = []
        self.joined: list[bool] = []
        text = ascii_signs(title[:_MAX_CHARS])[:_MAX_CHARS]
        text = _RUN_ON.sub(" ", text).lower().rstrip()
        text = with_decimal_points(text)
        for space, whole, top, bottom, number, other in _TOKEN.findall(text):
            joined = not space
            if other:
                self._add(other, float(NUMBER_WORDS.get(other, 0)), joined=joined)
            elif number:
                self._add_number(number, joined=joined)
            else:
                self._add_fraction(whole, int(top), int(bottom), joined=joined)
        self.end = len(self.texts)
        self._has_tea = not _TEA.isdisjoint(self.texts)
        self.texts += [""] * self._PADDING
        self.values += [0.0] * self._PADDING
        self.joined += [False] * self._PADDING

    def _add(self, text: str, value: float, *, joined: bool) -> None:
        self.texts.append(text)
        self.values.append(value)
        self.joined.append(joined)

    def _add_number(self, text: str, *, joined: bool) -> None:
        before = self.texts[-1] if self.texts else ""
        is_name = joined and before[-1:].isalpha() and before not in {"of", "x"}
        is_code = is_name or before in {"#", "no"} or len(text) > _MAX_DIGITS
        self._add(text, 0.0 if is_code else float(text.replace(",", "")), joined=joined)

    def _add_fraction(self, whole: str, top: int, bottom: int, *, joined: bool) -> None:
        """Add one token for "1/2" or "1 1/2", but several for "16/4", which is 16 packs of 4."""
        if 0 < top < bottom <= 16 and math.gcd(top, bottom) == 1:
            self._add(_FRACTION, int(whole or 0) + top / bottom, joined=joined)
            return
        if whole:
            self._add_number(whole, joined=joined)
        self._add_number(str(top), joined=joined and not whole)
        self._add("/", 0.0, joined=True)
        self._add_number(str(bottom), joined=True)

    def count(self, position: int) -> float:
        """Return the number at a position if it is a whole one, else 0."""
        value = self.values[position]
        return value if value.is_integer() else 0.0

    def skip(self, position: int, *texts: str) -> int:
        """Return the first position, from a given one on, that has none of these texts."""
        while self.texts[position] in texts:
            position += 1
        return position

    def role(self, position: int) -> Role:
        """Return what the words at a position say that a number before them counts."""
        position = self.skip(position, "-", ".", "+", "er")
        first = self.texts[position]
        if first in CUPS and self.texts[position - 1] == _FRACTION:
            return Role("amount", position + 1, first)
        second = self.skip(position + 1, ".", "-")
        pair = f"{first} {self.texts[second]}"
        for words, end in ((pair, second + 1), (first, position + 1)):
            if name := _ROLES.get(words):
                return Role("piece" if words in BAGS and self._has_tea else name, end, words)
        return Role("", position)
