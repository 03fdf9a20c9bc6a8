"""Prices of one catalogue text in several forms."""

from collections.abc import Callable
from pathlib import Path

import pytest

from amlc.pricing.estimates import Product
from amlc.pricing.pricer import BundlePricer
from tests.helpers.forms import FORMS

TEXT = (
    "Item Name: Acme Green Tea, 20 Bags, Box of Joy\nBullet Point 1: Fresh\n"
    "Product Description: Good\nValue: 20.0\nUnit: Count\n"
)


@pytest.fixture(scope="module")
def pricer(pipeline: Path) -> BundlePricer:
    """Return the pricer of the small pipeline's bundle."""
    return BundlePricer.load(pipeline / "bundle")


@pytest.mark.parametrize("form", FORMS)
def test_other_forms_of_a_text_have_the_same_price(
    pricer: BundlePricer, form: Callable[[str], str]
) -> None:
    """Price and reasons do not depend on line breaks, indentation and the case of labels."""
    products = [Product(TEXT), Product(form(TEXT))]
    usual, other = pricer.price(products, similar=3, contributions=True)
    assert other == usual
