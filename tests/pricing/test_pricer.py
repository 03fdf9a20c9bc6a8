"""Prices from a bundle, compared with those of the pipeline."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amlc.catalog.content import BULLETS, QUANTITY, TITLE
from amlc.catalog.products import LINK, PRICE, TEXT, read_products, train_rows
from amlc.catalog.products import test_rows as rows_of_test
from amlc.features.blocks import Blocks
from amlc.features.content import content_of
from amlc.features.vision import block
from amlc.features.vision.block import VisionSettings
from amlc.images.decode import decode
from amlc.models.blend import read_blend_predictions
from amlc.models.predictions import read_predictions
from amlc.models.registry import regressor
from amlc.pricing import pricer as module
from amlc.pricing.estimates import NO_PICTURE, NO_TEXT, Estimate, Product, ReasonKind
from amlc.pricing.pricer import NEIGHBOURS, PICTURE, BundlePricer
from tests.helpers.learning import MODELS
from tests.helpers.pictures import jpeg, png_bomb

FULL = Product(
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
def tests(pipeline: Path, products: pd.DataFrame) -> list[Product]:
    """Return the products of the test rows, with their pictures from the catalogue's folder."""

    def test_products() -> Iterator[Product]:
        for row in rows_of_test(products).tolist():
            name = str(products[LINK][row]).rpartition("/")[2]
            path = pipeline / "synthetic_images" / name
            body = path.read_bytes() if path.is_file() else NO_PICTURE
            yield Product(str(products[TEXT][row]), body)

    return list(test_products())


def prices(estimates: list[Estimate]) -> np.ndarray:
    """Return price, low and high of each estimate."""
    return np.array([(each.price, each.low, each.high) for each in estimates])


def test_prices_are_the_pipelines_own(
    pipeline: Path, products: pd.DataFrame, pricer: BundlePricer, tests: list[Product]
) -> None:
    """Text and the picture's file give each test row the price and the interval of the blend."""
    rows = rows_of_test(products)
    expected = np.exp(read_blend_predictions(pipeline / "blend", products).to_numpy()[rows])
    np.testing.assert_allclose(prices(pricer.price(tests)), expected, rtol=1e-12)


@pytest.mark.parametrize("name", MODELS)
def test_every_model_predicts_the_same_from_new_features(
    name: str, pipeline: Path, products: pd.DataFrame, pricer: BundlePricer, tests: list[Product]
) -> None:
    """Models without weight in this blend could have weight in another one."""
    model = regressor(name).load(pipeline / "models" / name)
    expected = read_predictions(pipeline / "models" / name, products)[rows_of_test(products)]
    blocks = pricer.blocks(tests)
    np.testing.assert_allclose(model.predict(blocks), expected, rtol=1e-12)


def test_only_models_with_weight_are_in_the_bundle(pipeline: Path, pricer: BundlePricer) -> None:
    """A bundle leaves out the models that do not change its prices."""
    members = [name for name, weight in pricer.bundle.blend.weights.items() if weight > 0]
    assert sorted(path.name for path in (pipeline / "bundle" / "models").iterdir()) == sorted(
        members
    )


def test_a_price_does_not_depend_on_the_batch(pricer: BundlePricer, tests: list[Product]) -> None:
    """One product at a time gives the prices of all at once, up to the last bits."""
    alone = [pricer.price([product])[0] for product in tests]
    np.testing.assert_allclose(prices(alone), prices(pricer.price(tests)), rtol=1e-13)


def test_threads_get_the_same_prices(pricer: BundlePricer, tests: list[Product]) -> None:
    """Several threads get the same prices as one, bit for bit."""
    with ThreadPoolExecutor(4) as pool:
        in_threads = list(pool.map(lambda product: pricer.price([product])[0], tests))
    alone = [pricer.price([product])[0] for product in tests]
    np.testing.assert_array_equal(prices(in_threads), prices(alone))


@pytest.mark.parametrize("name", [name for name in MODELS if name != "linear"])
def test_a_model_predicts_each_row_by_itself(
    name: str, pipeline: Path, pricer: BundlePricer
) -> None:
    """A row's prediction does not depend on the other rows, bit for bit."""
    model = regressor(name).load(pipeline / "models" / name)
    blocks = pricer.blocks([Product(f"Item Name: Tea {n} oz") for n in range(9)])
    alone = [model.predict(blocks.take(np.array([row])))[0] for row in range(9)]
    np.testing.assert_array_equal(alone, model.predict(blocks))


def test_similar_products_are_train_products(products: pd.DataFrame, pricer: BundlePricer) -> None:
    """A train product is the most similar to itself, with its own price and link."""
    row = int(train_rows(products)[3])
    similar = pricer.price([Product(str(products[TEXT][row]))], similar=4)[0].similar
    first = similar[0]
    assert len(similar) == 4
    assert first.similarity == pytest.approx(1, abs=0.25)
    assert (first.price, first.image_link) == (products[PRICE][row], products[LINK][row])
    similarities = [product.similarity for product in similar]
    assert similarities == sorted(similarities, reverse=True)


def test_contributions_compare_with_the_product_without_a_part(pricer: BundlePricer) -> None:
    """The contribution of the picture compares with the price of the same text alone."""
    whole = pricer.price([FULL], contributions=True)[0]
    without = pricer.price([Product(FULL.text)])[0]
    factors = {each.part: each.factor for each in whole.contributions}
    assert factors[PICTURE] == whole.price / without.price
    assert {TITLE, BULLETS, QUANTITY, NEIGHBOURS} <= set(factors)


def test_the_largest_effect_comes_first(pricer: BundlePricer) -> None:
    """Contributions are sorted by the ratio of prices, whether it is above or below one."""
    contributions = pricer.price([FULL], contributions=True)[0].contributions
    effects = [abs(np.log(each.factor)) for each in contributions]
    assert effects == sorted(effects, reverse=True)


def test_contributions_do_not_change_the_price(pricer: BundlePricer) -> None:
    """The price is the same with and without similar products and contributions."""
    assert (
        prices(pricer.price([FULL], similar=3, contributions=True)).tolist()
        == prices(pricer.price([FULL])).tolist()
    )


@pytest.mark.parametrize("text", [" \n", "nan", "None\n", " #N/A"])
def test_an_empty_product_has_a_price(pricer: BundlePricer, text: str) -> None:
    """A product without text and picture gets a price, with reasons."""
    estimate = pricer.price([Product(text)], similar=3, contributions=True)[0]
    assert estimate.price == pricer.price([Product("")])[0].price
    assert estimate.low <= estimate.price <= estimate.high
    assert estimate.reasons == (NO_TEXT, NO_PICTURE)
    assert estimate.similar == ()


def test_no_products_give_no_estimates(pricer: BundlePricer) -> None:
    """An empty list of products gives an empty list."""
    assert pricer.price([]) == []


@pytest.mark.parametrize("body", [b"", b"no picture", jpeg()[:200], png_bomb()])
def test_a_bad_picture_is_left_out_with_a_reason(body: bytes, pricer: BundlePricer) -> None:
    """A product whose picture cannot be used gets the price of its text."""
    estimate, plain = pricer.price([Product(FULL.text, body), Product(FULL.text)])
    assert estimate.reasons[0].kind is ReasonKind.PICTURE_NOT_USED
    assert estimate.price == plain.price


def test_a_long_text_is_cut_with_a_reason(pricer: BundlePricer) -> None:
    """A text is cut at the same length as in the pipeline."""
    limit = pricer.bundle.catalog.max_text
    estimate, cut = pricer.price([Product("tea " * limit), Product(("tea " * limit)[:limit])])
    assert str(estimate.reasons[0]) == "text cut after 100,000 characters"
    assert estimate.price == cut.price


@settings(max_examples=25)
@given(st.text(max_size=200))
def test_any_text_has_a_price(pricer: BundlePricer, text: str) -> None:
    """Any text gets a price within its interval."""
    estimate = pricer.price([Product(text)], similar=2, contributions=True)[0]
    assert 0 < estimate.low <= estimate.price <= estimate.high < np.inf


def test_a_text_with_a_lone_surrogate_has_a_price(pricer: BundlePricer) -> None:
    r"""JSON can hold "\ud800", which UTF-8 cannot; the text gets a price."""
    assert pricer.price([Product("Item Name: Tea \ud800")])[0].price > 0


def test_a_picture_is_reduced_once(
    pricer: BundlePricer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large picture becomes smaller before the models see it, unless it is reduced already."""
    path = tmp_path / "large.jpg"
    path.write_bytes(jpeg(width=900, height=600))
    reduced = decode(path.read_bytes(), pricer.bundle.picture)
    assert len(reduced.data) < path.stat().st_size
    seen: list[bytes | None] = []

    def recorded(pictures: list[bytes | None], settings: VisionSettings) -> Any:
        seen.extend(pictures)
        return block.describe(pictures, settings)

    monkeypatch.setattr(module, "describe", recorded)
    for picture in (path, path.read_bytes(), reduced):
        pricer.price([Product(FULL.text, picture)])
    assert seen == [reduced.data] * 3


def test_a_file_that_is_gone_is_left_out_with_a_reason(
    pricer: BundlePricer, tmp_path: Path
) -> None:
    """A picture that cannot be opened is like one that cannot be used."""
    (estimate,) = pricer.price([Product(FULL.text, tmp_path / "none.jpg")])
    assert list(map(str, estimate.reasons)) == ["picture not used: No such file or directory"]


def test_without_a_question_for_a_picture_there_is_no_reason(pricer: BundlePricer) -> None:
    """A product that is priced by its text alone does not lack a picture."""
    (estimate,) = pricer.price([Product(FULL.text, None)])
    assert estimate.reasons == ()


def test_blocks_hold_a_row_for_each_product(pricer: BundlePricer) -> None:
    """Products with the same text and picture have the same features."""
    text = "Item Name: Tea"
    blocks = pricer.blocks([Product(text), Product(text, jpeg())] * 2)
    assert isinstance(blocks, Blocks)
    assert len(blocks) == 4
    vision = blocks.dense["vision"].array
    np.testing.assert_array_equal(vision[:2], vision[2:])


def test_several_pictures_are_averaged(pricer: BundlePricer) -> None:
    """As the stage vision averages them; one that cannot be used does not count."""
    first, second = jpeg(1), jpeg(2)
    products = [
        Product("Tea", first),
        Product("Tea", second),
        Product("Tea", first, further_pictures=(second, b"no picture", b"no picture either")),
        Product("Tea", None, further_pictures=(second,)),
    ]
    blocks = pricer.blocks(products)
    one, other, both, later = blocks.dense["vision"].array
    assert both == pytest.approx((one.astype(np.float64) + other) / 2, rel=1e-6)
    assert later.tobytes() == other.tobytes()
    content = content_of(blocks)
    assert content is not None
    assert [len(files) for files in content.jpegs()] == [1, 1, 2, 1]
    estimate = pricer.price(products[2:3])[0]
    assert [reason.kind for reason in estimate.reasons] == [ReasonKind.PICTURE_NOT_USED]
