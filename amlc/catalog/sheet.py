"""One CSV file as written: its cells as text, with the line that each row starts on."""

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TextIO

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from amlc.catalog.textfile import check_text_file
from amlc.errors import DataError, first_few

CELL_LIMIT = 2**20  # characters
ODD_LIMIT = 10_000  # rows
_BATCH = 10_000  # rows
_SHOWN = 80  # characters of a cell


@dataclass(frozen=True)
class OddRow:
    """A row whose number of cells is not the header's."""

    line: int
    count: int
    first: str


@dataclass(frozen=True)
class Sheet:
    r"""The rows of one CSV file.

    Parameters
    ----------
    path : Path
        The file.
    cells : DataFrame
        One ``str`` column per expected column, nothing missing: an empty cell is ``""``.
        Line ends inside cells are ``\n``; everything else is as written.
    lines : ndarray of int64, shape (n,)
        The line that each row starts on, counted from 1 as a text editor does.
    odd : list of OddRow
        Rows that are not in `cells`.
    broken : str
        Why reading stopped before the end of the file; empty where it did not.
    """

    path: Path
    cells: pd.DataFrame
    lines: NDArray[np.int64]
    odd: list[OddRow]
    broken: str

    @property
    def total(self) -> int:
        """Return the number of rows read, odd ones included."""
        return len(self.cells) + len(self.odd)


def read_sheet(
    path: Path, columns: tuple[str, ...], max_bytes: int, optional: tuple[str, ...] = ()
) -> Sheet:
    """Read one CSV file (RFC 4180, UTF-8), every cell as text.

    A byte order mark and any line ends are accepted, and so is any order of the columns.

    Parameters
    ----------
    path : Path
        The file.
    columns : tuple of str
        The columns that it has to have.
    max_bytes : int
        Refuse a larger file.
    optional : tuple of str
        Columns that it may have besides; any other is refused.

    Raises
    ------
    DataError
        The file cannot be read, is no UTF-8 text, has another header, or no rows.
    """
    check_text_file(path, max_bytes)
    # The default of `newline` turns every line end into \n, those inside cells included.
    with path.open(encoding="utf-8-sig") as stream, _cell_limit():
        rows = _Rows(stream)
        header = next(rows, [])
        if rows.broken:
            raise DataError(f"{path}: {rows.broken}")
        _check_header(path, header, columns, optional)
        sheet = _read_rows(path, rows, header)
    if not sheet.total and not sheet.broken:
        raise DataError(f"{path}: has a header but no rows")
    return sheet


class _Rows:
    """Iterator over the rows of a CSV but the blank ones; it ends early at broken quoting."""

    def __init__(self, stream: TextIO) -> None:
        self.reader = csv.reader(stream, strict=True)
        self.start = 0
        self.broken = ""

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> list[str]:
        row: list[str] = []
        try:
            while not row:
                self.start = self.reader.line_num + 1
                row = next(self.reader)
        except csv.Error as error:
            self.broken = _broken(self.start, self.reader.line_num, error)
            raise StopIteration from None
        return row


def _read_rows(path: Path, rows: _Rows, header: list[str]) -> Sheet:
    lines: list[int] = []
    odd: list[OddRow] = []
    batches = [pd.DataFrame(columns=header, dtype="str")]
    batch: list[list[str]] = []
    for row in rows:
        if len(row) != len(header):
            odd.append(OddRow(rows.start, len(row), row[0][:_SHOWN]))
            if len(odd) == ODD_LIMIT:
                rows.broken = (
                    f"{ODD_LIMIT:,} rows do not fit the header; no row after them was read"
                )
                break
            continue
        lines.append(rows.start)
        batch.append(row)
        # Python strings take several times the memory of the columns that they end in.
        if len(batch) == _BATCH:
            batches.append(pd.DataFrame(batch, columns=header, dtype="str"))
            batch = []
    batches.append(pd.DataFrame(batch, columns=header, dtype="str"))
    cells = pd.concat(batches, ignore_index=True)
    return Sheet(path, cells, np.asarray(lines, dtype=np.int64), odd, rows.broken)


@contextmanager
def _cell_limit() -> Iterator[None]:
    # The csv module keeps this for the whole process.
    before = csv.field_size_limit(CELL_LIMIT)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _broken(start: int, line: int, error: csv.Error) -> str:
    what = str(error)
    if "field limit" in what:
        what = f"a cell is longer than {CELL_LIMIT:,} characters, most likely for want of a quote"
    elif "unexpected end" in what:
        what = "a quoted cell is not closed before the file ends"
    elif "expected after" in what:
        what = "a closing quote is followed by more text"
    where = f"line {start}" if line == start else f"line {line}, in the row from line {start}"
    return (
        f"broken quoting at {where}: {what}; nothing after it was checked: put a cell that holds "
        'a comma, a quote or a line end in quotes, and write each quote inside it twice ("")'
    )


def _check_header(
    path: Path, header: list[str], columns: tuple[str, ...], optional: tuple[str, ...]
) -> None:
    missing = [name for name in columns if name not in header]
    extra = [name[:_SHOWN] for name in header if name not in columns + optional]
    repeated = sorted({name for name in columns + optional if header.count(name) > 1})
    faults = [
        f"{what} columns: {first_few((repr(name) for name in names), 10)}"
        for what, names in (("missing", missing), ("extra", extra), ("repeated", repeated))
        if names
    ]
    if faults:
        expected = ",".join(columns)
        raise DataError(f"{path}: {'; '.join(faults)}; expected {expected}{_separator(header)}")


def _separator(header: list[str]) -> str:
    marks = [mark for mark in ";\t|" if len(header) == 1 and mark in header[0]]
    return f"; cells seem to be separated by {marks[0]!r}, not by ','" if marks else ""
