"""The rows of a CSV that was sent, and those of the answer: the same as the command's."""

import csv
import io
import itertools
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import IO, Self, TextIO

from amlc.catalog.sheet import CELL_LIMIT
from amlc.errors import DataError
from amlc.serving.answers import Answer
from amlc.serving.batch import cells
from amlc.serving.http.problems import Problem
from amlc.serving.rows import ProductRows, Row

# No product needs more; so no row can have more cells than memory holds.
RECORD_LINES, RECORD_CHARACTERS = 10_000, 2**22


def count_rows(file: IO[bytes], most: int) -> int:
    """Return how many products a CSV has, having checked it to its end.

    Parameters
    ----------
    file : file
        UTF-8 text.
    most : int
        Rows that it may have.

    Raises
    ------
    Problem
        422 for a header without the columns that are needed, for no rows, and for broken
        quoting, which makes one row of many; 413 for too many rows.
    """
    # The csv module keeps this for the whole process.
    csv.field_size_limit(CELL_LIMIT)
    # Without the header.
    count = -1
    with _text(file) as stream:
        for count, _ in enumerate(_records(stream)):
            if count > most:
                raise Problem(413, f"The CSV has too many rows: at most {most:,} are taken.")
    with read_rows(file):
        if count < 1:
            raise Problem(422, "The CSV has a header but no rows.")
    return count


@contextmanager
def read_rows(file: IO[bytes]) -> Iterator[Iterator[Row]]:
    """Give an iterator over the products of a CSV that `count_rows` has checked.

    Raises
    ------
    Problem
        422 for a header without the columns that are needed.
    """
    with _text(file) as stream:
        try:
            rows = ProductRows(stream, "the CSV", links=False)
        except DataError as error:
            raise Problem(422, f"{str(error)[:1].upper()}{str(error)[1:]}.") from None
        yield iter(rows)


def written(rows: Iterable[tuple[Row, Answer]]) -> bytes:
    """Return rows of the answer as CSV: id, price, interval, and what was missing or faulty."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(itertools.starmap(cells, rows))
    return text.getvalue().encode()


@contextmanager
def _text(file: IO[bytes]) -> Iterator[TextIO]:
    file.seek(0)
    text = io.TextIOWrapper(file, encoding="utf-8-sig")
    try:
        yield text
    finally:
        # The file outlives its wrapper.
        text.detach()


class _Lines:
    """Iterator over lines that bounds those of one record."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._number = 0
        self.begin()

    def begin(self) -> None:
        """Begin another record."""
        self.start = self._number + 1
        self._characters = 0

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        line = next(self._stream)
        self._number += 1
        self._characters += len(line)
        if self._number - self.start >= RECORD_LINES or self._characters > RECORD_CHARACTERS:
            raise csv.Error("the row does not end")
        return line


def _records(stream: TextIO) -> Iterator[list[str]]:
    """Yield the records that are not blank."""
    lines = _Lines(stream)
    try:
        for cells in csv.reader(lines, strict=True):
            lines.begin()
            if cells:
                yield cells
    except csv.Error as error:
        what = str(error)
        if "field larger" in what:
            what = f"a cell is longer than {CELL_LIMIT:,} characters"
        raise Problem(
            422,
            f"The CSV's quoting is broken in the row from line {lines.start}: {what}; put a cell "
            'that holds a comma, a quote or a line end in quotes, and write a quote inside as "".',
        ) from None
