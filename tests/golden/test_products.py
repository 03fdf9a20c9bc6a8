"""Five products from text to price: when a golden file changes, its difference shows what changed.

`pytest tests/golden --force-regen` accepts the new values.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytest_regressions.data_regression import DataRegressionFixture

from amlc.catalog.content import parse_content
from amlc.catalog.quantities import parse_quantity
from amlc.features.blocks import Blocks
from amlc.features.text.tokens import join_numbers, words
from amlc.pricing.estimates import Product
from amlc.pricing.pricer import BundlePricer

PRODUCTS = {
    "tea": "Item Name: Green Tea, 20 Bags (Pack of 6)\nValue: 120.0\nUnit: Count\n",
    "soda": (
        "Item Name: Lemon Soda, 12 Fl Oz Cans, Case of 24\n"
        "Bullet Point 1: Real lemon juice\nBullet Point 2: No added sugar\n"
        "Value: 288.0\nUnit: Fl Oz\n"
    ),
    "cheese": (
        "Item Name: Judee's Blue Cheese Powder 11.25 oz\n"
        "Product Description: Adds <b>rich</b> flavour to dips &amp; sauces.\n"
        "Value: 11.25\nUnit: Ounce\n"
    ),
    "no_amounts": "Item Name: Gift Basket for Mother's Day\nValue: None\nUnit: None\n",
    "no_labels": "Café crème 500 g\nwhole beans, dark roast",
}


@pytest.fixture(scope="module")
def pricer(pipeline: Path) -> BundlePricer:
    """Return the pricer of a small pipeline's bundle."""
    return BundlePricer.load(pipeline / "bundle")


@pytest.mark.parametrize("name", PRODUCTS)
def test_a_product_keeps_its_features_and_price(
    name: str, pricer: BundlePricer, data_regression: DataRegressionFixture
) -> None:
    """Content, quantities, tokens, columns, similar products, the price and what moves it."""
    text = PRODUCTS[name]
    content = parse_content(text)
    (estimate,) = pricer.price([Product(text)], similar=3, contributions=True)
    blocks = pricer.blocks([Product(text)])
    data_regression.check(
        {
            "content": {**vars(content), "bullets": list(content.bullets)},
            "quantity": rounded(vars(parse_quantity(content.title))),
            "words": words(join_numbers(content.title)),
            "tabular": tabular_row(blocks),
            "terms": int(blocks.terms.weights.nnz) if blocks.terms is not None else 0,
            "similar": [rounded({"title": s.title, "to": s.similarity}) for s in estimate.similar],
            "price": rounded({"price": estimate.price, "low": estimate.low, "high": estimate.high}),
            "contributions": {c.part: rounded(c.factor) for c in estimate.contributions},
            "reasons": list(map(str, estimate.reasons)),
        }
    )


def tabular_row(blocks: Blocks) -> dict[str, Any]:
    """Return the columns of the tabular block that are not zero, by name."""
    assert blocks.tabular is not None
    row = blocks.tabular.to_frame().iloc[0]
    values = {str(column): value for column, value in row.items() if value not in (0, "")}
    return {column: rounded(value) for column, value in values.items()}


def rounded(value: Any) -> Any:
    """Return numbers with three significant digits, which no processor's rounding changes."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    return float(f"{value:.3g}") if isinstance(value, float | np.floating) else value
