"""The rows of a CSV of products, one at a time: whatever is wrong with one, it stays a row."""

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

import numpy as np
from numpy.typing import NDArray

from amlc.catalog.products import ID, LINK, TEXT
from amlc.catalog.reading import CELL_LIMIT, LINE_LIMIT, check_text_file
from amlc.catalog.validation import id_fault, link_fault
from amlc.errors import DataError

# What stands for a byte that is no UTF-8, and NUL, which is no text.
_NO_TEXT = re.compile("[\x00\udc80-\udcff]")
# Characters of a row, over all its lines.
RECORD_LIMIT = 2 * LINE_LIMIT
# Characters of the whole file read again, after what seemed one row turned out to be many: each
# try may run on to the limit above, so that their number has to be bounded too.
REREAD_LIMIT = 100 * RECORD_LIMIT
# Ids waiting to be sorted in among those seen before.
_WAITING = 65_536
_FAULTS = {
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
        As written, unreadable bytes replaced; `link` is empty where it is no link.
    reasons : tuple of str
        What is wrong with it.
    """

    sample_id: str
    text: str
    link: str
    reasons: tuple[str, ...]


class ProductRows:
    """Iterator over the rows of a CSV file (RFC 4180, UTF-8), in bounded memory.

    Columns may stand in any order, and others among them. Blank lines are no rows. A row with
    broken quoting ends with its line.

    Parameters
    ----------
    stream : TextIO
        Opened with ``errors="surrogateescape"``, so that bytes that are no UTF-8 can be told.
    name : str
        The file's name, for messages.
    links : bool
        Whether the column of links is needed.

    Raises
    ------
    DataError
        A needed column is missing or there twice; later on: a line has no end.
    """

    def __init__(self, stream: TextIO, name: str, *, links: bool) -> None:
        self._lines = _Lines(stream, name)
        self._seen = SeenIds()
        header = next(_records(self._lines), ([], ""))[0]
        self._width = len(header)
        self._places = {
            column: _place(header, column, name) for column in (ID, TEXT) + (LINK,) * links
        }

    def __iter__(self) -> Iterator[Row]:
        """Yield each row."""
        for cells, fault in _records(self._lines):
            yield self._row(cells, fault)

    def _row(self, cells: list[str], fault: str) -> Row:
        reasons = [fault] if fault else []
        if not fault and len(cells) != self._width:
            reasons.append(f"{len(cells)} cells, not {self._width}")
        values = {
            column: cells[place] if place < len(cells) else ""
            for column, place in self._places.items()
        }
        if not all(map(_is_text, values.values())):
            reasons.append("bytes that are no UTF-8 text")
            values = {column: _NO_TEXT.sub("\ufffd", value) for column, value in values.items()}
        sample_id, link = values[ID], values.get(LINK, "")
        faults = [id_fault(sample_id), link_fault(link) if LINK in values else ""]
        reasons += [_FAULTS[one] for one in faults if one]
        if not faults[0] and self._seen.repeated(sample_id):
            reasons.append("repeated id")
        return Row(sample_id, values[TEXT], "" if faults[1] else link, tuple(reasons))


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
    rows, stream
        The rows, and the file, whose position tells how far reading has come.

    Raises
    ------
    DataError
        The file cannot be read, is no CSV or lacks a column.
    """
    # The csv module keeps this for the whole process.
    before = csv.field_size_limit(CELL_LIMIT)
    try:
        stream = path.open("rb")
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None
    try:
        with stream:
            text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape")
            yield _opened(path, text, links=links), stream
    finally:
        csv.field_size_limit(before)


def _opened(path: Path, stream: TextIO, *, links: bool) -> ProductRows:
    try:
        return ProductRows(stream, str(path), links=links)
    except DataError:
        # Something else than a CSV is told by its first bytes.
        check_text_file(path, sys.maxsize)
        raise


class _Lines:
    """Iterator over lines that remembers those since a mark, and can go back to them."""

    def __init__(self, stream: TextIO, name: str) -> None:
        self._stream = stream
        self._name = name
        self._again: deque[str] = deque()
        self._number = 0
        self._size = 0
        self._reread = 0
        self.since_mark: list[str] = []

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else self._read()
        self.since_mark.append(line)
        self._size += len(line)
        if self._size > RECORD_LIMIT:
            # The reader takes this for its own, and what it has taken for one row comes again.
            raise csv.Error("too long")
        return line

    def mark(self) -> None:
        """Forget the lines before."""
        self.since_mark = []
        self._size = 0

    def back(self) -> str:
        """Return the first line since the mark; those after it come again."""
        first, *rest = self.since_mark
        self._reread += self._size - len(first)
        if self._reread > REREAD_LIMIT:
            raise DataError(
                f"{self._name}: quotes are broken in so many rows that they cannot be told apart: "
                'write each quote inside a cell twice ("")'
            )
        self._again.extendleft(reversed(rest))
        self.mark()
        return first

    def _read(self) -> str:
        line = self._stream.readline(LINE_LIMIT)
        self._number += 1
        if not line:
            raise StopIteration
        if len(line) == LINE_LIMIT:
            raise DataError(
                f"{self._name}: line {self._number} has more than {LINE_LIMIT:,} characters: no CSV"
            )
        return line


def _records(lines: _Lines) -> Iterator[tuple[list[str], str]]:
    """Yield the cells of each record that is not blank, and what is wrong with its quoting."""
    reader = csv.reader(lines, strict=True)
    while True:
        lines.mark()
        try:
            cells, fault = next(reader), ""
        except StopIteration:
            return
        except csv.Error:
            # The reader has lost its way: what it took for one row may be many.
            reader = csv.reader(lines, strict=True)
            cells, fault = _cells(lines.back()), "broken quoting"
        if cells:
            yield cells, fault


def _cells(line: str) -> list[str]:
    """Return the cells of one line, as far as they can be told apart."""
    try:
        return next(csv.reader([line]), [])
    except csv.Error:
        return line.split(",")


def _is_text(value: str) -> bool:
    # A pattern looks at each character, which most cells spare it.
    if value.isascii():
        return "\0" not in value
    return not _NO_TEXT.search(value)


def _place(header: Sequence[str], column: str, name: str) -> int:
    count = header.count(column)
    if count != 1:
        what = "is missing" if not count else f"is there {count} times"
        shown = ", ".join(repr(cell[:40]) for cell in header[:8])
        raise DataError(f"{name}: column {column!r} {what}; the header has {shown or 'no cell'}")
    return header.index(column)


class SeenIds:
    """Tells whether an id came before, at eight bytes of memory for each."""

    def __init__(self) -> None:
        self._sorted: NDArray[np.int64] = np.empty(0, np.int64)
        self._waiting: set[int] = set()

    def repeated(self, sample_id: str) -> bool:
        """Return whether an id came before, and remember it."""
        # Two ids in a million share 64 bits with a chance of one in 40 million.
        code = hash(sample_id)
        if code in self._waiting:
            return True
        place = int(np.searchsorted(self._sorted, code))
        if place < len(self._sorted) and self._sorted[place] == code:
            return True
        self._waiting.add(code)
        if len(self._waiting) >= _WAITING:
            more = np.fromiter(self._waiting, np.int64, len(self._waiting))
            self._sorted = np.sort(np.concatenate([self._sorted, more]))
            self._waiting = set()
        return False
