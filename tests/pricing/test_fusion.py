"""Prices of a bundle with a fine-tuned model."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from amlc.catalog.products import LINK, TEXT, read_products
from amlc.catalog.products import test_rows as rows_of_test
from amlc.errors import MissingExtraError
from amlc.features.encoders import runtime
from amlc.models.blend import read_blend_predictions
from amlc.pricing.estimates import NO_PICTURE, Product
from amlc.pricing.pricer import PICTURE, BundlePricer
from tests.helpers.deep import skip_without_deep
from tests.helpers.fusion import SECTION, image_tower, text_tower
from tests.helpers.tiny import run_pipeline

skip_without_deep()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder ``data`` of a pipeline whose only model is fine-tuned."""
    folder = tmp_path_factory.mktemp("fusion")
    towers = {"text": text_tower(folder / "text"), "image": image_tower(folder / "image")}

    def change(params: dict[str, Any]) -> None:
        params["models"] = ["fusion"]
        params["train"]["fusion"] = {**SECTION, **towers, "epochs": 2}

    return run_pipeline(folder, change=change)


@pytest.fixture(scope="module")
def pricer(data: Path) -> BundlePricer:
    """Return the pricer of its bundle."""
    return BundlePricer.load(data / "bundle")


@pytest.fixture(scope="module")
def products(data: Path) -> pd.DataFrame:
    """Return its product table."""
    return read_products(data / "products.parquet")


def product(data: Path, products: pd.DataFrame, row: int) -> Product:
    """Return a product with its picture's file from the catalogue's folder."""
    path = data / "synthetic_images" / str(products[LINK][row]).rpartition("/")[2]
    body = path.read_bytes() if path.is_file() else NO_PICTURE
    return Product(str(products[TEXT][row]), body)


def test_prices_are_the_pipelines_own(
    data: Path, products: pd.DataFrame, pricer: BundlePricer
) -> None:
    """Up to the rounding of float32, which depends on the rows of a batch."""
    rows = rows_of_test(products)
    expected = np.exp(read_blend_predictions(data / "blend", products).to_numpy()[rows, 0])
    estimates = pricer.price([product(data, products, row) for row in rows.tolist()])
    np.testing.assert_allclose([each.price for each in estimates], expected, rtol=1e-5)


def test_every_epoch_is_in_the_curve(data: Path) -> None:
    """The report and the plots of DVC read it."""
    curve = pd.read_csv(data / "models/fusion/epochs.csv")
    assert curve["epoch"].tolist() == [1, 2]


def test_contributions_and_similar_products_are_as_before(
    data: Path, products: pd.DataFrame, pricer: BundlePricer
) -> None:
    """The picture is a part that a product may lack."""
    rows = [row for row in rows_of_test(products).tolist() if products[LINK][row]]
    given = [product(data, products, row) for row in rows]
    with_picture = next(each for each in given if isinstance(each.picture, bytes))
    (estimate,) = pricer.price([with_picture], similar=2, contributions=True)
    assert PICTURE in {each.part for each in estimate.contributions}
    assert len(estimate.similar) == 2


def test_the_service_says_what_the_model_costs(pricer: BundlePricer) -> None:
    """In seconds for one product."""
    assert pricer.deep_seconds()["fusion"] > 0


def test_the_bundle_is_refused_without_the_extra(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names the command that installs it."""
    monkeypatch.setattr(runtime, "find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match="the model fusion needs the extra 'deep'"):
        BundlePricer.load(data / "bundle")
