"""The rows of a file that is priced: a row with an error is kept, with the reason."""

import re
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from amlc.catalog.arrangement import image_links
from amlc.catalog.columns import COMPETITION, PLAIN, ColumnMap, ReadSettings
from amlc.catalog.content import is_missing
from amlc.catalog.product_fields import ProductFields
from amlc.catalog.tables import Table, open_table
from amlc.catalog.validation import id_error, link_error
from amlc.errors import DataError

# NUL, and what Python decodes bytes that are not UTF-8 to with ``errors="surrogateescape"``.
_NOT_TEXT = re.compile("[\x00\udc80-\udcff]")
_REASONS = {
    "id_missing": "no id",
    "id_malformed": "malformed id",
    "link_malformed": "malformed image link",
}
# Bytes of a decompressed file, where nothing else is said.
MAX_BYTES = 10**11
# The products before a row among which its own is looked for.
_MAX_PRODUCTS = 10_000
_FURTHER_PICTURE = "a further picture, priced as its product"
_NO_PRODUCT = "its product is not above it"


@dataclass(frozen=True)
class Row:
    """A row of the file.

    Parameters
    ----------
    sample_id, text, link : str
        As written, but with bytes that are not UTF-8 replaced; `link` is without white space around
        it, and empty if it is missing or malformed.
    reasons : tuple of str
        What is wrong with the row.
    own : tuple of (str, str)
        The cells of the user's own columns, by their names in the product table.
    cells : tuple of str
        All cells of the row, one for each column of the file; empty for the columns of the
        competition.
    currency : str
        The currency of the price; empty for the common one.
    further_links : tuple of str
        Those of its other pictures.
    """

    sample_id: str
    text: str
    link: str
    reasons: tuple[str, ...]
    own: tuple[tuple[str, str], ...] = ()
    cells: tuple[str, ...] = ()
    currency: str = ""
    further_links: tuple[str, ...] = ()


class ProductRows:
    """Iterator over the rows; one row and all ids are in memory.

    Where further rows belong to products, the latest products are as well.

    Parameters
    ----------
    table : Table
        The open file; its columns may be in any order, and there may be others than the needed
        ones.
    name : str
        The file's name, for messages.
    links : bool
        Whether the column of links is needed.
    columns : ColumnMap
        Which column is what.
    read : ReadSettings
        How numbers and pictures are written.
    rates : mapping of str to float
        Those of the currencies.

    Attributes
    ----------
    records : iterator of Record
        The records after the header that are not read yet.
    header : list of str
        The names of all columns.

    Raises
    ------
    DataError
        A needed column is missing or repeated; or a reason of `open_table`.
    """

    def __init__(
        self,
        table: Table,
        name: str,
        *,
        links: bool,
        columns: ColumnMap = COMPETITION,
        read: ReadSettings = PLAIN,
        rates: Mapping[str, float] | None = None,
    ) -> None:
        self.records = table.records
        self.header = table.header
        self._columns, self._read = columns, read
        needed = [column for column in columns.inputs if links or column != columns.image]
        for column in needed:
            if (count := self.header.count(column)) != 1:
                error = f"is there {count} times" if count else "is missing"
                names = ", ".join(repr(cell[:40]) for cell in self.header[:8])
                raise DataError(
                    f"{name}: column {column!r} {error}; the header has {names or 'no cell'}"
                )
        self._image = columns.image if links else None
        self._indices = {column: self.header.index(column) for column in needed}
        self._fields = ProductFields(columns, read, rates)
        self._ids: set[str] = set()
        self._rows = 0
        # The cells of the latest products, and the product that each name stands for.
        self._products: OrderedDict[int, dict[str, str]] = OrderedDict()
        self._named: dict[str, int] = {}

    def __iter__(self) -> Iterator[Row]:
        """Yield each row."""
        for _, cells, broken in self.records:
            yield self._row(cells, broken=broken)

    def _row(self, cells: list[str], *, broken: bool) -> Row:
        width = len(self.header)
        reasons = ["broken quoting"] if broken else []
        if not broken and len(cells) != width:
            reasons.append(f"{len(cells)} cells, not {width}")
        values = {
            column: cells[index] if index < len(cells) else ""
            for column, index in self._indices.items()
        }
        if not all(map(_is_text, values.values())):
            reasons.append("bytes that are not UTF-8 text")
            values = {column: _NOT_TEXT.sub("\ufffd", value) for column, value in values.items()}
        if self._columns.product:
            values, note = self._completed(values)
            reasons += note
        self._rows += 1
        columns = self._columns
        sample_id = str(self._rows) if columns.id is None else values[columns.id]
        named = [""] if self._image is None else image_links(values[self._image], self._read)
        link, *further = named
        errors = [id_error(sample_id), link_error(link)]
        reasons += [_REASONS[error] for error in errors if error]
        if self._image is not None and is_missing(link):
            reasons.append("no image link")
            link = ""
        if not errors[0]:
            if sample_id in self._ids and not columns.product:
                reasons.append("repeated id")
            self._ids.add(sample_id)
        reasons += [
            f"{name}: no rate, so that the price is in the common currency"
            if kind == "currency"
            else f"{name}: not readable"
            for name, kind in self._fields.unreadable(values)
        ]
        return Row(
            sample_id,
            self._fields.text(values),
            "" if errors[1] else link.strip(),
            tuple(reasons),
            self._fields.own(values),
            () if columns == COMPETITION else _fitted(cells, width),
            self._fields.currency(values),
            tuple(each.strip() for each in further),
        )

    def _completed(self, values: dict[str, str]) -> tuple[dict[str, str], list[str]]:
        """Return the cells of a row, those of a further row completed, and what to say of it."""
        columns = self._columns
        parent = values[columns.product[0]].strip()
        sample_id = "" if columns.id is None else values[columns.id].strip()
        product = self._products.get(self._named.get(parent, -1)) if parent else None
        if product is not None:
            if self._fields.is_empty(values):
                completed, note = dict(product), [_FURTHER_PICTURE]
            else:
                completed = {column: value or product[column] for column, value in values.items()}
                note = []
            return completed | (
                {} if columns.id is None else {columns.id: values[columns.id]}
            ), note
        others = {values[name].strip() for name in columns.product[1:]}
        self._remember(values, {sample_id, f"id:{sample_id}", *others} - {"", "id:"}, parent)
        # With one column alone, all rows with the same cell are one product.
        is_missing_product = parent and len(columns.product) > 1
        return values, [_NO_PRODUCT] if is_missing_product else []

    def _remember(self, values: dict[str, str], names: set[str], parent: str) -> None:
        self._products[self._rows] = values
        for name in names | ({parent} if parent else set()):
            self._named[name] = self._rows
        if len(self._products) > _MAX_PRODUCTS:
            self._products.popitem(last=False)


def _fitted(cells: list[str], width: int) -> tuple[str, ...]:
    """Return the cells of a row, as many as the header has."""
    texts = [cell if _is_text(cell) else _NOT_TEXT.sub("\ufffd", cell) for cell in cells[:width]]
    return (*texts, *[""] * (width - len(texts)))


def _is_text(value: str) -> bool:
    # Most cells do not need the search for the pattern, which is slower.
    if value.isascii():
        return "\0" not in value
    return not _NOT_TEXT.search(value)


@contextmanager
def read_rows(
    file: IO[bytes],
    name: str,
    *,
    links: bool,
    strict: bool = False,
    columns: ColumnMap = COMPETITION,
    read: ReadSettings = PLAIN,
    rates: Mapping[str, float] | None = None,
    max_bytes: int = MAX_BYTES,
    csv_only: bool = False,
) -> Iterator[ProductRows]:
    """Read the rows of an open file.

    Parameters
    ----------
    file : file
        Opened to read bytes, at its beginning.
    name : str
        Its name, for messages.
    links, columns, read, rates
        As for `ProductRows`.
    strict, max_bytes, csv_only
        As for `amlc.catalog.tables.open_table`.

    Raises
    ------
    DataError
        A reason of `ProductRows`.
    """
    with open_table(file, name, read, max_bytes, strict=strict, csv_only=csv_only) as table:
        try:
            rows = ProductRows(table, name, links=links, columns=columns, read=read, rates=rates)
        except DataError:
            if not strict and file.seekable():
                # The start of a file in another format is not only a wrong header.
                file.seek(0)
                with open_table(file, name, read, max_bytes, strict=True) as strictly:
                    next(strictly.records, None)
            raise
        yield rows


@contextmanager
def open_rows(
    path: Path,
    *,
    links: bool,
    columns: ColumnMap = COMPETITION,
    read: ReadSettings = PLAIN,
    rates: Mapping[str, float] | None = None,
    max_bytes: int = MAX_BYTES,
) -> Iterator[tuple[ProductRows, IO[bytes]]]:
    """Open a file of products, and read it leniently.

    Parameters
    ----------
    path : Path
        The file.
    links, columns, read, rates, max_bytes
        As for `read_rows`.

    Yields
    ------
    rows : ProductRows
        The rows.
    file : file
        Its position shows how much has been read.

    Raises
    ------
    DataError
        The file cannot be read, or a reason of `ProductRows`.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None
    with (
        file,
        read_rows(
            file,
            str(path),
            links=links,
            columns=columns,
            read=read,
            rates=rates,
            max_bytes=max_bytes,
        ) as rows,
    ):
        yield rows, file
