"""The rows of a CSV that is priced: a row with an error is kept, with the reason."""

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from amlc.catalog.content import is_missing
from amlc.catalog.products import ID, LINK, TEXT
from amlc.catalog.reading import Record, read_records
from amlc.catalog.validation import id_error, link_error
from amlc.errors import DataError

# NUL, and what Python decodes bytes that are not UTF-8 to with ``errors="surrogateescape"``.
_NOT_TEXT = re.compile("[\x00\udc80-\udcff]")
_REASONS = {
    "id_missing": "no id",
    "id_malformed": "malformed id",
    "link_malformed": "malformed image link",
}


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
    """

    sample_id: str
    text: str
    link: str
    reasons: tuple[str, ...]


class ProductRows:
    """Iterator over the rows; only one row and all ids are in memory.

    Parameters
    ----------
    records : iterator of Record
        The records of the file, the header first; the columns may be in any order, and there may
        be others than the needed ones.
    name : str
        The file's name, for messages.
    links : bool
        Whether the column of links is needed.

    Attributes
    ----------
    records : iterator of Record
        The records after the header that are not read yet.

    Raises
    ------
    DataError
        A needed column is missing or repeated; or a reason of `read_records`.
    """

    def __init__(self, records: Iterator[Record], name: str, *, links: bool) -> None:
        self.records = records
        _, header, _ = next(records, (1, [], False))
        columns = (ID, TEXT, LINK) if links else (ID, TEXT)
        for column in columns:
            if (count := header.count(column)) != 1:
                error = f"is there {count} times" if count else "is missing"
                names = ", ".join(repr(cell[:40]) for cell in header[:8])
                raise DataError(
                    f"{name}: column {column!r} {error}; the header has {names or 'no cell'}"
                )
        self._width = len(header)
        self._indices = {column: header.index(column) for column in columns}
        self._ids: set[str] = set()

    def __iter__(self) -> Iterator[Row]:
        """Yield each row."""
        for _, cells, broken in self.records:
            yield self._row(cells, broken=broken)

    def _row(self, cells: list[str], *, broken: bool) -> Row:
        reasons = ["broken quoting"] if broken else []
        if not broken and len(cells) != self._width:
            reasons.append(f"{len(cells)} cells, not {self._width}")
        values = {
            column: cells[index] if index < len(cells) else ""
            for column, index in self._indices.items()
        }
        if not all(map(_is_text, values.values())):
            reasons.append("bytes that are not UTF-8 text")
            values = {column: _NOT_TEXT.sub("\ufffd", value) for column, value in values.items()}
        sample_id, link = values[ID], values.get(LINK, "")
        errors = [id_error(sample_id), link_error(link)]
        reasons += [_REASONS[error] for error in errors if error]
        if LINK in values and is_missing(link):
            reasons.append("no image link")
            link = ""
        if not errors[0]:
            if sample_id in self._ids:
                reasons.append("repeated id")
            self._ids.add(sample_id)
        return Row(sample_id, values[TEXT], "" if errors[1] else link.strip(), tuple(reasons))


def _is_text(value: str) -> bool:
    # Most cells do not need the search for the pattern, which is slower.
    if value.isascii():
        return "\0" not in value
    return not _NOT_TEXT.search(value)


@contextmanager
def read_rows(
    file: IO[bytes], name: str, *, links: bool, strict: bool = False
) -> Iterator[ProductRows]:
    """Read the rows of an open file; `amlc.catalog.reading.read_records` describes `strict`.

    Raises
    ------
    DataError
        A reason of `ProductRows`.
    """
    with closing(read_records(file, name, strict=strict)) as records:
        try:
            rows = ProductRows(records, name, links=links)
        except DataError:
            if not strict and file.seekable():
                # The start of a file in another format is not only a wrong header.
                file.seek(0)
                with closing(read_records(file, name, strict=True)) as strictly:
                    next(strictly)
            raise
        yield rows


@contextmanager
def open_rows(path: Path, *, links: bool) -> Iterator[tuple[ProductRows, IO[bytes]]]:
    """Open a CSV file of products, and read it leniently.

    Parameters
    ----------
    path : Path
        The file.
    links : bool
        Whether the column of links is needed.

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
    with file, read_rows(file, str(path), links=links) as rows:
        yield rows, file
