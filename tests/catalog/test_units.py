"""Units of measure and their spellings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amlc.catalog.units import NO_UNIT, UNIT_KINDS, UNIT_NAMES, find_unit, unit_spellings


@pytest.mark.parametrize(
    ("raw", "name", "factor"),
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
def test_spellings_of_real_catalogues_are_known(raw: str, name: str, factor: float) -> None:
    """Case, dots and spaces make no difference."""
    unit = find_unit(raw)
    assert (unit.name, unit.factor) == (name, factor)


@pytest.mark.parametrize("raw", ["", "None", "nan", "parsec", "oz" * 50])
def test_any_other_spelling_has_no_unit(raw: str) -> None:
    """An unknown spelling is not an error."""
    assert find_unit(raw) is NO_UNIT


def test_a_pound_has_sixteen_ounces() -> None:
    """The factors of related units agree."""
    assert find_unit("lb").factor == pytest.approx(16 * find_unit("oz").factor)
    assert find_unit("gallon").factor == pytest.approx(128 * find_unit("fl oz").factor)


@given(st.text(max_size=60))
def test_every_unit_has_a_known_kind_and_name(raw: str) -> None:
    """The tabular block has fixed categories for both."""
    unit = find_unit(raw)
    assert unit.kind in UNIT_KINDS
    assert unit.name in UNIT_NAMES


def test_every_spelling_in_a_pattern_is_known() -> None:
    """Whatever a pattern matches, `find_unit` returns a unit for it."""
    for spelling in unit_spellings("mass", "volume", "count", "length"):
        assert find_unit(spelling.upper()) is not NO_UNIT


def test_longer_spellings_come_first() -> None:
    """A pattern has to try `ounces` before `ounce`."""
    lengths = [len(spelling) for spelling in unit_spellings("mass")]
    assert lengths == sorted(lengths, reverse=True)
