"""Bundles with pretrained encoders: the prices are those of the pipeline."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.helpers.deep import make_image_model, make_text_model, skip_without_deep

skip_without_deep()

from amlc.catalog.products import LINK, TEXT, read_products
from amlc.catalog.products import test_rows as rows_of_test
from amlc.errors import MissingExtraError
from amlc.models.blend import read_blend_predictions
from amlc.models.predictions import read_predictions
from amlc.models.registry import regressor
from amlc.pricing.estimates import Product
from amlc.pricing.pricer import BundlePricer
from tests.helpers.tiny import run_pipeline

COMMON = {"revision": None, "batch_size": 16, "precision": "float32"}
# Each model, and the blocks that it sees.
MODELS = {
    "linear": ["tabular", "encoders"],
    "lightgbm": ["encoders.words", "encoders.pixels", "neighbours"],
    "mlp": ["terms", "encoders.pixels"],
}


def _with_encoders(words: Path, pixels: Path) -> Callable[[dict[str, Any]], None]:
    encoders = {
        "words": {**COMMON, "kind": "text", "model": str(words), "pooling": "mean", "tokens": 16},
        "pixels": {
            **COMMON,
            "kind": "image",
            "model": str(pixels),
            "pooling": "cls",
            "architecture": None,
        },
    }

    def change(params: dict[str, Any]) -> None:
        params["encoders"] = encoders
        params["models"] = list(MODELS)
        for name, blocks in MODELS.items():
            params["train"][name]["blocks"] = blocks

    return change


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder ``data`` of a pipeline whose models see encoders."""
    folder = tmp_path_factory.mktemp("encoders")
    words, pixels = make_text_model(folder / "words"), make_image_model(folder / "pixels")
    data = run_pipeline(folder, change=_with_encoders(words, pixels))
    # A bundle needs nothing outside of it.
    shutil.rmtree(words)
    shutil.rmtree(pixels)
    return data


@pytest.fixture(scope="module")
def pricer(data: Path) -> BundlePricer:
    """Return the pricer of the pipeline's bundle."""
    return BundlePricer.load(data / "bundle")


@pytest.fixture(scope="module")
def products(data: Path) -> list[Product]:
    """Return the test rows with their pictures."""
    table = read_products(data / "products.parquet")

    def picture(link: str) -> bytes | None:
        path = data / "synthetic_images" / link.rpartition("/")[2]
        return path.read_bytes() if link and path.is_file() else None

    rows = table.iloc[rows_of_test(table)]
    return [
        Product(text, picture(link) or b"")
        for text, link in zip(rows[TEXT], rows[LINK], strict=True)
    ]


def test_prices_are_the_pipelines_own(
    data: Path, pricer: BundlePricer, products: list[Product]
) -> None:
    """A bundle encodes new texts and pictures as the pipeline did."""
    table = read_products(data / "products.parquet")
    rows = rows_of_test(table)
    expected = np.exp(read_blend_predictions(data / "blend", table).to_numpy()[rows])
    prices = [(each.price, each.low, each.high) for each in pricer.price(products)]
    np.testing.assert_allclose(prices, expected, rtol=1e-12)


@pytest.mark.parametrize("name", MODELS)
def test_every_model_predicts_the_same_from_new_vectors(
    name: str, data: Path, pricer: BundlePricer, products: list[Product]
) -> None:
    """Whether a model names its encoders or takes all of them."""
    table = read_products(data / "products.parquet")
    expected = read_predictions(data / "models" / name, table)[rows_of_test(table)]
    model = regressor(name).load(data / "models" / name)
    np.testing.assert_allclose(model.predict(pricer.blocks(products)), expected, rtol=1e-12)


def test_a_vector_does_not_depend_on_the_batch(
    pricer: BundlePricer, products: list[Product]
) -> None:
    """One product at a time gets the vectors of all at once, bit for bit."""
    together = pricer.blocks(products).dense
    for name in ("encoders.words", "encoders.pixels"):
        alone = [pricer.blocks([product]).dense[name].array for product in products]
        np.testing.assert_array_equal(np.concatenate(alone), together[name].array)


def test_a_product_without_text_and_picture_is_priced(pricer: BundlePricer) -> None:
    """Its vectors are 0 and its flags 1."""
    blocks = pricer.blocks([Product("")]).dense
    for name in ("encoders.words", "encoders.pixels"):
        assert blocks[name].array[0, 0] == 1
        assert not blocks[name].array[0, 1:].any()
    assert pricer.price([Product("")])[0].price > 0


def test_only_the_metrics_of_the_encoders_are_tracked(data: Path) -> None:
    """They identify the weights, and count products without a text or a picture."""
    metrics = json.loads((data.parent / "metrics" / "encoders.json").read_text())
    assert set(metrics) == {"words", "pixels"}
    assert len(metrics["words"]["sha256"]) == 64
    assert (metrics["words"]["rows"], metrics["words"]["width"]) == (190, 16)
    assert metrics["pixels"]["missing"] > metrics["words"]["missing"] == 0


def test_the_time_of_each_encoder_is_measured(pricer: BundlePricer) -> None:
    """The service prints it at its start."""
    assert pricer.deep_seconds().keys() == {"words", "pixels"}


def test_a_bundle_needs_the_extra(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it, the error names the encoders and the command."""
    monkeypatch.setattr("amlc.features.encoders.runtime.find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match="encoder pixels, words, needs the extra 'deep'"):
        BundlePricer.load(data / "bundle")
