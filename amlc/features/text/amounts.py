"""Write the amounts and packs of a text in one form, however its author wrote them."""

import math
import re

from amlc.catalog.title_tokens import with_decimal_points
from amlc.catalog.units import unit_pattern

_MAX_PACKS = 2_000
_MASS_OR_VOLUME = unit_pattern("mass", "volume")
_PIECES = "counts?|cts?|pieces?|pcs?"
_DECIMALS = r"(?:\.\d{1,4})?"
_BEFORE_UNIT = r"[\s\-]{0,3}"
_TIMES = r"[\s\-]{0,2}x\s{0,2}"
# Lookbehinds follow the first digit, because the search for a pattern is much faster if it begins
# with a set of characters.
_COUNT = r"\d(?<![\w.,/].)\d{0,3}"
_CONTENT = (
    rf"((?:\d{{1,5}}{_DECIMALS}|\.\d{{1,4}}){_BEFORE_UNIT}(?:{_MASS_OR_VOLUME})"
    rf"|\d{{1,5}}{_BEFORE_UNIT}(?:{_PIECES}))(?![a-z])"
)

# What a text has in which one of the patterns below may match; these searches are much faster.
_MAYBE_COMMA, _MAYBE_QUOTIENT = re.compile(r",\d"), re.compile(r"/\d")
_MAYBE_TIMES = re.compile(r"x\s{0,2}[\d.]")

# "1,000".
_GROUPED = re.compile(r"[1-9](?<![\d.,].)\d{0,2}(?:,\d{3}){1,2}(?![\d,])", re.ASCII)
# "1/2 lb", "1 1/2 lb", "1-1/2 lb".
_FRACTION = re.compile(
    r"\d(?<![\d./,].)\d{0,2}(?:(?:\s{1,2}|-\s?)(\d{1,2}))?/(\d{1,2})"
    rf"(?={_BEFORE_UNIT}(?:{_MASS_OR_VOLUME})(?![a-z]))",
    re.ASCII,
)
# "16/4 oz", "6/3 ct".
_RATIO = re.compile(rf"({_COUNT})/{_CONTENT}", re.ASCII)
# "3 x 100 g", "2 x 3 x 100 g".
_TIMES_CONTENT = re.compile(rf"({_COUNT}(?:{_TIMES}\d{{1,4}}){{0,2}}){_TIMES}{_CONTENT}", re.ASCII)
# "100 g x 3", but not "8 oz x 10 in".
_CONTENT_TIMES = re.compile(
    rf"(\d(?<![\w.,/].)\d{{0,4}}{_DECIMALS}{_BEFORE_UNIT}(?:{_MASS_OR_VOLUME}))\.?{_TIMES}"
    rf"(\d{{1,4}})\b(?!\.\d|{_TIMES}\d"
    rf"|{_BEFORE_UNIT}(?:{unit_pattern('mass', 'volume', 'length')})(?![a-z]))",
    re.ASCII,
)


def usual_amounts(text: str) -> str:
    """Return a text with its amounts and packs in their most frequent form.

    Grouped numbers and fractions become decimal numbers, and a number of packs follows the amount
    or the number of pieces in each.

    Parameters
    ----------
    text : str
        In lower case, as `amlc.catalog.title_tokens.ascii_signs` returns it.

    Examples
    --------
    >>> usual_amounts("pantry salt, 3 x 100 g")
    'pantry salt, 100 g (pack of 3)'
    >>> usual_amounts("1 1/2 lb, 1,000 count, 16/4 oz")
    '1.5 lb, 1000 count, 4 oz (pack of 16)'
    """
    if _MAYBE_COMMA.search(text):
        text = _GROUPED.sub(lambda match: match[0].replace(",", ""), with_decimal_points(text))
    if _MAYBE_QUOTIENT.search(text):
        text = _RATIO.sub(_content_first, _FRACTION.sub(_decimal, text))
    if _MAYBE_TIMES.search(text):
        text = _CONTENT_TIMES.sub(r"\1 (pack of \2)", _TIMES_CONTENT.sub(_content_first, text))
    return text


def _decimal(match: re.Match[str]) -> str:
    first = re.match(r"\d+", match[0])
    assert first is not None
    whole, top = (int(first[0]), int(match[1])) if match[1] else (0, int(first[0]))
    bottom = int(match[2])
    # As for titles: other quotients, such as "16/4 oz", are packs and an amount.
    is_fraction = 0 < top < bottom <= 16 and math.gcd(top, bottom) == 1
    return f"{whole + top / bottom:.4f}".rstrip("0") if is_fraction else match[0]


def _content_first(match: re.Match[str]) -> str:
    packs = math.prod(map(int, re.findall(r"\d+", match[1])))
    return f"{match[2]} (pack of {packs})" if 0 < packs <= _MAX_PACKS else match[0]
