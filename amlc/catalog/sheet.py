"""A CSV file that is read as a whole, strictly: its cells and their line numbers."""

import stat
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from amlc.arrays import Ints64
from amlc.catalog.reading import Record, read_records
from amlc.errors import DataError, first_few

MAX_RAGGED_ROWS = 10_000
SHOWN_CHARACTERS = 80  # of a cell, in messages and lists of errors
BATCH_ROWS = 10_000  # that are read at a time; no result depends on it


@dataclass(frozen=True, slots=True)
class RowError:
    """An error in one row.

    Parameters
    ----------
    row : int
        Position in the sheet's cells; -1 for a row that is not among them.
    line : int
        The line of the file on which the row starts.
    sample_id : str
        The row's id as written.
    column : str
        The column's name; ``"row"`` for an error of the row as a whole.
    reason : str
        A key of `amlc.catalog.validation.REASONS`.
    cell : str
        The start of the cell.
    """

    row: int
    line: int
    sample_id: str
    column: str
    reason: str
    cell: str


@dataclass(frozen=True)
class Sheet:
    r"""The rows of one CSV file.

    Parameters
    ----------
    path : Path
        The file.
    cells : DataFrame
        One ``str`` column per column of the file, without missing values: an empty cell is
        ``""``. Line breaks inside cells are ``\n``; everything else is as written.
    lines : ndarray of int64, shape (n,)
        The line on which each row starts, counted from 1 as in a text editor.
    ragged : list of RowError
        Rows with another number of cells than the header, which are not in `cells`.
    broken : str
        Why reading stopped before the end of the file; empty if it did not.
    """

    path: Path
    cells: pd.DataFrame
    lines: Ints64
    ragged: list[RowError]
    broken: str

    @property
    def total(self) -> int:
        """The number of rows read, ragged ones included."""
        return len(self.cells) + len(self.ragged)


def read_sheet(
    path: Path, columns: tuple[str, ...], max_bytes: int, optional: tuple[str, ...] = ()
) -> Sheet:
    """Read one CSV file strictly, every cell as text, the columns in any order.

    Parameters
    ----------
    path : Path
        The file.
    columns : tuple of str
        The columns that it must have.
    max_bytes : int
        The largest size allowed.
    optional : tuple of str
        Columns that it may have besides; any other column is refused.

    Raises
    ------
    DataError
        The file is missing, unreadable, not a regular file or too large; it has another header, or
        no rows; or it cannot be read up to its first row, for a reason of `read_records`.
    """
    try:
        _check_file(path, max_bytes)
        with (
            path.open("rb") as file,
            closing(read_records(file, str(path), strict=True)) as records,
        ):
            _, header, _ = next(records)
            _check_header(path, header, columns, optional)
            sheet = _read_rows(path, header, records)
    except OSError as error:
        raise DataError(f"{path}: {_unreadable(path, error)}") from None
    if not sheet.total and not sheet.broken:
        raise DataError(f"{path}: has a header but no rows")
    return sheet


def _check_file(path: Path, max_bytes: int) -> None:
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        raise DataError(f"{path}: is a folder, expected a CSV file")
    if not stat.S_ISREG(status.st_mode):
        raise DataError(f"{path}: is not a regular file, expected a CSV file")
    if status.st_size > max_bytes:
        raise DataError(
            f"{path}: has {status.st_size:,} bytes, data.max_bytes allows {max_bytes:,}"
        )


def _unreadable(path: Path, error: OSError) -> str:
    if not isinstance(error, FileNotFoundError):
        return f"cannot be read: {error.strerror}"
    if path.with_name(f"{path.name}.dvc").exists():
        return f"no such file, but {path.name}.dvc is there: run dvc pull or dvc checkout"
    return "no such file; put it there, or set data.dir to the folder that holds it"


def _read_rows(path: Path, header: list[str], records: Iterator[Record]) -> Sheet:
    lines: list[int] = []
    ragged: list[RowError] = []
    batches = [pd.DataFrame(columns=header, dtype="str")]
    batch: list[list[str]] = []
    broken = ""
    try:
        for line, cells, _ in records:
            if len(cells) == len(header):
                lines.append(line)
                batch.append(cells)
                # Python strings take several times the memory of a data frame's column.
                if len(batch) == BATCH_ROWS:
                    batches.append(pd.DataFrame(batch, columns=header, dtype="str"))
                    batch = []
                continue
            counts = f"{len(cells)} cells, not {len(header)}"
            sample_id = cells[0][:SHOWN_CHARACTERS]
            ragged.append(RowError(-1, line, sample_id, "row", "cells", counts))
            if len(ragged) == MAX_RAGGED_ROWS:
                fitting = f"{MAX_RAGGED_ROWS:,} rows do not fit the header"
                broken = f"{path}: {fitting}; no row after them was read"
                break
    except DataError as error:
        broken = str(error)
    batches.append(pd.DataFrame(batch, columns=header, dtype="str"))
    table = pd.concat(batches, ignore_index=True)
    return Sheet(path, table, np.asarray(lines, dtype=np.int64), ragged, broken)


def _check_header(
    path: Path, header: list[str], columns: tuple[str, ...], optional: tuple[str, ...]
) -> None:
    missing = [name for name in columns if name not in header]
    extra = [name[:SHOWN_CHARACTERS] for name in header if name not in columns + optional]
    repeated = sorted({name for name in columns + optional if header.count(name) > 1})
    differences = [
        f"{kind} columns: {first_few((repr(name) for name in names), 10)}"
        for kind, names in (("missing", missing), ("extra", extra), ("repeated", repeated))
        if names
    ]
    if differences:
        expected = ",".join(columns)
        raise DataError(
            f"{path}: {'; '.join(differences)}; expected {expected}{_separator_hint(header)}"
        )


def _separator_hint(header: list[str]) -> str:
    marks = [mark for mark in ";\t|" if len(header) == 1 and mark in header[0]]
    return f"; cells seem to be separated by {marks[0]!r}, not by ','" if marks else ""
