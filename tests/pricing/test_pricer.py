"""Prices from a bundle against the pipeline's own."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amlc.catalog.content import BULLETS, QUANTITY, TITLE
from amlc.catalog.products import LINK, PRICE, TEXT, read_products, train_rows
from amlc.catalog.products import test_rows as rows_of_test
from amlc.features.blocks import Blocks
from amlc.models.blend import read_blend
from amlc.models.predictions import read_predictions
from amlc.models.registry import MODELS, regressor
from amlc.pricing.answers import Answer, Question
from amlc.pricing.pricer import (
    NEIGHBOURS,
    NO_PICTURE,
    NO_TEXT,
    PICTURE,
    BundlePricer,
    _Variant,
    reduced,
)
from tests.helpers.pictures import jpeg, png_bomb

FULL = Question(
    "Item Name: Acme Green Tea, 20 Bags, Box of Joy\nBullet Point 1: Fresh\n"
    "Product Description: Good\nValue: 20.0\nUnit: Count\n",
    jpeg(),
)


@pytest.fixture(scope="module")
def pricer(pipeline: Path) -> BundlePricer:
    """Return the pricer of the small pipeline's bundle."""
    return BundlePricer.load(pipeline / "bundle")


@pytest.fixture(scope="module")
def products(pipeline: Path) -> pd.DataFrame:
    """Return the product table."""
    return read_products(pipeline / "products.parquet")


@pytest.fixture(scope="module")
def tests(pipeline: Path, products: pd.DataFrame) -> list[Question]:
    """Return the test rows as questions, their pictures as the catalogue's folder has them."""

    def found() -> Iterator[Question]:
        for row in rows_of_test(products).tolist():
            name = str(products[LINK][row]).rpartition("/")[2]
            path = pipeline / "synthetic" / "images" / name
            body = path.read_bytes() if path.is_file() else None
            yield Question(str(products[TEXT][row]), body)

    return list(found())


def prices(answers: list[Answer]) -> np.ndarray:
    """Return price, low and high of each answer."""
    return np.array([(answer.price, answer.low, answer.high) for answer in answers])


def test_prices_are_the_pipelines_own(
    pipeline: Path, products: pd.DataFrame, pricer: BundlePricer, tests: list[Question]
) -> None:
    """Text and the picture's file give each test row the price and the interval of the blend."""
    rows = rows_of_test(products)
    expected = np.exp(read_blend(pipeline / "blend", products).to_numpy()[rows])
    np.testing.assert_allclose(prices(pricer.price(tests)), expected, rtol=1e-12)


@pytest.mark.parametrize("name", MODELS)
def test_every_model_predicts_the_same_from_new_features(
    name: str, pipeline: Path, products: pd.DataFrame, pricer: BundlePricer, tests: list[Question]
) -> None:
    """Those without weight in this blend would count in another one."""
    pricer._needed.add("topics")
    model = regressor(name).load(pipeline / "models" / name)
    expected = read_predictions(pipeline / "models" / name, products)[rows_of_test(products)]
    prepared = [pricer.prepare(question) for question in tests]
    blocks = pricer._blocks([_Variant(one.text, one.picture) for one in prepared])
    np.testing.assert_allclose(model.predict(blocks), expected, rtol=1e-12)


def test_only_models_with_weight_are_in_the_bundle(pipeline: Path, pricer: BundlePricer) -> None:
    """The others would cost memory and change nothing."""
    counting = [name for name, weight in pricer.bundle.blend.weights.items() if weight > 0]
    assert sorted(path.name for path in (pipeline / "bundle" / "models").iterdir()) == sorted(
        counting
    )


def test_a_price_does_not_depend_on_the_batch(pricer: BundlePricer, tests: list[Question]) -> None:
    """One by one is all at once, but for the last bit of a dense linear model."""
    alone = [pricer.price([question])[0] for question in tests]
    np.testing.assert_allclose(prices(alone), prices(pricer.price(tests)), rtol=1e-13)


def test_threads_get_the_same_prices(pricer: BundlePricer, tests: list[Question]) -> None:
    """The service prices several products at once."""
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda question: pricer.price([question])[0], tests))
    alone = [pricer.price([question])[0] for question in tests]
    np.testing.assert_array_equal(prices(found), prices(alone))


@pytest.mark.parametrize("name", ["ridge", "forest", "lightgbm", "xgboost", "mlp"])
def test_a_model_predicts_each_row_by_itself(
    name: str, pipeline: Path, pricer: BundlePricer
) -> None:
    """No sum rounds a row differently among other rows, bit for bit."""
    pricer._needed.add("topics")
    model = regressor(name).load(pipeline / "models" / name)
    blocks = pricer._blocks([_Variant(f"Item Name: Tea {n} oz", None) for n in range(9)])
    alone = [model.predict(blocks.take(np.array([row])))[0] for row in range(9)]
    np.testing.assert_array_equal(alone, model.predict(blocks))


def test_similar_products_are_train_products(products: pd.DataFrame, pricer: BundlePricer) -> None:
    """A train product is the most similar to itself, and has its own price and title."""
    row = int(train_rows(products)[3])
    answer = pricer.price([Question(str(products[TEXT][row]))], similar=4)[0]
    first = answer.similar[0]
    assert len(answer.similar) == 4
    assert first.similarity == pytest.approx(1, abs=0.25)
    assert (first.price, first.image_link) == (products[PRICE][row], products[LINK][row])
    similarities = [one.similarity for one in answer.similar]
    assert similarities == sorted(similarities, reverse=True)


def test_contributions_compare_with_the_product_without_a_part(pricer: BundlePricer) -> None:
    """Leaving out the picture is pricing the same text alone."""
    whole = pricer.price([FULL], contributions=True)[0]
    without = pricer.price([Question(FULL.text)])[0]
    factors = {one.part: one.factor for one in whole.contributions}
    assert factors[PICTURE] == whole.price / without.price
    assert {TITLE, BULLETS, QUANTITY, NEIGHBOURS} <= set(factors)


def test_the_largest_effect_comes_first(pricer: BundlePricer) -> None:
    """Halving and doubling a price are equally much."""
    effects = [
        abs(np.log(one.factor)) for one in pricer.price([FULL], contributions=True)[0].contributions
    ]
    assert effects == sorted(effects, reverse=True)


def test_contributions_do_not_change_the_price(pricer: BundlePricer) -> None:
    """Asking for more gives the same answer and more."""
    assert (
        prices(pricer.price([FULL], similar=3, contributions=True)).tolist()
        == prices(pricer.price([FULL])).tolist()
    )


def test_nothing_at_all_has_a_price(pricer: BundlePricer) -> None:
    """An empty text is priced as well as it can be, with its reasons."""
    answer = pricer.price([Question(" \n")], similar=3, contributions=True)[0]
    assert answer.low <= answer.price <= answer.high
    assert answer.reasons == (NO_TEXT, NO_PICTURE)
    assert answer.similar == ()


def test_no_questions_have_no_answers(pricer: BundlePricer) -> None:
    """Nothing asked, nothing said."""
    assert pricer.price([]) == []


@pytest.mark.parametrize("body", [b"", b"no picture", jpeg()[:200], png_bomb()])
def test_a_bad_picture_is_left_out_with_a_reason(body: bytes, pricer: BundlePricer) -> None:
    """The product is priced by its text."""
    answer, plain = pricer.price([Question(FULL.text, body), Question(FULL.text)])
    assert answer.reasons[0].startswith("picture not used: ")
    assert answer.price == plain.price


def test_a_long_text_is_cut_with_a_reason(pricer: BundlePricer) -> None:
    """What the pipeline would cut is cut here."""
    limit = pricer.bundle.text.max_text
    answer, cut = pricer.price([Question("tea " * limit), Question(("tea " * limit)[:limit])])
    assert answer.reasons[0] == "text cut after 100,000 characters"
    assert answer.price == cut.price


@settings(max_examples=25, deadline=None)
@given(st.text(max_size=200))
def test_any_text_has_a_price(pricer: BundlePricer, text: str) -> None:
    """Nothing that a person can type raises; the interval holds the price."""
    answer = pricer.price([Question(text)], similar=2, contributions=True)[0]
    assert 0 < answer.low <= answer.price <= answer.high < np.inf


def test_a_lone_surrogate_is_text_like_any_other(pricer: BundlePricer) -> None:
    r"""JSON can hold "\ud800", which no encoding of Unicode can."""
    assert pricer.price([Question("Item Name: Tea \ud800")])[0].price > 0


def test_a_picture_counts_as_the_pipeline_keeps_it(pricer: BundlePricer) -> None:
    """It is reduced before the models see it."""
    picture = reduced(jpeg(width=900, height=600), pricer.bundle.picture)
    assert len(picture) < len(jpeg(width=900, height=600))


def test_blocks_hold_a_row_for_each_product(pricer: BundlePricer) -> None:
    """What products share is computed once and dealt out again."""
    variants = [_Variant("Item Name: Tea", None), _Variant("Item Name: Tea", jpeg())] * 2
    blocks = pricer._blocks(variants)
    assert isinstance(blocks, Blocks)
    assert len(blocks) == 4
    assert blocks.vision is not None
    np.testing.assert_array_equal(blocks.vision[:2], blocks.vision[2:])
