"""A file of any layout arranged as a catalogue: id, text, link, price, and columns of its own."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any
from urllib.parse import quote

import numpy as np
import pandas as pd

from amlc.catalog.amounts import plain_number, without_sign
from amlc.catalog.columns import ColumnMap, ReadSettings
from amlc.catalog.content import is_missing
from amlc.catalog.fields import lay_out
from amlc.catalog.links import LOCAL
from amlc.catalog.own_columns import names_in_table
from amlc.catalog.products import CURRENCY, FURTHER_LINKS, ID, LINK, PRICE, TEXT
from amlc.catalog.sheet import Sheet
from amlc.errors import DataError, first_few

_IS_LINK = re.compile(r"https?://", re.IGNORECASE)
# With it, a cell of WooCommerce's column "Parent" names an id.
_BY_ID = "id:"


@dataclass(frozen=True)
class Arranged:
    """A catalogue file in the columns that everything else reads.

    Parameters
    ----------
    sheet : Sheet
        Columns ``sample_id``, ``catalog_content``, ``image_link``, ``price`` if the file has it,
        and the user's own columns by their names in the product table.
    further_rows : int
        Rows that belong to the product of an earlier row, and are not in the sheet.
    signs : dict of str to int
        The currencies in the cells of prices, with their numbers of rows.
    """

    sheet: Sheet
    further_rows: int = 0
    signs: dict[str, int] = field(default_factory=dict)


def arrange(
    sheet: Sheet, columns: ColumnMap, read: ReadSettings, split: str, *, rates: bool
) -> Arranged:
    """Arrange a sheet that was read with the columns of a map.

    Parameters
    ----------
    sheet : Sheet
        The cells of the file.
    columns : ColumnMap
        The map.
    read : ReadSettings
        How prices and pictures are written.
    split : str
        Begins the numbers that rows without an id get.
    rates : bool
        Whether prices are converted to one currency, so that the currency is no category.

    Raises
    ------
    DataError
        Prices have several currencies, and there is no column of currencies.
    """
    sheet, further = _merged(sheet, columns)
    cells = sheet.cells
    rows = len(cells)
    values: dict[str, Any] = {
        ID: [f"{split}-{n}" for n in range(1, rows + 1)]
        if columns.id is None
        else cells[columns.id],
        TEXT: catalogue_texts(cells, columns),
        LINK: _links(cells, columns, read),
    }
    if further_links := _further_links(cells, columns, read):
        values[FURTHER_LINKS] = further_links
    signs: Counter[str] = Counter()
    if columns.price in cells:
        values[PRICE] = _prices(cells[columns.price], read, signs)
        if columns.currency is None and len(signs) > 1:
            counts = ", ".join(f"{sign!r} ({count:,})" for sign, count in signs.most_common(5))
            raise DataError(
                f"{sheet.path}: {columns.price}: prices in several currencies: {counts}; give "
                "data.columns.currency a column that names them, and data.rates"
            )
    if columns.currency is not None and rates:
        values[CURRENCY] = cells[columns.currency]
    for name, source in names_in_table(columns, rates=rates).items():
        values[name] = cells[source]
    table = pd.DataFrame({name: _strings(value) for name, value in values.items()})
    return Arranged(replace(sheet, cells=table), further, dict(signs))


def _strings(values: Any) -> pd.Series:
    series = values if isinstance(values, pd.Series) else pd.Series(values, dtype="str")
    return series.reset_index(drop=True)


def catalogue_texts(cells: pd.DataFrame, columns: ColumnMap) -> Any:
    """Return the catalogue text of each row; a single column of text is taken as it is.

    Parameters
    ----------
    cells : DataFrame
        The cells of the file.
    columns : ColumnMap
        The map.
    """
    if isinstance(columns.text, str):
        return cells[columns.text]
    parts = [cells[name] for name in columns.text]
    quantities: Iterable[str] = [""] * len(parts[0])
    if columns.quantity is not None:
        quantities = cells[columns.quantity]
    rows = zip(*parts, quantities, strict=True)
    return [lay_out(columns.text, row[:-1], row[-1]) for row in rows]


def _links(cells: pd.DataFrame, columns: ColumnMap, read: ReadSettings) -> Any:
    if columns.image is None:
        return [""] * len(cells)
    if read.images == "links" and read.image_separator is None:
        return cells[columns.image]
    return [links[0] for links in _all_links(cells, columns, read)]


def _further_links(cells: pd.DataFrame, columns: ColumnMap, read: ReadSettings) -> list[str]:
    """Return the links of each row after the first one, as lines; empty if no row has any."""
    if columns.image is None or read.image_separator is None or read.max_images == 1:
        return []
    # A link with white space in it is malformed, but still one link.
    further = [
        "\n".join(" ".join(link.split()) for link in links[1:])
        for links in _all_links(cells, columns, read)
    ]
    return further if any(further) else []


def _all_links(cells: pd.DataFrame, columns: ColumnMap, read: ReadSettings) -> list[list[str]]:
    return [image_links(cell, read) for cell in cells[columns.image]]


def image_links(cell: str, read: ReadSettings) -> list[str]:
    r"""Return the links of the pictures that a cell names, as many as are used.

    Parameters
    ----------
    cell : str
        A link or a path, or several.
    read : ReadSettings
        What they are, and what separates them.

    Returns
    -------
    list of str
        At least one, which may be empty. A path becomes a link to the host that
        `amlc.catalog.links.LOCAL` names, whose pictures are only ever looked for in the folder
        ``images.mirror``.

    Examples
    --------
    >>> from amlc.catalog.columns import PLAIN
    >>> paths = PLAIN.model_copy(update={"images": "paths", "image_separator": ";"})
    >>> image_links(" tea\\green 1.jpg; tea/2.jpg", paths)
    ['http://local.invalid/tea/green%201.jpg', 'http://local.invalid/tea/2.jpg']
    """
    if read.image_separator is None:
        return [_image_link(cell, read)]
    parts = (part.strip() for part in cell.split(read.image_separator))
    distinct = dict.fromkeys(part for part in parts if part and not is_missing(part))
    return [_image_link(part, read) for part in islice(distinct, read.max_images)] or [""]


def _image_link(cell: str, read: ReadSettings) -> str:
    if read.images == "links" or is_missing(cell) or _IS_LINK.match(cell.strip()):
        return cell
    path = cell.strip().replace("\\", "/").removeprefix("./").lstrip("/")
    return f"http://{LOCAL}/{quote(path)}"


def _prices(cells: Iterable[str], read: ReadSettings, signs: Counter[str]) -> Any:
    if read.has_plain_numbers:
        return cells
    prices = []
    for cell in cells:
        number = cell
        if read.currency_signs:
            number, sign = without_sign(cell)
            if sign:
                signs[sign] += 1
        prices.append(plain_number(number, read))
    return prices


# Further rows of a product.


def product_keys(cells: pd.DataFrame, columns: ColumnMap) -> list[str]:
    """Return what names the product of each row; empty where nothing does.

    Parameters
    ----------
    cells : DataFrame
        The cells of the file.
    columns : ColumnMap
        `product` names the column in which further rows name their product, and then the columns,
        besides the id, by whose cells they name it. A cell such as ``id:10`` names an id.
    """
    parents = cells[columns.product[0]]
    ids = cells[columns.id] if columns.id is not None else [""] * len(parents)
    own = [str(sample_id).strip() for sample_id in ids]
    aliases: dict[str, str] = {}
    for name in columns.product[1:]:
        for other, sample_id in zip(cells[name], own, strict=True):
            if other.strip() and sample_id:
                aliases.setdefault(other.strip(), sample_id)
    aliases.update({f"{_BY_ID}{sample_id}": sample_id for sample_id in own if sample_id})
    keys = []
    for parent, sample_id in zip(parents, own, strict=True):
        name = parent.strip()
        keys.append(aliases.get(name, name) if name else sample_id)
    return keys


def _merged(sheet: Sheet, columns: ColumnMap) -> tuple[Sheet, int]:
    """Return a sheet with one row for each product, and the number of further rows.

    A product has the id of its first row, and of every other column the first cell that is filled.
    """
    if not columns.product:
        return sheet, 0
    cells = sheet.cells
    # A row that names no product is a product of its own.
    keys = [key or f"\0{row}" for row, key in enumerate(product_keys(cells, columns))]
    codes, _ = pd.factorize(np.array(keys, dtype=object))
    first = pd.Series(codes).drop_duplicates().index.to_numpy()
    filled = cells.astype(object).where(cells != "", None)
    merged = filled.groupby(codes, sort=False).first().fillna("").astype("str")
    if columns.id is not None:
        merged[columns.id] = cells[columns.id].iloc[first].to_numpy()
    merged = merged.reset_index(drop=True)
    return replace(sheet, cells=merged, lines=sheet.lines[first]), len(cells) - len(first)


def describe_unused(sheet: Sheet) -> str:
    """Return a sentence about the columns of a file that the map does not name; empty if none."""
    if not sheet.unused:
        return ""
    names = first_few(map(repr, sheet.unused), 10)
    count = len(sheet.unused)
    return f"{sheet.path}: {count} columns are not used: {names}"
