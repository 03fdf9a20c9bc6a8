"""Quantities in titles."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amlc.catalog import quantity
from amlc.catalog.quantity import parse_quantity


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
    for held, pattern in quantity._PACKS:
        for match in pattern.finditer(title):
            assert any(some in match.group() for some in held)


def test_a_hostile_title_is_cut() -> None:
    """Only the beginning of a huge title is read."""
    assert parse_quantity("x" * 1_000_000 + " 12 oz").mass == 0
