"""The product table that every later stage reads."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from amlc.arrays import Floats, Rows
from amlc.errors import DataError, read_errors_as
from amlc.files import write_tables

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
# Products of one row group, which are written and read together: some 15 MB of texts. No feature
# and no price depends on it, only how some files are divided.
GROUP_ROWS = 2**14

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


def write_products(path: Path, products: pd.DataFrame, group_rows: int = GROUP_ROWS) -> None:
    """Write the product table, train rows first, and the user's own columns last.

    Parameters
    ----------
    path : Path
        ``data/products.parquet``.
    products : DataFrame
        All products.
    group_rows : int
        Products of one row group.
    """
    kinds = {name: own_kind(name) for name in products.columns}
    own = [pa.field(name, _OWN_TYPES[kind]) for name, kind in kinds.items() if kind]
    optional = [
        pa.field(name, pa.string(), nullable=False)
        for name in (FURTHER_LINKS, CURRENCY)
        if name in products
    ]
    schema = pa.schema([*PRODUCT_SCHEMA, *optional, *own])
    groups = (
        products.iloc[start : start + group_rows]
        for start in range(0, max(len(products), 1), group_rows)
    )
    write_tables(
        path, (pa.Table.from_pandas(group, schema, preserve_index=False) for group in groups)
    )


def read_products(
    path: Path, columns: Sequence[str] | None = None, *, without: Collection[str] = ()
) -> pd.DataFrame:
    """Read the product table, or some of its columns.

    Parameters
    ----------
    path : Path
        ``data/products.parquet``.
    columns : sequence of str, optional
        The columns to read; all by default.
    without : collection of str
        Of these, the columns not to read. Texts are most of the table.

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
    names = _column_names(path)
    chosen = [name for name in columns or names if name not in without]
    with _reading(path):
        products: pd.DataFrame = pq.read_table(path, columns=chosen).to_pandas()
    return products


def _reading(path: Path) -> AbstractContextManager[None]:
    message = f"{path}: cannot be read as a product table"
    return read_errors_as(DataError, message, remedy="run the stage prepare")


def _column_names(path: Path) -> list[str]:
    with _reading(path):
        names: list[str] = pq.read_schema(path).names
    missing = [name for name in PRODUCT_SCHEMA.names if name not in names]
    if missing:
        raise DataError(f"{path}: missing columns: {', '.join(missing)}; run the stage prepare")
    return names


def iter_products(path: Path, columns: Sequence[str] | None = None) -> Iterator[pd.DataFrame]:
    """Yield the product table a row group at a time, so that no more of it is in memory.

    Parameters
    ----------
    path, columns
        As in `read_products`.

    Raises
    ------
    DataError
        As in `read_products`.
    """
    names = _column_names(path)
    chosen = list(columns or names)
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            with _reading(path):
                products = file.read_row_group(group, chosen).to_pandas()
            yield products


def iter_texts(path: Path, split: str | None = None) -> Iterator[str]:
    """Yield the text of each product, with one row group in memory.

    Parameters
    ----------
    path : Path
        As in `read_products`.
    split : str, optional
        Of these products only: `TRAIN` or `TEST`.

    Raises
    ------
    DataError
        As in `read_products`.
    """
    for products in iter_products(path, ["split", TEXT]):
        chosen = products if split is None else products[products["split"] == split]
        yield from chosen[TEXT]


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
    names = [name for name in _column_names(path) if name in {LINK, FURTHER_LINKS}]
    return [links for products in iter_products(path, names) for links in links_of(products)]


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
