"""Writing amounts and packs in one form."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amlc.catalog.quantities import parse_quantity
from amlc.features.text.amounts import usual_amounts
from amlc.features.text.tokens import join_numbers


@pytest.mark.parametrize(
    "forms",
    [
        ["Salt, 100 g (Pack of 3)", "Salt, 3 x 100 g", "Salt, 3x100g", "Salt, 3 \xd7 100 grams",
         "Salt, 100 g x 3", "Salt, 100 g. X 3", "Salt, 100 g (3 Pack)"],
        ["Butter, 0.5 lb", "Butter, 1/2 lb", "Butter, \xbd lb", "Butter, .5 pounds"],
        ["Butter, 1.5 lb", "Butter, 1 1/2 lb", "Butter, 1-1/2 lb", "Butter, 1\xbdlb"],
        ["Swabs, 1000 count", "Swabs, 1,000 Count", "Swabs, 1,000 ct"],
        ["Pack of 1200", "Pack of 1,200"],
        ["Tea, 4 oz (Pack of 16)", "Tea, 16/4 oz", "Tea, 16 x 4 oz", "Tea, 4 x 4 x 4 oz"],
        ["Gum, 18 ct (Pack of 6)", "Gum, 6/18 ct", "Gum, 6 x 18 count"],
        ["Salt, 0.5 kg", "Salt, 0,5 kg"],
    ],
    ids=lambda forms: forms[0],
)  # fmt: skip
def test_all_forms_of_a_quantity_have_the_same_terms(forms: list[str]) -> None:
    """However a title writes its amount and its packs, a model sees the same."""
    assert len({tuple(join_numbers(form).split()) for form in forms}) == 1


@pytest.mark.parametrize(
    "text",
    ["tray, 9 x 13", "8 x 10 inch", "8 in x 10 in", "12 oz x 6 in", "2.5 x 4 oz", "1/2 cup",
     "3/4 full", "1,2 and 3", "100,200,300,400", "a3 x 4 oz", "12/24/2024", "9999 x 9999 oz",
     "4 oz x 2.5"],
)  # fmt: skip
def test_other_numbers_stay_as_they_are(text: str) -> None:
    """Dimensions, dates, lists and cups are no packs of amounts."""
    assert usual_amounts(text) == text


_UNITS = st.sampled_from(["g", "oz", "lb", "ml", "fl oz", "kg"])


@given(st.integers(2, 99), st.integers(100, 999), _UNITS, st.sampled_from(["x", " x ", "x "]))
def test_packs_before_an_amount_are_those_that_the_title_states(
    packs: int, amount: int, unit: str, times: str
) -> None:
    """The terms and the quantities of a title do not contradict each other."""
    before, after = (
        f"salt, {packs}{times}{amount} {unit}",
        f"salt, {amount} {unit} (pack of {packs})",
    )
    assert usual_amounts(before) == after
    assert parse_quantity(before) == parse_quantity(after)


@given(st.integers(0, 9), st.integers(1, 15), st.integers(2, 16), _UNITS)
def test_fractions_are_those_that_the_title_states(
    whole: int, top: int, bottom: int, unit: str
) -> None:
    """A fraction and its decimal number are the same quantity."""
    text = f"{whole or ''} {top}/{bottom} {unit}".strip()
    written, usual = parse_quantity(text), parse_quantity(usual_amounts(text))
    assert usual.packs == written.packs
    assert usual.mass == pytest.approx(written.mass, rel=1e-3)
    assert usual.volume == pytest.approx(written.volume, rel=1e-3)


@given(st.text(" .,/x-ozlbgct\xbd\xd7"), st.text("0123456789 ,.-"))
def test_without_an_amount_nothing_changes_but_grouping(words: str, numbers: str) -> None:
    """Words without numbers stay, and numbers without a unit lose no digit."""
    assert usual_amounts(words) == words
    assert usual_amounts(numbers).replace(",", "") == numbers.replace(",", "")
