"""The train products as a customer sees them."""

import io
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from amlc.errors import ModelError
from amlc.images.fetch_result import OK, PLACEHOLDER
from amlc.images.shards import ImageRow
from amlc.pricing.train_products import SIDE, Catalogue, small, write_train_products
from tests.helpers.pictures import jpeg

PRODUCTS = pd.DataFrame(
    {
        "sample_id": ["7", "8", "9"],
        "catalog_content": ["Item Name: Tea", "Item Name: Öl\nValue: 1", "no label"],
        "image_link": ["https://a.com/1.jpg", "https://a.com/2.jpg", "https://a.com/1.jpg"],
        "price": [1.5, 20.0, 3.0],
    }
)


def row(link: str, status: str = OK) -> ImageRow:
    """Return a row of an image shard."""
    return ImageRow(link, status, "", 0, 256, 170, jpeg(seed=1, width=256, height=170))


ROWS = [row("https://a.com/0.jpg"), row("https://a.com/1.jpg")]


def test_a_product_is_found_by_its_number(tmp_path: Path) -> None:
    """Title, price and link are those of the catalogue."""
    write_train_products(tmp_path, PRODUCTS, ROWS, 1)
    catalogue = Catalogue.load(tmp_path)
    found = catalogue.similar(1, 0.5)
    assert len(catalogue) == 3
    assert (found.sample_id, found.title, found.price, found.similarity) == ("8", "Öl", 20.0, 0.5)
    assert found.picture is None


def test_products_that_share_a_link_share_its_picture(tmp_path: Path) -> None:
    """It is kept once, and small."""
    write_train_products(tmp_path, PRODUCTS, ROWS, 1)
    catalogue = Catalogue.load(tmp_path)
    picture = catalogue.similar(0, 1.0).picture
    assert picture is not None
    assert picture == catalogue.similar(2, 1.0).picture
    assert max(Image.open(io.BytesIO(picture)).size) == SIDE


def test_a_placeholder_is_no_picture(tmp_path: Path) -> None:
    """Nobody wants to see the grey square."""
    write_train_products(tmp_path, PRODUCTS, [row("https://a.com/1.jpg", PLACEHOLDER)], 1)
    assert Catalogue.load(tmp_path).similar(0, 1.0).picture is None


def test_threads_do_not_change_the_bytes(tmp_path: Path) -> None:
    """The files are a function of products and pictures."""
    for threads in (1, 3):
        write_train_products(tmp_path / str(threads), PRODUCTS, ROWS, threads)
    for path in (tmp_path / "1").iterdir():
        assert path.read_bytes() == (tmp_path / "3" / path.name).read_bytes()


def test_a_small_picture_keeps_its_shape() -> None:
    """Two thirds stay two thirds."""
    assert Image.open(io.BytesIO(small(jpeg(width=240, height=160)))).size == (96, 64)


@pytest.mark.parametrize("name", ["products.arrow", "pictures.bin"])
def test_a_missing_file_is_an_error(name: str, tmp_path: Path) -> None:
    """The message says where it was looked for."""
    write_train_products(tmp_path, PRODUCTS, ROWS, 1)
    (tmp_path / name).unlink()
    with pytest.raises(ModelError, match="no saved catalogue"):
        Catalogue.load(tmp_path)


def test_a_broken_table_is_an_error(tmp_path: Path) -> None:
    """Whatever stands in it."""
    write_train_products(tmp_path, PRODUCTS, ROWS, 1)
    (tmp_path / "products.arrow").write_bytes(b"no table at all, but long enough to be one")
    with pytest.raises(ModelError, match="no saved catalogue"):
        Catalogue.load(tmp_path)
