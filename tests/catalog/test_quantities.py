"""Units of measure."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amlc.catalog.quantities import (
    NO_UNIT,
    PACK_PATTERNS,
    UNIT_KINDS,
    UNIT_NAMES,
    find_unit,
    parse_quantity,
    unit_spellings,
)


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
    unit = find_unit(raw)
    assert (unit.name, unit.factor) == (name, grams_or_so)


@pytest.mark.parametrize("raw", ["", "None", "nan", "parsec", "oz" * 50])
def test_anything_else_is_no_unit(raw: str) -> None:
    """An unknown spelling is not an error."""
    assert find_unit(raw) is NO_UNIT


def test_a_pound_has_sixteen_ounces() -> None:
    """The factors agree with each other."""
    assert find_unit("lb").factor == pytest.approx(16 * find_unit("oz").factor)
    assert find_unit("gallon").factor == pytest.approx(128 * find_unit("fl oz").factor)


@given(st.text(max_size=60))
def test_every_text_has_a_known_kind_and_name(raw: str) -> None:
    """The categories of the tabular block are closed."""
    unit = find_unit(raw)
    assert unit.kind in UNIT_KINDS
    assert unit.name in UNIT_NAMES


def test_every_spelling_looks_itself_up() -> None:
    """What a pattern is built from is what lookup knows."""
    for spelling in unit_spellings("mass", "volume", "count", "length"):
        assert find_unit(spelling.upper()) is not NO_UNIT


def test_longer_spellings_come_first() -> None:
    """An alternation has to try `ounces` before `ounce`."""
    lengths = [len(spelling) for spelling in unit_spellings("mass")]
    assert lengths == sorted(lengths, reverse=True)


@pytest.mark.parametrize(
    ("title", "packs"),
    [
        ("Soda, 12 Fl Oz (Pack of 6)", 6),
        ("Soda 12 Pack", 12),
        ("Soda 12-Pack", 12),
        ("Vinegar, 12.7 Ounce - 12 per case.", 12),
        ("Bars, Case of 24", 24),
        ("Bars (Pack of6)", 6),
        ("Coffee Cups 18 count (Two-Pack)", 2),
        ("Gum, 10 Count - Pack of 20", 20),
        ("Rings, 5 x 50g", 5),
        ("Tea, 6 Pack (Pack of 6)", 6),
        ("Plain tea", 0),
    ],
)
def test_packs(title: str, packs: int) -> None:
    """Pack counts in their many wordings; the same one said twice counts once."""
    assert parse_quantity(title).packs == packs


@pytest.mark.parametrize(
    ("title", "grams"),
    [
        ("Rice, 5 lb (80 oz)", 2267.96185),
        ("Rice 16oz.", 453.59237),
        ("Syrup, 12.7500-Ounce", 361.4564198),
        ("Spice 200g", 200.0),
        ("Salt .5 kg", 500.0),
        ("Plain rice", 0.0),
        ("Model 500gt", 0.0),
    ],
)
def test_mass_is_the_largest_stated(title: str, grams: float) -> None:
    """One amount is often given in two units."""
    assert parse_quantity(title).mass == pytest.approx(grams)


def test_volume_is_apart_from_mass() -> None:
    """Fluid ounces are no ounces."""
    quantity = parse_quantity("Lemon Soda, 12 Fl Oz")
    assert (quantity.mass, round(quantity.volume)) == (0.0, 355)


def test_pieces_are_no_packs() -> None:
    """`100 count` is how many pieces, `pack of 2` how many packs."""
    quantity = parse_quantity("Tea, 100 Count (Pack of 2)")
    assert (quantity.pieces, quantity.packs) == (100, 2)


def test_absurd_counts_are_bounded() -> None:
    """An article number behind `pack of` is not believed."""
    assert parse_quantity("Pack of 99999").packs <= 2_000


@given(st.text(alphabet="0123456789. xpackofgoz-()", max_size=200))
def test_any_title_gives_finite_quantities(title: str) -> None:
    """Nothing raises, and nothing is negative or infinite."""
    quantity = parse_quantity(title)
    values = (quantity.mass, quantity.volume, quantity.pieces, quantity.packs)
    assert all(math.isfinite(value) and value >= 0 for value in values)


@given(st.text(alphabet="0123456789. xpackofgoz-()/perstwd", max_size=60))
def test_patterns_for_packs_are_tried_where_they_can_match(title: str) -> None:
    """What a title has to hold for a pattern to be tried is held by all that it matches."""
    for held, pattern in PACK_PATTERNS:
        for match in pattern.finditer(title):
            assert any(some in match.group() for some in held)


def test_a_hostile_title_is_cut() -> None:
    """Only the beginning of a huge title is read."""
    assert parse_quantity("x" * 1_000_000 + " 12 oz").mass == 0
