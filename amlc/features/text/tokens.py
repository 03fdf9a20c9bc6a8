"""Split catalogue texts into word or character n-grams, with numbers joined to their unit."""

import re

from amlc.catalog.title_tokens import ascii_signs
from amlc.catalog.units import find_unit, unit_pattern
from amlc.features.text.amounts import usual_amounts

_UNIT = unit_pattern("mass", "volume", "count", "length")
# The lookbehind follows the first digit or dot, because the search for a pattern is much faster if
# it begins with a set of characters.
_NUMBER = r"[\d.](?<![\w.].)(?:(?<=\d)\d{0,5}(?:\.\d{1,4})?|(?<=\.)\d{1,4})"
_WITH_UNIT = re.compile(rf"({_NUMBER})[\s\-]*({_UNIT})(?![a-z])\.?", re.ASCII)
_OF_COUNT = r"of\s*(\d{1,4})\b"
_ANY_OF_COUNT = re.compile(_OF_COUNT, re.ASCII)
_PACK_OF_COUNT = re.compile(rf"\b(?:pack|case|set|box|bundle|lot)\s+{_OF_COUNT}", re.ASCII)
# Punctuation that is part of a word inside it, but not at its ends.
INNER_PUNCTUATION = ".'"
_WORD_CHARACTERS = INNER_PUNCTUATION + "_"
_OTHER_THAN_WORD_OR_ASCII = re.compile(r"[^\x00-\x7f\w]")
# Maps ASCII bytes that are not part of a word to a space, and keeps the bytes of other characters.
_SPACES = bytes(
    byte if byte >= 0x80 or chr(byte).isalnum() or chr(byte) in _WORD_CHARACTERS else ord(" ")
    for byte in range(256)
)


def join_numbers(text: str) -> str:
    """Return the text in lower case, with each number joined to the unit beside it.

    Amounts and packs are written in one form, so that "2 x 4 oz" and "4 oz (Pack of 2)" are equal.

    Parameters
    ----------
    text : str
        Any text.

    Examples
    --------
    >>> join_numbers("Lemon Soda, 12 Fl. Oz (Pack of 6)")
    'lemon soda, 12fluid_ounce (6pack)'
    """
    folded = _WITH_UNIT.sub(_joined, usual_amounts(ascii_signs(text).lower()))
    if _ANY_OF_COUNT.search(folded):
        folded = _PACK_OF_COUNT.sub(r"\1pack", folded)
    return folded.strip()


def _joined(match: re.Match[str]) -> str:
    number, unit = match.groups()
    name = find_unit(unit).name.replace(" ", "_")
    following = match.string[match.end() : match.end() + 1]
    return f"{float(number):g}{name}{' ' if following.isalnum() else ''}"


def words(text: str) -> list[str]:
    """Split a text into words: letters and digits, with underscores, and . and ' only inside.

    Examples
    --------
    >>> words("mom's tea. 1.5ounce - no. 1")
    ["mom's", 'tea', '1.5ounce', 'no', '1']
    """
    if not text.isascii():
        text = _OTHER_THAN_WORD_OR_ASCII.sub(" ", text)
    tokens = text.encode().translate(_SPACES).decode().split()
    return [word for token in tokens if (word := token.strip(INNER_PUNCTUATION))]


def word_ngrams(text: str, low: int, high: int) -> list[str]:
    """Return the n-grams of `low` to `high` words, as scikit-learn's analyzer ``word`` does."""
    single = words(text)
    ngrams = single[:] if low == 1 else []
    for size in range(max(low, 2), high + 1):
        ngrams += map(" ".join, zip(*(single[start:] for start in range(size)), strict=False))
    return ngrams


def char_ngrams(text: str, low: int, high: int) -> list[str]:
    """Return the n-grams of `low` to `high` characters within words, as ``char_wb`` does."""
    ngrams: list[str] = []
    for word in text.split():
        padded = f" {word} "
        for size in range(low, high + 1):
            # A word that is shorter than the n-gram is its only n-gram.
            ends = range(size, max(len(padded), size) + 1)
            ngrams += [padded[end - size : end] for end in ends]
            if len(padded) <= size:
                break
    return ngrams
