"""The properties and prices of the synthetic products."""

from typing import Any

import numpy as np
import pytest

from amlc.synthetic.assortment import (
    BRANDS,
    LOWEST_PRICE,
    MAX_LOOKBACK,
    PACKS,
    SyntheticProducts,
    brand_name,
    make_products,
)
from amlc.synthetic.words import CATEGORIES, FLAVOURS, QUALITIES

KEYS = 2 * np.arange(5_000, dtype=np.int64) + 1


def make(keys: Any = KEYS, **changed: Any) -> SyntheticProducts:
    """Make products with the usual shares, some of them changed."""
    shares = {"noise": 0.39, "repeated_titles": 0.02, "repeated_links": 0.03}
    return make_products(20, keys, **{**shares, **changed})


@pytest.fixture(scope="module")
def products() -> SyntheticProducts:
    """Return five thousand products."""
    return make()


def test_a_product_does_not_depend_on_the_rows_around_it(products: SyntheticProducts) -> None:
    """Part of the keys gives the same part of every column."""
    part = make(KEYS[100:200])
    for name, values in vars(part).items():
        assert (values == getattr(products, name)[100:200]).all(), name


def test_prices_are_distributed_as_in_the_competition(products: SyntheticProducts) -> None:
    """The median is near 14, the tail reaches several hundred, and there is a lowest price."""
    assert 11 < np.median(products.price) < 17
    assert 200 < products.price.max() < 2000
    assert products.price.min() >= LOWEST_PRICE
    assert 0.9 < np.log(products.price).std() < 1.25


def test_half_of_the_prices_are_above_their_median(products: SyntheticProducts) -> None:
    """The price without noise is the median of the price with noise."""
    assert abs((products.price > products.median).mean() - 0.5) < 0.035


def test_without_noise_the_price_is_its_median() -> None:
    """The only difference is the rounding to cents."""
    quiet = make(noise=0.0)
    np.testing.assert_allclose(quiet.price, quiet.median, atol=0.00501)


def test_prices_are_whole_cents(products: SyntheticProducts) -> None:
    """No price has more than two decimals."""
    assert (products.price == np.round(products.price, 2)).all()


def test_larger_packs_cost_more_but_less_than_proportionally(products: SyntheticProducts) -> None:
    """The slope of log price over log pack is between 0 and 1."""
    slope = np.polyfit(np.log(products.pack), np.log(products.median), 1)[0]
    assert 0.4 < slope < 0.95


def test_few_brands_have_many_rows_and_many_have_few(products: SyntheticProducts) -> None:
    """The first brands have a large share, and most brands occur."""
    counts = np.bincount(products.brand, minlength=BRANDS)
    assert counts[:10].sum() > 0.2 * len(KEYS)
    assert (counts > 0).mean() > 0.8


def test_repeats_refer_to_an_earlier_row_nearby(products: SyntheticProducts) -> None:
    """About one row in twenty repeats a row at most `MAX_LOOKBACK` keys before it."""
    back = products.key - products.origin
    assert ((back >= 0) & (back <= MAX_LOOKBACK)).all()
    assert 0.03 < (back > 0).mean() < 0.07
    assert (products.origin > 0).all()


def test_a_retitled_row_has_a_picture_of_its_own_and_a_variant_that_of_its_origin(
    products: SyntheticProducts,
) -> None:
    """`shot` is the row itself, or the origin of a variant."""
    variant = (products.key != products.origin) & ~products.retitled
    assert variant.any()
    assert products.retitled.any()
    assert (products.shot == np.where(variant, products.origin, products.key)).all()


def test_no_shares_of_repeats_means_no_repeats() -> None:
    """With both shares at 0, every row is its own origin."""
    alone = make(repeated_titles=0.0, repeated_links=0.0)
    assert (alone.origin == alone.key).all()


def test_the_picture_shows_the_packs_that_the_text_does_not_state(
    products: SyntheticProducts,
) -> None:
    """In rows that are their own origin, the picture shows the number of pieces."""
    silent = products.silent & (products.origin == products.key)
    assert silent.any()
    assert (products.shown_pack[silent] == products.pack[silent]).all()


def test_all_entries_of_the_tables_occur(products: SyntheticProducts) -> None:
    """Category, quality, flavour and pack come from their tables, and each entry occurs."""
    for column, table in (("category", CATEGORIES), ("quality", QUALITIES), ("flavour", FLAVOURS)):
        assert set(getattr(products, column)) == set(range(len(table))), column
    assert set(products.pack) == set(PACKS)


def test_brand_names_are_unique() -> None:
    """No two brands have the same name."""
    assert len({brand_name(brand) for brand in range(BRANDS)}) == BRANDS
