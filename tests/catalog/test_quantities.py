"""The quantities that titles state."""

import math
from dataclasses import astuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amlc.catalog.quantities import Quantity, parse_quantity
from amlc.catalog.units import find_unit

GRAMS_IN_POUND, GRAMS_IN_OUNCE = 453.59237, 28.349523125


@pytest.mark.parametrize(
    ("title", "packs"),
    [
        ("Soda, 12 Fl Oz (Pack of 6)", 6),
        ("Soda 12 Pack", 12),
        ("Soda 12-Pack", 12),
        ("Soda 12PK", 12),
        ("Vinegar, 12.7 Ounce - 12 per case.", 12),
        ("Nectar 8Oz 24/Cs", 24),
        ("Bars, Case of 24", 24),
        ("Bars (Pack of6)", 6),
        ("Bars (Pack 6)", 6),
        ("Coffee Cups 18 count (Two-Pack)", 2),
        ("Sauce (Pack of Six)", 6),
        ("Sauce, Six(6) Pack", 6),
        ("Gum, 10 Count - Pack of 20", 20),
        ("Rings, 5 x 50g", 5),
        ("Tea, 6 Pack (Pack of 6)", 6),
        ("Mayonnaise (Pack of 2) - Set of 2", 4),
        ("Chips, 8.5 oz. Bag (4 Bags)", 4),
        ("Soda 12 oz Can (36 Cans)", 36),
        ("Wine, 12 Bottle Case", 12),
        ("Syrup 32 oz, Twin Pack", 2),
        ("Crackers in Twin Packs", 0),
        ("Six 22 Ounce Jars of Sauce", 6),
        ("Mints (1) 7 oz Bag", 1),
        ("Brittle, 4.0 oz (8)", 8),
        ("Glitter (5g, 1x Jar)", 1),
        ("Soda 2.Pack", 2),
        ("Chips (12 Snack Packs)", 12),
        ("Soda, 12 fl oz (24 Glass Bottles)", 24),
        ("Bars, 6 boxes with 6 twin packs (36 twin packs)", 36),
        ("Stage 2 Baby Pouches", 0),
        ("Marshmallows, 4 Count / 5 lb poly bags", 4),
        ("Chamomile, 12 Units / 20 bag", 12),
        ("Bars, 5ct/5.3oz", 0),
        ("Popcorn (175 Cups per Case)", 0),
        ("Bars, 100 Calorie Packs", 0),
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
        ("Rice 16ozBag", 453.59237),
        ("Milk 14.oz", 396.893324),
        ("Syrup, 12.7500-Ounce", 361.4564198),
        ("Spice 200g", 200.0),
        ("Salt .5 kg", 500.0),
        ("Coffee, Five Pounds", 2267.96185),
        ("Cod, 2 to 3 Ounce", 85.048569375),
        ("Plain rice", 0.0),
        ("Model 500gt", 0.0),
        ("Cashews W320", 0.0),
    ],
)
def test_the_mass_is_the_largest_stated_amount(title: str, grams: float) -> None:
    """The same amount is often stated in two units."""
    assert parse_quantity(title).mass == pytest.approx(grams)


@pytest.mark.parametrize(
    "title",
    [
        "Bar, 20g Protein, 5 g Net Carbs",
        "Latte with 125mg Natural Caffeine",
        "Garlic 2000 mg Tablets",
        "Tea, Makes 2 Quarts",
        "Pouches, 3.5oz Per Serving",
    ],
)
def test_nutrients_doses_and_what_a_product_makes_are_no_amounts(title: str) -> None:
    """They say nothing of how much there is of the product."""
    quantity = parse_quantity(title)
    assert (quantity.mass, quantity.volume) == (0, 0)


@pytest.mark.parametrize(
    ("title", "pieces"),
    [
        ("Tea, 100 Count (Pack of 2)", 100),
        ("Tea, Box of 100 Tea Bags", 100),
        ("Green Tea, 20 Bags", 20),
        ("Tea, 60 Enveloped Tea Bags", 60),
        ("Skewers, 500/Box", 500),
        ("Gum, 45 per pack - 36 packs per case", 45),
        ("Tape, 6 Rolls", 6),
        ("Strawberries, 2 Dozen", 24),
        ("Donuts (3 Packs of 6 Donuts)", 6),
        ("Coffee, 24 Single Serve Cups", 24),
        ("Pie, 6 Individually Wrapped Pies", 6),
        ("Chamomile, 20 Individually Wrapped Bags, Pack of 6", 20),
        ("Crackers (10 On the Go Packets)", 10),
        ("Candy, Pack of 24 (15 Mints Per Package)", 15),
        ("Cereal, 12 Servings per Box", 0),
        ("Loose Leaf Tea (25 Cups)", 0),
        ("Mashed Potatoes, 30 Servings", 0),
        ("100 Calorie Cookies", 0),
        ("3-in-1 Coffee", 0),
    ],
)
def test_pieces(title: str, pieces: int) -> None:
    """Pieces in one pack are found in many wordings; servings are no pieces."""
    assert parse_quantity(title).pieces == pieces


def test_volume_and_mass_are_separate() -> None:
    """Fluid ounces measure volume, ounces mass."""
    quantity = parse_quantity("Lemon Soda, 12 Fl Oz")
    assert (quantity.mass, round(quantity.volume)) == (0.0, 355)


def test_pieces_and_packs_are_separate() -> None:
    """`100 count` states the number of pieces, `pack of 2` the number of packs."""
    quantity = parse_quantity("Tea, 100 Count (Pack of 2)")
    assert (quantity.pieces, quantity.packs) == (100, 2)


@pytest.mark.parametrize(
    ("title", "one"),
    [
        ("Soda, 12oz Can (Pack of 18, Total of 216 Oz)", 12),
        ("Crackers 12 Ounce Bag (Pack of 6), 72 Ounce", 12),
        ("Gummies, 6pk, 12 oz Total", 2),
        ("Honey, 3 Pk./24 Oz. Net Wt 72 Oz", 24),
    ],
)
def test_the_total_of_all_packs_is_not_the_amount_of_one(title: str, one: float) -> None:
    """The total is recognised by its word, or because it is that many times another amount."""
    assert parse_quantity(title).mass == pytest.approx(one * GRAMS_IN_OUNCE)


# Numbers as a product and a title may have them, and the forms that state them.

COUNTS = st.integers(1, 999)
AMOUNTS = st.integers(1, 999) | st.integers(1, 9999).map(lambda number: number / 10)
UNITS = st.sampled_from(["g", "oz", "Ounce", "lb", "Pounds", "kg", "ml", "Fl Oz", "fl. oz", "L"])


def stated(amount: float, unit: str, packs: float) -> Quantity:
    """Return the quantities of packs that contain an amount."""
    known = find_unit(unit)
    measured = {known.kind: amount * known.factor}
    return Quantity(measured.get("mass", 0.0), measured.get("volume", 0.0), 0.0, packs)


def assert_equal(actual: Quantity, expected: Quantity) -> None:
    """Check that quantities differ in their last digits at most."""
    assert astuple(actual) == pytest.approx(astuple(expected))


@given(
    packs=COUNTS,
    amount=AMOUNTS,
    unit=UNITS,
    form=st.sampled_from(
        [
            "{packs} x {amount} {unit}",
            "{packs}x{amount}{unit}",
            "{packs} X {amount}-{unit}",
            "({packs} × {amount} {unit})",  # noqa: RUF001 - titles have this sign
            "{amount} {unit} x {packs}",
            "{amount}{unit} (Pack of {packs})",
            "Pack of {packs}, {amount} {unit}",
            "Case of {packs} - {amount} {unit}",
            "{packs} Pack, {amount} {unit} each",
            "{amount} {unit} -- {packs} per case",
            "{packs} Pack of {amount} {unit} Bottles",
            "{packs} - {amount} {unit} Bottles",
        ]
    ),
)
def test_the_number_before_an_amount_counts_packs(
    packs: int, amount: float, unit: str, form: str
) -> None:
    """Every wording of so many packs of an amount means the same."""
    title = f"Pantry Salt, {form.format(packs=packs, amount=amount, unit=unit)}"
    assert_equal(parse_quantity(title), stated(amount, unit, packs))


@given(packs=COUNTS, pieces=COUNTS, word=st.sampled_from(["Count", "ct", "Capsules", "Tea Bags"]))
def test_the_number_before_a_count_counts_packs(packs: int, pieces: int, word: str) -> None:
    """`6 x 18 ct` are 6 packs of 18 pieces."""
    quantity = parse_quantity(f"Chai ({packs}x{pieces} {word})")
    assert quantity == Quantity(0, 0, pieces, packs)


@given(
    st.lists(AMOUNTS, min_size=2, max_size=3),
    st.sampled_from(["", " in", " Inch", "-Inch", " cm", '"', " ft"]),
    st.sampled_from([" x ", "x", " X "]),
)
def test_sizes_are_no_quantities(sides: list[float], unit: str, sign: str) -> None:
    """`9 x 13` is neither a number of packs nor an amount."""
    assert parse_quantity("Platter, 20.5L in. x 11W in.") == Quantity(0, 0, 0, 0)
    size = sign.join(map(str, sides))
    sizes = [f"{size}{unit}", sign.join(f"{side}{unit}" for side in sides)]
    for text in sizes:
        assert parse_quantity(f"Baking Tray, {text}, Blue") == Quantity(0, 0, 0, 0)


@pytest.mark.parametrize(
    ("written", "pounds"),
    [("½", 0.5), ("1/2", 0.5), ("¼", 0.25), ("3/4", 0.75), ("1 ½", 1.5), ("1½", 1.5),
     ("1 1/2", 1.5), ("1-1/2", 1.5), ("10 3/8", 10.375)],
)  # fmt: skip
@pytest.mark.parametrize("unit", ["lb", "-lb", " LBS", " Pound", "-Pounds"])
def test_fractions(written: str, pounds: float, unit: str) -> None:
    """A fraction is the amount that it stands for, also behind a whole number."""
    assert parse_quantity(f"Sage, {written}{unit}").mass == pytest.approx(pounds * GRAMS_IN_POUND)


@given(packs=st.integers(2, 99), amount=AMOUNTS)
def test_a_ratio_that_is_no_fraction_counts_packs(packs: int, amount: float) -> None:
    """`16/4 oz` are 16 packs of 4 oz."""
    ounces = int(amount) if amount == int(amount) else amount
    quantity = parse_quantity(f"Fruit - {packs}/{ounces} oz.")
    is_fraction = (
        amount == int(amount) and packs < amount <= 16 and math.gcd(packs, int(amount)) == 1
    )
    if is_fraction:
        assert_equal(quantity, stated(packs / amount, "oz", 0))
    else:
        assert_equal(quantity, stated(amount, "oz", packs))


def test_a_fraction_of_a_cup_is_a_volume() -> None:
    """Whole cups are what a product makes, or pieces."""
    assert parse_quantity("Sprinkles (1/2 cup)").volume == pytest.approx(118.3, abs=0.1)
    assert parse_quantity("Coffee, 36 Cups").volume == 0


@given(st.integers(1000, 99_999))
def test_grouped_numbers(number: int) -> None:
    """`1,000` is a thousand, with any of the quantities."""
    for written in (f"{number}", f"{number:,}"):
        assert parse_quantity(f"Cups, {written} Count").pieces == number
        assert parse_quantity(f"Salt, {written} g").mass == number
        packs = number if number <= 2_000 else 0
        assert parse_quantity(f"Pack of {written}").packs == packs


@pytest.mark.parametrize(
    ("written", "number"), [("0,5", 0.5), ("1,5", 1.5), ("0,375", 0.375), ("12,75", 12.75)]
)
def test_decimal_commas(written: str, number: float) -> None:
    """A comma before one or two digits and a unit is a decimal one."""
    assert parse_quantity(f"Juice {written} kg").mass == pytest.approx(number * 1000)
    assert parse_quantity(f"Juice {written}l").volume == pytest.approx(number * 1000)


@pytest.mark.parametrize("title", ["Pack of 1.5", "Pack of 8 Oz. Bottles", "Pack of 99999"])
def test_other_numbers_behind_pack_of_are_no_packs(title: str) -> None:
    """Half a pack, an amount or an article number is no number of packs."""
    assert parse_quantity(title).packs == 0


@given(st.lists(st.integers(2, 2_000), max_size=30))
def test_pack_counts_are_bounded(counts: list[int]) -> None:
    """However many counts are multiplied, the product stays at the limit."""
    title = ", ".join(f"Pack of {count}" for count in counts)
    assert parse_quantity(title).packs <= 2_000


TEXTS = st.lists(
    st.sampled_from(
        [*"0123456789 .,-/x()#½", " x ", "pack", " of ", "oz", "g", "lb", "ct", "bags", "tea",
         "per", "case", "six", "twin", "dozen", "total", "cup", "in", "set", "box", "makes"]
    ),
    max_size=60,
).map("".join)  # fmt: skip


@given(TEXTS | st.text(max_size=200))
def test_any_title_gives_finite_quantities(title: str) -> None:
    """No title raises, and no quantity is negative or infinite."""
    quantity = parse_quantity(title)
    values = (quantity.mass, quantity.volume, quantity.pieces, quantity.packs)
    assert all(math.isfinite(value) and value >= 0 for value in values)


@given(TEXTS)
def test_case_and_width_make_no_difference(title: str) -> None:
    """Neither capital letters nor spaces at the ends change what a title states."""
    assert parse_quantity(f"  {title.upper()} ") == parse_quantity(title)


def test_only_the_beginning_of_a_huge_title_is_read() -> None:
    """The time for a hostile title is bounded."""
    assert parse_quantity("x" * 1_000_000 + " 12 oz").mass == 0
