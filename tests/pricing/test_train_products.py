"""The train products as similar products are shown."""

import io
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from amlc.errors import DataError, ModelError
from amlc.images.fetch_result import OK, PLACEHOLDER
from amlc.images.shards import ImageRow
from amlc.pricing.train_products import SIDE, TrainProducts, small, write_train_products
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


def write(folder: Path, images: list[ImageRow] = ROWS, threads: int = 1) -> tuple[int, int]:
    """Write the products in two groups."""
    links = {*PRODUCTS["image_link"]}
    return write_train_products(folder, [PRODUCTS[:1], PRODUCTS[1:]], links, images, threads)


def test_a_product_is_found_by_its_position(tmp_path: Path) -> None:
    """Id, title and price are those of the catalogue."""
    write(tmp_path)
    train_products = TrainProducts.load(tmp_path)
    product = train_products.similar(1, 0.5)
    assert len(train_products) == 3
    assert (product.sample_id, product.title) == ("8", "Öl")
    assert (product.price, product.similarity) == (20.0, 0.5)
    assert product.picture is None


def test_products_that_share_a_link_share_its_picture(tmp_path: Path) -> None:
    """Products with the same link have the same small picture."""
    assert write(tmp_path) == (3, 1)
    train_products = TrainProducts.load(tmp_path)
    picture = train_products.similar(0, 1.0).picture
    assert picture is not None
    assert picture == train_products.similar(2, 1.0).picture
    assert max(Image.open(io.BytesIO(picture)).size) == SIDE


def test_a_damaged_picture_is_named(tmp_path: Path) -> None:
    """It is not taken for a full disk."""
    whole = row("https://a.com/1.jpg")
    cut = replace(whole, data=whole.data[:200])
    with pytest.raises(DataError, match=r"the picture of https://a\.com/1\.jpg cannot be decoded"):
        write(tmp_path, [cut])


def test_a_placeholder_is_not_shown(tmp_path: Path) -> None:
    """A product whose picture failed has no small picture."""
    write(tmp_path, [row("https://a.com/1.jpg", PLACEHOLDER)])
    assert TrainProducts.load(tmp_path).similar(0, 1.0).picture is None


def test_threads_do_not_change_the_bytes(tmp_path: Path) -> None:
    """The files are the same for any number of threads."""
    for threads in (1, 3):
        write(tmp_path / str(threads), threads=threads)
    for path in (tmp_path / "1").iterdir():
        assert path.read_bytes() == (tmp_path / "3" / path.name).read_bytes()


def test_a_small_picture_keeps_its_aspect_ratio() -> None:
    """A picture of 240 by 160 pixels becomes one of 96 by 64."""
    assert Image.open(io.BytesIO(small(jpeg(width=240, height=160)))).size == (96, 64)


@pytest.mark.parametrize("name", ["products.arrow", "pictures.bin"])
def test_a_missing_file_is_an_error(name: str, tmp_path: Path) -> None:
    """A missing file raises a ModelError."""
    write(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(ModelError, match="the train products cannot be read"):
        TrainProducts.load(tmp_path)


def test_a_broken_table_is_an_error(tmp_path: Path) -> None:
    """A file that is not an Arrow table raises a ModelError."""
    write(tmp_path)
    (tmp_path / "products.arrow").write_bytes(b"no table at all, but long enough to be one")
    with pytest.raises(ModelError, match="the train products cannot be read"):
        TrainProducts.load(tmp_path)
