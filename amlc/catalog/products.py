"""The product table that every later stage reads."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from amlc.arrays import Floats, Rows
from amlc.errors import DataError, read_errors_as
from amlc.files import write_table

ID, TEXT, LINK, PRICE = "sample_id", "catalog_content", "image_link", "price"
# Only in the product table of a catalogue with several pictures per product: their links after the
# first one, one on each line.
FURTHER_LINKS = "further_links"
# Only in the product table of a catalogue whose prices are converted to one currency.
CURRENCY = "currency"
TRAIN_COLUMNS = (ID, TEXT, LINK, PRICE)
TEST_COLUMNS = (ID, TEXT, LINK)
# With the prices of test rows, the stage evaluate scores the predictions for them.
TEST_OPTIONAL_COLUMNS = (PRICE,)
TRAIN, TEST = "train", "test"

PRODUCT_SCHEMA = pa.schema(
    [
        pa.field(ID, pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field(TEXT, pa.string(), nullable=False),
        # Empty if it is missing; in a test row also if it is malformed.
        pa.field(LINK, pa.string(), nullable=False),
        # Null (NaN in pandas) in test rows without a price; models never see prices of test rows.
        pa.field(PRICE, pa.float64()),
        pa.field("group", pa.int32(), nullable=False),
        # -1 in test rows.
        pa.field("fold", pa.int8(), nullable=False),
    ]
)
# The prefixes of the user's own columns, which come after these.
CATEGORY, NUMBER, DATE = "category:", "number:", "date:"
_OWN_TYPES = {CATEGORY: pa.string(), NUMBER: pa.float64(), DATE: pa.float64()}


def own_kind(name: str) -> str:
    """Return the prefix of the name of a user's own column; empty for another column."""
    return next((prefix for prefix in _OWN_TYPES if name.startswith(prefix)), "")


def own_columns(products: pd.DataFrame) -> pd.DataFrame:
    """Return the user's own columns: texts, numbers, and dates in days since 1970-01-01."""
    return products[[name for name in products.columns if own_kind(name)]]


def write_products(path: Path, products: pd.DataFrame) -> None:
    """Write the product table, train rows first, and the user's own columns last."""
    kinds = {name: own_kind(name) for name in products.columns}
    own = [pa.field(name, _OWN_TYPES[kind]) for name, kind in kinds.items() if kind]
    optional = [
        pa.field(name, pa.string(), nullable=False)
        for name in (FURTHER_LINKS, CURRENCY)
        if name in products
    ]
    schema = pa.schema([*PRODUCT_SCHEMA, *optional, *own])
    write_table(path, pa.Table.from_pandas(products, schema=schema, preserve_index=False))


def read_products(path: Path, columns: list[str] | None = None) -> pd.DataFrame:
    """Read the product table, or some of its columns.

    Parameters
    ----------
    path : Path
        ``data/products.parquet``.
    columns : list of str, optional
        The columns to read; all by default.

    Returns
    -------
    DataFrame
        One row per product, in the columns of `PRODUCT_SCHEMA`, then those of `own_columns`. Texts
        are never missing.

    Raises
    ------
    DataError
        The file is missing, or it is not a product table.
    """
    message = f"{path}: cannot be read as a product table"
    with read_errors_as(DataError, message, remedy="run the stage prepare"):
        schema = pq.read_schema(path)
    missing = [name for name in PRODUCT_SCHEMA.names if name not in schema.names]
    if missing:
        raise DataError(f"{path}: missing columns: {', '.join(missing)}; run the stage prepare")
    products: pd.DataFrame = pq.read_table(path, columns=columns).to_pandas()
    return products


def links_of(products: pd.DataFrame) -> list[tuple[str, ...]]:
    """Return the links of each product's pictures; "" where it has none.

    Parameters
    ----------
    products : DataFrame
        With the column ``image_link``, and perhaps ``further_links``.
    """
    if FURTHER_LINKS not in products:
        return [(link,) for link in products[LINK]]
    pairs = zip(products[LINK], products[FURTHER_LINKS], strict=True)
    return [(link, *further.splitlines()) for link, further in pairs]


def read_links(path: Path) -> list[tuple[str, ...]]:
    """Return `links_of` the product table.

    Raises
    ------
    DataError
        As `read_products`.
    """
    with read_errors_as(DataError, f"{path}: cannot be read", remedy="run the stage prepare"):
        names = [name for name in (LINK, FURTHER_LINKS) if name in pq.read_schema(path).names]
    return links_of(read_products(path, names))


def rates_of(products: pd.DataFrame, rates: Mapping[str, float]) -> Floats:
    """Return the value of one unit of each product's own currency in the common one.

    Parameters
    ----------
    products : DataFrame
        The product table.
    rates : mapping of str to float
        ``data.rates``.

    Returns
    -------
    ndarray of float64, shape (n,)
        1 where prices are not converted, or the product's currency has no rate.
    """
    if CURRENCY not in products:
        return np.ones(len(products))
    return np.array([rates.get(cell, 1.0) for cell in products[CURRENCY]], dtype=np.float64)


def train_rows(products: pd.DataFrame) -> Rows:
    """Return the positions of the train rows."""
    return np.flatnonzero(products["split"].to_numpy() == TRAIN)


def test_rows(products: pd.DataFrame) -> Rows:
    """Return the positions of the test rows."""
    return np.flatnonzero(products["split"].to_numpy() == TEST)
