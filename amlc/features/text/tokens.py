"""Catalogue texts as the terms see them: numbers joined to their unit, words, characters."""

import re
import unicodedata
from collections.abc import Callable

from amlc.catalog.quantities import find_unit, unit_pattern

_SPELLED = unit_pattern("mass", "volume", "count", "length")
# A pattern that begins with a set of characters is searched for far faster than one that begins by
# looking back, so that is done behind the first digit or dot.
_NUMBER = r"[\d.](?<![\w.].)(?:(?<=\d)\d{0,5}(?:\.\d{1,4})?|(?<=\.)\d{1,4})"
_WITH_UNIT = re.compile(rf"({_NUMBER})[\s\-]*({_SPELLED})(?![a-z])\.?\s*", re.ASCII)
_OF_NUMBER = r"of\s*(\d{1,4})\b"
_SOME_OF = re.compile(_OF_NUMBER, re.ASCII)
_PACK_OF = re.compile(rf"\b(?:pack|case|set|box|bundle|lot)\s+{_OF_NUMBER}", re.ASCII)
# What a word is made of beside letters and digits; the first two not at its ends.
NOT_AT_ENDS = b".'"
_IN_WORDS = NOT_AT_ENDS + b"_"
_NEITHER_WORD_NOR_ASCII = re.compile(r"[^\x00-\x7f\w]")
# A blank for each byte of ASCII that no word holds; the bytes of other characters as they are.
_BLANKS = bytes(
    byte if byte >= 0x80 or chr(byte).isalnum() or byte in _IN_WORDS else ord(" ")
    for byte in range(256)
)

Analyzer = Callable[[str], list[str]]


def join_numbers(text: str) -> str:
    """Return the text in lower case with each number joined to the unit beside it.

    Parameters
    ----------
    text : str
        Any text.

    Examples
    --------
    >>> join_numbers("Lemon Soda, 12 Fl. Oz (Pack of 6)")
    'lemon soda, 12fluid_ounce (6pack)'
    """
    folded = _WITH_UNIT.sub(_joined, unicodedata.normalize("NFKC", text).lower())
    if _SOME_OF.search(folded):
        folded = _PACK_OF.sub(r"\1pack", folded)
    return folded.strip()


def _joined(match: re.Match[str]) -> str:
    number, unit = match.groups()
    return f"{float(number):g}{find_unit(unit).name.replace(' ', '_')} "


def runs(text: str) -> list[bytes]:
    """Return the runs of characters that words are made of, as UTF-8.

    A word is what is left of a run without `NOT_AT_ENDS` at its ends, if anything is.

    Examples
    --------
    >>> runs("mom's tea. 1.5ounce - no. 1")
    [b"mom's", b'tea.', b'1.5ounce', b'no.', b'1']
    """
    if not text.isascii():
        text = _NEITHER_WORD_NOR_ASCII.sub(" ", text)
    return text.encode().translate(_BLANKS).split()


def words(low: int, high: int) -> Analyzer:
    """Return what takes a text apart into n-grams of words, as scikit-learn's analyzer does."""

    def analyze(text: str) -> list[str]:
        found = [word.decode() for run in runs(text) if (word := run.strip(NOT_AT_ENDS))]
        terms = found[:] if low == 1 else []
        for size in range(max(low, 2), high + 1):
            terms += map(" ".join, zip(*(found[start:] for start in range(size)), strict=False))
        return terms

    return analyze


def characters(low: int, high: int) -> Analyzer:
    """Return what takes a text apart into n-grams of characters within words, likewise."""

    def analyze(text: str) -> list[str]:
        terms: list[str] = []
        for word in text.split():
            padded = f" {word} "
            for size in range(low, high + 1):
                # A word that is no longer than this is one term.
                ends = range(size, max(len(padded), size) + 1)
                terms += [padded[end - size : end] for end in ends]
                if len(padded) <= size:
                    break
        return terms

    return analyze
