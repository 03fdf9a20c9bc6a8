"""Normalisation: as Unicode says, but for marks that no language has."""

import sys
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from amlc.catalog.normalization import nfkc

# Marks of different classes, which normalisation puts into an order, one of them half-width.
MARKS = "\u0315\u0301\u0327\u0344\uff9e"
TEXTS = st.text(st.sampled_from(f"{MARKS}aé½ﷺ.か\u0f73 "), max_size=200)


def _is_mark(character: str) -> bool:
    return bool(unicodedata.combining(unicodedata.normalize("NFKD", character)[0]))


def _longest_run(text: str) -> int:
    longest = run = 0
    for character in text:
        run = run + 1 if _is_mark(character) else 0
        longest = max(longest, run)
    return longest


@given(TEXTS)
def test_it_is_the_form_of_unicode(text: str) -> None:
    """A text with at most 30 marks in a row is normalised as the standard library does it."""
    if _longest_run(text) <= 30:
        assert nfkc(text) == unicodedata.normalize("NFKC", text)


@given(TEXTS.map(lambda text: text * 20))
def test_marks_beyond_the_30th_are_left_out(text: str) -> None:
    """No run of marks is longer afterwards than the 60 that 30 marks can make; the rest stays."""
    normal = nfkc(text)
    assert _longest_run(normal) <= 60
    expected = unicodedata.normalize("NFKC", "".join(c for c in text if not _is_mark(c)))
    decomposed = unicodedata.normalize("NFKD", normal)
    kept = "".join(c for c in decomposed if not unicodedata.combining(c))
    decomposed = unicodedata.normalize("NFKD", expected)
    assert kept == "".join(c for c in decomposed if not unicodedata.combining(c))


def test_every_mark_of_unicode_is_bounded() -> None:
    """There is none of which a thousand stay."""
    marks = [c for c in map(chr, range(sys.maxunicode + 1)) if _is_mark(c)]
    assert len(marks) > 800
    assert all(_longest_run(nfkc(mark * 1_000)) <= 60 for mark in marks)
