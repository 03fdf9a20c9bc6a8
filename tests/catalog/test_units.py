"""Units of measure."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amlc.catalog.units import KINDS, NO_UNIT, UNIT_NAMES, lookup, spellings


@pytest.mark.parametrize(
    ("raw", "name", "grams_or_so"),
    [
        ("Ounce", "ounce", 28.349523125),
        ("OZ", "ounce", 28.349523125),
        (" Fl. Oz ", "fluid ounce", 29.5735295625),
        ("Fluid Ounce", "fluid ounce", 29.5735295625),
        ("lb", "pound", 453.59237),
        ("gramm", "gram", 1.0),
        ("Liters", "litre", 1000.0),
        ("millilitre", "millilitre", 1.0),
        ("COUNT", "count", 1.0),
        ("Tea Bags", "portion", 1.0),
        ("Each", "count", 1.0),
    ],
)
def test_spellings_seen_in_the_wild(raw: str, name: str, grams_or_so: float) -> None:
    """Case, dots and blanks do not matter."""
    unit = lookup(raw)
    assert (unit.name, unit.factor) == (name, grams_or_so)


@pytest.mark.parametrize("raw", ["", "None", "nan", "parsec", "oz" * 50])
def test_anything_else_is_no_unit(raw: str) -> None:
    """An unknown spelling is not an error."""
    assert lookup(raw) is NO_UNIT


def test_a_pound_has_sixteen_ounces() -> None:
    """The factors agree with each other."""
    assert lookup("lb").factor == pytest.approx(16 * lookup("oz").factor)
    assert lookup("gallon").factor == pytest.approx(128 * lookup("fl oz").factor)


@given(st.text(max_size=60))
def test_every_text_has_a_known_kind_and_name(raw: str) -> None:
    """The categories of the tabular block are closed."""
    unit = lookup(raw)
    assert unit.kind in KINDS
    assert unit.name in UNIT_NAMES


def test_every_spelling_looks_itself_up() -> None:
    """What a pattern is built from is what lookup knows."""
    for spelling in spellings("mass", "volume", "count", "length"):
        assert lookup(spelling.upper()) is not NO_UNIT


def test_longer_spellings_come_first() -> None:
    """An alternation has to try `ounces` before `ounce`."""
    lengths = [len(spelling) for spelling in spellings("mass")]
    assert lengths == sorted(lengths, reverse=True)
