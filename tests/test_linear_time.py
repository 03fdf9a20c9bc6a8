"""Whoever writes a text cannot make reading it slow: time grows with its length, not its square.

Calls of functions are counted, at two lengths of one text. Nothing can be counted inside compiled
patterns, so processor times are compared as well, where the longest text takes over `ENOUGH`: a
step that stays below it does no harm, even if its time grows with the square of the length.
"""

import gc
import io
import itertools
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from pydantic import TypeAdapter, ValidationError

from amlc.catalog.content import (
    Content,
    normalised_title,
    parse_content,
    parse_number,
    render_content,
    usual_form,
    without_parts,
)
from amlc.catalog.links import parse_link
from amlc.catalog.normalization import nfkc
from amlc.catalog.quantities import parse_quantity
from amlc.catalog.rows import read_rows
from amlc.errors import DataError
from amlc.features.text.tokens import char_ngrams, join_numbers, word_ngrams
from amlc.service.schemas import ProductForm, ProductRequest

SIZES = [6_250, 12_500, 25_000, 50_000]
# Seconds for the longest text.
ENOUGH = 0.06
# The longest text is 8 times as long as the shortest: 64 times the time would be its square.
RATIO = 24

# Lengths at which calls are counted; the second text is 4 times as long as the first.
SHORT, LONG = 1_000, 4_000

# For the parsers that look for labels or units.
PREFIXES = ["", "Item Name: ", "1", "pack of", "Item Name: Tea Value: 1"]
# Each is repeated until the text is long enough.
UNITS = [
    " ", "\t", "\n", "\\n", "\u2028", "a", "aB", "a'", ".", "'", "-", "- ", "(", "1 (", '"', '",',
    ",", '"\n', "\x00", "1", "1 ", "1.", "1,", "1/", "1-", "1x", "1 x ", "1 1/2 ", "½", "0,5 kg ",
    "1,000", "12 fl. oz ", "fl ", "of ", "pack ", "pack of 1 ", "dozen ", "1 per case ", "nan ",
    "Item Name: ", "Value: 1 ", "Value: 1 Unit: ", "Bullet Point ", "Product Description:",
    "\u0301", "a\u0301", "\u0315\u0301\u0327", "\uff9e\u0327", "Σ.", "\u0345Σ", "ﷺ", "İ", "\u1100",
]  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _no_garbage_of_other_tests() -> Iterator[None]:
    """Let nothing that other tests have left be cleared away while calls and times are measured."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def _csv(*, strict: bool) -> Callable[[str], None]:
    def read(text: str) -> None:
        file = io.BytesIO(f"sample_id,catalog_content\n{text}".encode())
        with suppress(DataError), read_rows(file, "x", links=False, strict=strict) as rows:
            deque(rows, maxlen=0)

    return read


def _validated(adapter: TypeAdapter[object]) -> Callable[[str], None]:
    def validate(text: str) -> None:
        for body in ({"text": text}, {"title": text, "bullets": [text] * 9}, {text: text}):
            with suppress(ValidationError):
                adapter.validate_python(body)

    return validate


def _link(text: str) -> None:
    for link in (text, f"https://{text[:2_000]}", f"https://x/{text[:2_000]}"):
        with suppress(ValueError):
            parse_link(link)


PARSERS: dict[str, Callable[[str], object]] = {
    "content": parse_content,
    "usual form": usual_form,
    "parts": lambda text: list(without_parts(text)),
    "title": normalised_title,
    "number": parse_number,
    "rendering": lambda text: render_content(Content(text, (text,), text, 1.0, text)),
    "quantity": parse_quantity,
    "normalisation": nfkc,
    "numbers with units": join_numbers,
    "words": lambda text: word_ngrams(text, 1, 2),
    "characters": lambda text: char_ngrams(text, 2, 5),
    "link": _link,
    "strict CSV": _csv(strict=True),
    "lenient CSV": _csv(strict=False),
    "JSON": _validated(TypeAdapter(ProductRequest)),
    "form": _validated(TypeAdapter(ProductForm)),
}


def _seconds(parse: Callable[[str], object], text: str) -> float:
    start = time.thread_time()
    parse(text)
    return time.thread_time() - start


def _calls(parse: Callable[[str], object], text: str) -> int:
    calls = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in {"call", "c_call"}

    sys.setprofile(count)
    try:
        parse(text)
    finally:
        sys.setprofile(None)
    return calls


def _text(prefix: str, unit: str, size: int) -> str:
    return (prefix + unit * (size // len(unit) + 1))[:size]


@pytest.mark.parametrize("parser", PARSERS)
def test_calls_are_linear_in_the_length(parser: str) -> None:
    """A text of four times the length takes no more than four times as many calls, and a few."""
    parse = PARSERS[parser]
    prefixes = PREFIXES if parse in {parse_content, usual_form, join_numbers} else [""]
    for prefix, unit in itertools.product(prefixes, UNITS):
        short, long = (_calls(parse, _text(prefix, unit, size)) for size in (SHORT, LONG))
        assert long <= 4.4 * short + 100, (prefix, unit, short, long)


@pytest.mark.parametrize("parser", PARSERS)
def test_time_is_linear_in_the_length(parser: str) -> None:
    """No repeated piece of text makes a parser take longer than in proportion to its length."""
    parse = PARSERS[parser]
    prefixes = PREFIXES if parse in {parse_content, usual_form, join_numbers} else [""]
    for prefix, unit in itertools.product(prefixes, UNITS):
        if _seconds(parse, _text(prefix, unit, SIZES[-1])) < ENOUGH:
            continue
        times = [
            min(_seconds(parse, _text(prefix, unit, size)) for _ in range(3)) for size in SIZES
        ]
        assert times[-1] < ENOUGH or times[-1] < RATIO * times[0], (prefix, unit, times)
