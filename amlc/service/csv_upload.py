"""An uploaded CSV: received within bounds, checked to its end, then read row by row."""

import asyncio
import codecs
import csv
import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Self, TextIO

from starlette.requests import Request

from amlc.catalog.reading import CELL_LIMIT, LINE_LIMIT, cell_limit
from amlc.catalog.rows import ProductRows, Row
from amlc.errors import DataError
from amlc.service.problems import Problem

# Most lines of one row: together with the limit on its characters, this bounds the memory of its
# cells.
RECORD_LINES = 10_000
# A larger CSV is kept on disk.
_MEMORY_BYTES = 1_000_000


async def receive_csv(request: Request) -> IO[bytes]:
    """Receive the body of a request in a temporary file, which the caller closes.

    The response cannot begin before the whole CSV is here: a browser does not read a response
    while it is still sending.

    Raises
    ------
    Problem
        408, 413, or 422 for a body that is not UTF-8 text; as soon as that is clear.
    """
    check = _TextCheck()
    file = tempfile.SpooledTemporaryFile(_MEMORY_BYTES)  # noqa: SIM115 - the caller closes it
    try:
        async for part in request.stream():
            check.add(part)
            await asyncio.to_thread(file.write, part)
        check.add(b"", final=True)
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return file


class _TextCheck:
    """Checks, part by part, that bytes are UTF-8 text in lines of bounded length."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._line = 1
        self._length = 0

    def add(self, part: bytes, *, final: bool = False) -> None:
        try:
            self._decoder.decode(part, final=final)
        except UnicodeDecodeError as error:
            # The decoder may have kept bytes of the part before, which `start` counts as well, so
            # the line can be a little too high.
            line = self._line + part.count(b"\n", 0, error.start)
            raise Problem(
                422, f"The CSV is not UTF-8 near line {line}: save it as UTF-8."
            ) from None
        if (nul := part.find(b"\0")) >= 0:
            line = self._line + part.count(b"\n", 0, nul)
            raise Problem(422, f"The CSV is not text: there is a NUL byte near line {line}.")
        self._line += part.count(b"\n")
        end = part.rfind(b"\n")
        self._length = len(part) - end - 1 if end >= 0 else self._length + len(part)
        if self._length > LINE_LIMIT:
            raise Problem(
                422, f"Line {self._line} is longer than {LINE_LIMIT:,} bytes: this is not a CSV."
            )


def count_rows(file: IO[bytes], max_rows: int) -> int:
    """Return the number of products of a CSV, after checking it to its end.

    Parameters
    ----------
    file : file
        UTF-8 text.
    max_rows : int
        Largest number of products.

    Raises
    ------
    Problem
        422 for a header that lacks a column, for no rows, and for broken quoting, which joins
        rows; 413 for too many rows.
    """
    # -1 stands for a file without a header, which is not counted.
    count = -1
    with _text(file) as stream:
        for count, _ in enumerate(_records(stream)):
            if count > max_rows:
                raise Problem(413, f"The CSV has too many rows: at most {max_rows:,} are allowed.")
    with read_rows(file):
        if count < 1:
            raise Problem(422, "The CSV has a header but no rows.")
    return count


@contextmanager
def read_rows(file: IO[bytes]) -> Iterator[Iterator[Row]]:
    """Open an iterator over the products of a CSV that `count_rows` has checked.

    Raises
    ------
    Problem
        422 for a header that lacks a column.
    """
    with _text(file) as stream:
        try:
            rows = ProductRows(stream, "the CSV", links=False)
        except DataError as error:
            raise Problem(422, f"{str(error)[:1].upper()}{str(error)[1:]}.") from None
        yield iter(rows)


@contextmanager
def _text(file: IO[bytes]) -> Iterator[TextIO]:
    """Open a file as text from its beginning, and leave it open."""
    file.seek(0)
    text = io.TextIOWrapper(file, encoding="utf-8-sig")
    try:
        with cell_limit:
            yield text
    finally:
        text.detach()


def _records(stream: TextIO) -> Iterator[list[str]]:
    """Yield the records that are not blank."""
    lines = _Lines(stream)
    try:
        for cells in csv.reader(lines, strict=True):
            lines.start_record()
            if cells:
                yield cells
    except csv.Error as error:
        message = str(error)
        if "field larger" in message:
            message = f"a cell is longer than {CELL_LIMIT:,} characters"
        raise Problem(
            422,
            f"The CSV's quoting is broken in the row from line {lines.start}: {message}; put a "
            "cell that holds a comma, a quote or a line break in quotes, and write a quote inside "
            'as "".',
        ) from None


class _Lines:
    """Iterator over lines that bounds those of one record."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._number = 0
        self.start_record()

    def start_record(self) -> None:
        """Count lines and characters from here."""
        self.start = self._number + 1
        self._characters = 0

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        line = next(self._stream)
        self._number += 1
        self._characters += len(line)
        if self._number - self.start >= RECORD_LINES or self._characters > LINE_LIMIT:
            raise csv.Error("the row does not end")
        return line
