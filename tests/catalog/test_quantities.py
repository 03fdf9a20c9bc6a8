"""Units of measure, and the quantities that titles state."""

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
    """Pack counts are found in many wordings; the same count stated twice counts once."""
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
def test_the_mass_is_the_largest_stated_amount(title: str, grams: float) -> None:
    """The same amount is often stated in two units."""
    assert parse_quantity(title).mass == pytest.approx(grams)


def test_volume_and_mass_are_separate() -> None:
    """Fluid ounces measure volume, ounces mass."""
    quantity = parse_quantity("Lemon Soda, 12 Fl Oz")
    assert (quantity.mass, round(quantity.volume)) == (0.0, 355)


def test_pieces_and_packs_are_separate() -> None:
    """`100 count` states the number of pieces, `pack of 2` the number of packs."""
    quantity = parse_quantity("Tea, 100 Count (Pack of 2)")
    assert (quantity.pieces, quantity.packs) == (100, 2)


def test_pack_counts_are_bounded() -> None:
    """A number after `pack of` that is too large is replaced by the limit."""
    assert parse_quantity("Pack of 99999").packs <= 2_000


@given(st.text(alphabet="0123456789. xpackofgoz-()", max_size=200))
def test_any_title_gives_finite_quantities(title: str) -> None:
    """No title raises, and no quantity is negative or infinite."""
    quantity = parse_quantity(title)
    values = (quantity.mass, quantity.volume, quantity.pieces, quantity.packs)
    assert all(math.isfinite(value) and value >= 0 for value in values)


@given(st.text(alphabet="0123456789. xpackofgoz-()/perstwd", max_size=60))
def test_every_match_of_a_pack_pattern_contains_one_of_its_substrings(title: str) -> None:
    """No match is lost by searching a pattern only in titles that contain one of them."""
    for substrings, pattern in PACK_PATTERNS:
        for match in pattern.finditer(title):
            assert any(substring in match.group() for substring in substrings)


def test_only_the_beginning_of_a_huge_title_is_read() -> None:
    """The time for a hostile title is bounded."""
    assert parse_quantity("x" * 1_000_000 + " 12 oz").mass == 0
