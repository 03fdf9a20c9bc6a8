"""Lenient reading of a CSV file of products: a row with an error is kept, with the reason."""

import csv
import io
import re
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TextIO

from amlc.catalog.products import ID, LINK, TEXT
from amlc.catalog.reading import LINE_LIMIT, cell_limit, check_text_file
from amlc.catalog.validation import id_error, link_error
from amlc.errors import DataError

# NUL, and what Python decodes bytes that are not UTF-8 to with ``errors="surrogateescape"``.
_NOT_TEXT = re.compile("[\x00\udc80-\udcff]")
# Characters of a row, in all its lines.
RECORD_LIMIT = 2 * LINE_LIMIT
# Characters that are read a second time, in the whole file, because what seemed to be one row were
# many. Each such attempt may read up to the limit above, so their sum has to be bounded as well.
REREAD_LIMIT = 100 * RECORD_LIMIT
_REASONS = {
    "id_missing": "no id",
    "id_malformed": "malformed id",
    "link_missing": "no image link",
    "link_malformed": "malformed image link",
}


@dataclass(frozen=True)
class Row:
    """A row of the file.

    Parameters
    ----------
    sample_id, text, link : str
        As written, but with bytes that are not UTF-8 replaced; `link` is empty if it is malformed.
    reasons : tuple of str
        What is wrong with the row.
    """

    sample_id: str
    text: str
    link: str
    reasons: tuple[str, ...]


class ProductRows:
    """Iterator over the rows of a CSV file (RFC 4180, UTF-8).

    The columns may be in any order, and there may be others. Blank lines are skipped. A row with
    broken quoting ends with its line. Only one row and all ids are in memory. The context manager
    `amlc.catalog.reading.cell_limit` has to be entered while rows are read.

    Parameters
    ----------
    stream : TextIO
        Opened with ``errors="surrogateescape"``, so that bytes that are not UTF-8 are recognised.
    name : str
        The file's name, for messages.
    links : bool
        Whether the column of links is needed.

    Raises
    ------
    DataError
        A needed column is missing or repeated; or, while rows are read, a line is too long or
        quoting is broken in too many rows.
    """

    def __init__(self, stream: TextIO, name: str, *, links: bool) -> None:
        self._lines = _Lines(stream, name)
        self._ids: set[str] = set()
        header = next(_records(self._lines), ([], ""))[0]
        self._width = len(header)
        columns = (ID, TEXT, LINK) if links else (ID, TEXT)
        self._indices = {column: _column_index(header, column, name) for column in columns}

    def __iter__(self) -> Iterator[Row]:
        """Yield each row."""
        for cells, quoting_error in _records(self._lines):
            yield self._row(cells, quoting_error)

    def _row(self, cells: list[str], quoting_error: str) -> Row:
        reasons = [quoting_error] if quoting_error else []
        if not quoting_error and len(cells) != self._width:
            reasons.append(f"{len(cells)} cells, not {self._width}")
        values = {
            column: cells[index] if index < len(cells) else ""
            for column, index in self._indices.items()
        }
        if not all(map(_is_text, values.values())):
            reasons.append("bytes that are not UTF-8 text")
            values = {column: _NOT_TEXT.sub("\ufffd", value) for column, value in values.items()}
        sample_id, link = values[ID], values.get(LINK, "")
        errors = [id_error(sample_id), link_error(link) if LINK in values else ""]
        reasons += [_REASONS[error] for error in errors if error]
        if not errors[0]:
            if sample_id in self._ids:
                reasons.append("repeated id")
            self._ids.add(sample_id)
        return Row(sample_id, values[TEXT], "" if errors[1] else link, tuple(reasons))


@contextmanager
def open_rows(path: Path, *, links: bool) -> Iterator[tuple[ProductRows, io.BufferedReader]]:
    """Open a CSV file of products.

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
    stream : BufferedReader
        The file; its position shows how much of it has been read.

    Raises
    ------
    DataError
        The file cannot be read, is not a CSV or lacks a column.
    """
    try:
        stream = path.open("rb")
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None
    with stream, cell_limit:
        text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape")
        yield _product_rows(path, text, links=links), stream


def _product_rows(path: Path, stream: TextIO, *, links: bool) -> ProductRows:
    try:
        return ProductRows(stream, str(path), links=links)
    except DataError:
        # A file of another format is recognised by its first bytes.
        check_text_file(path, sys.maxsize)
        raise


class _Lines:
    """Iterator over lines that can go back to a mark."""

    def __init__(self, stream: TextIO, name: str) -> None:
        self._stream = stream
        self._name = name
        self._pending: deque[str] = deque()
        self._number = 0
        self._size = 0
        self._reread = 0
        self._since_mark: list[str] = []

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        line = self._pending.popleft() if self._pending else self._read()
        self._since_mark.append(line)
        self._size += len(line)
        if self._size > RECORD_LIMIT:
            # `_records` handles it like the reader's errors: it goes back to the mark.
            raise csv.Error("too long")
        return line

    def mark(self) -> None:
        """Set the mark after the lines so far."""
        self._since_mark = []
        self._size = 0

    def go_back(self) -> str:
        """Return the first line since the mark, and continue with the line after it."""
        first, *rest = self._since_mark
        self._reread += self._size - len(first)
        if self._reread > REREAD_LIMIT:
            raise DataError(
                f"{self._name}: quotes are broken in too many rows to tell the rows apart: "
                'write each quote inside a cell twice ("")'
            )
        self._pending.extendleft(reversed(rest))
        self.mark()
        return first

    def _read(self) -> str:
        line = self._stream.readline(LINE_LIMIT)
        self._number += 1
        if not line:
            raise StopIteration
        if len(line) == LINE_LIMIT:
            raise DataError(
                f"{self._name}: line {self._number} has more than {LINE_LIMIT:,} characters: "
                "not a CSV file"
            )
        return line


def _records(lines: _Lines) -> Iterator[tuple[list[str], str]]:
    """Yield the cells of each record that is not blank, and what is wrong with its quoting."""
    reader = csv.reader(lines, strict=True)
    while True:
        lines.mark()
        try:
            cells, quoting_error = next(reader), ""
        except StopIteration:
            return
        except csv.Error:
            # What was taken for one row may be many: only its first line is kept, and the lines
            # after it are read a second time.
            reader = csv.reader(lines, strict=True)
            cells, quoting_error = _cells_of_line(lines.go_back()), "broken quoting"
        if cells:
            yield cells, quoting_error


def _cells_of_line(line: str) -> list[str]:
    """Return the cells of one line with broken quoting, as far as they can be recognised."""
    try:
        return next(csv.reader([line]), [])
    except csv.Error:
        return line.split(",")


def _is_text(value: str) -> bool:
    # Most cells do not need the search for the pattern, which is slower.
    if value.isascii():
        return "\0" not in value
    return not _NOT_TEXT.search(value)


def _column_index(header: Sequence[str], column: str, name: str) -> int:
    count = header.count(column)
    if count != 1:
        error = "is missing" if not count else f"is there {count} times"
        names = ", ".join(repr(cell[:40]) for cell in header[:8])
        raise DataError(f"{name}: column {column!r} {error}; the header has {names or 'no cell'}")
    return header.index(column)
