"""The train products as similar products are shown: title, price, link and a small picture."""

import io
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import pyarrow as pa
from PIL import Image
from tqdm import tqdm

from amlc import layout
from amlc.catalog.columns import COMPETITION, ColumnMap
from amlc.catalog.content import title_of
from amlc.catalog.products import ID, LINK, PRICE, TEXT, own_columns
from amlc.catalog.shown_fields import shown_fields
from amlc.errors import DataError, ModelError, read_errors_as
from amlc.images.decode import encode_jpeg
from amlc.images.fetch_result import OK
from amlc.images.shards import ImageRow
from amlc.pricing.estimates import SimilarProduct

PRODUCTS, PICTURES = "products.arrow", "pictures.bin"
# Longest side, in pixels, and JPEG quality of a small picture.
SIDE, QUALITY = 96, 80
# Pictures that are read and resized before any of them is written.
_BATCH = 256
SCHEMA = pa.schema(
    [
        pa.field(ID, pa.string(), nullable=False),
        pa.field("title", pa.string(), nullable=False),
        pa.field(LINK, pa.string(), nullable=False),
        pa.field(PRICE, pa.float64(), nullable=False),
        # Where the picture starts in the file of pictures, and its length; 0 where there is none.
        pa.field("start", pa.int64(), nullable=False),
        pa.field("bytes", pa.int32(), nullable=False),
    ]
)
# Of a catalogue with columns of its own: the further fields, by their names.
FIELDS = pa.field("fields", pa.map_(pa.string(), pa.string()), nullable=False)


class TrainProducts:
    """The train products by their position.

    Parameters
    ----------
    products : Table
        The columns of `SCHEMA`, and perhaps `FIELDS`, one row for each product.
    pictures : ndarray of uint8
        JPEG files, one after another.
    """

    def __init__(self, products: pa.Table, pictures: np.ndarray) -> None:
        self._columns = {name: products[name] for name in products.schema.names}
        self._pictures = pictures

    def __len__(self) -> int:
        """Return the number of train products."""
        return len(self._columns[ID])

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Map what `write_train_products` wrote into memory.

        Raises
        ------
        ModelError
            A file is missing or broken.
        """
        with read_errors_as(ModelError, f"{folder}: the train products cannot be read"):
            with pa.ipc.open_file(pa.memory_map(str(folder / PRODUCTS))) as reader:
                products = reader.read_all()
            path = folder / PICTURES
            size = path.stat().st_size
            pictures = np.memmap(path, np.uint8, "r") if size else np.empty(0, np.uint8)
        if products.schema not in (SCHEMA, SCHEMA.append(FIELDS)):
            raise ModelError(f"{folder / PRODUCTS}: the columns are not {', '.join(SCHEMA.names)}")
        return cls(products, pictures)

    def similar(self, position: int, similarity: float) -> SimilarProduct:
        """Return the product at a position, with its similarity to the product being priced."""
        values = {name: column[position].as_py() for name, column in self._columns.items()}
        start, size = values["start"], values["bytes"]
        return SimilarProduct(
            sample_id=values[ID],
            title=values["title"],
            image_link=values[LINK],
            price=values[PRICE],
            similarity=similarity,
            picture=self._pictures[start : start + size].tobytes() if size else None,
            fields=tuple(values.get(FIELDS.name, ())),
        )


def write_train_products(
    folder: Path,
    groups: Iterable[pd.DataFrame],
    links: AbstractSet[str],
    images: Iterable[ImageRow],
    threads: int,
    columns: ColumnMap = COMPETITION,
) -> tuple[int, int]:
    """Write the train products and their small pictures.

    Parameters
    ----------
    folder : Path
        Where to write them; it is created.
    groups : iterable of DataFrame
        The train rows of the product table; one group is in memory at a time.
    links : set of str
        Their links.
    images : iterable of ImageRow
        The pictures of these links; other links are ignored.
    threads : int
        Pictures to resize at once; the files do not depend on it.
    columns : ColumnMap
        The map of the catalogue.

    Returns
    -------
    products, pictures : int
        Their numbers.
    """
    folder.mkdir(parents=True, exist_ok=True)
    extents = _write_pictures(folder / PICTURES, links, images, threads)
    has_fields = columns.own or not isinstance(columns.text, str)
    schema = SCHEMA.append(FIELDS) if has_fields else SCHEMA
    count = 0
    with pa.OSFile(str(folder / PRODUCTS), "wb") as stream, pa.ipc.new_file(stream, schema) as out:
        for products in groups:
            values = _values(products, extents, columns if has_fields else None)
            pairs = zip(values, schema, strict=True)
            arrays = [pa.array(column, field.type) for column, field in pairs]
            out.write_table(pa.Table.from_arrays(arrays, schema=schema))
            count += len(products)
    return count, len(extents)


def _values(
    products: pd.DataFrame, extents: Mapping[str, tuple[int, int]], columns: ColumnMap | None
) -> list[list[Any]]:
    """Return the columns of `SCHEMA` and, with a map of the catalogue, `FIELDS`."""
    extents_of_rows = [extents.get(link, (0, 0)) for link in products[LINK]]
    values = [
        products[ID].tolist(),
        [title_of(text) for text in products[TEXT]],
        products[LINK].tolist(),
        products[PRICE].tolist(),
        [start for start, _ in extents_of_rows],
        [size for _, size in extents_of_rows],
    ]
    if columns is not None:
        own: list[Any] = own_columns(products).to_dict("records")
        rows = zip(products[TEXT], own, strict=True)
        values.append([shown_fields(text, cells, columns) for text, cells in rows])
    return values


def _write_pictures(
    path: Path, links: AbstractSet[str], images: Iterable[ImageRow], threads: int
) -> dict[str, tuple[int, int]]:
    """Write the small pictures of links; return the start and length of each by its link."""
    good = (row for row in images if row.status == OK and row.link in links)
    extents: dict[str, tuple[int, int]] = {}
    start = 0
    with (
        path.open("wb") as stream,
        ThreadPoolExecutor(threads) as pool,
        tqdm(desc="small pictures", unit="image", disable=None) as bar,
    ):
        while batch := list(islice(good, _BATCH)):
            pictures = pool.map(_small_of, batch)
            for row, picture in zip(batch, pictures, strict=True):
                extents[row.link] = (start, len(picture))
                start += stream.write(picture)
                bar.update()
    return extents


def _small_of(row: ImageRow) -> bytes:
    message = f"{layout.IMAGES}: the picture of {row.link} cannot be decoded"
    with read_errors_as(DataError, message, remedy="run the stage images again"):
        return small(row.data)


def small(body: bytes) -> bytes:
    """Return a picture of the image shards reduced to `SIDE` pixels, as JPEG."""
    with Image.open(io.BytesIO(body), formats=("JPEG",)) as image:
        image.draft("RGB", (SIDE, SIDE))
        reduced = image.convert("RGB")
    reduced.thumbnail((SIDE, SIDE))
    return encode_jpeg(reduced, quality=QUALITY)
