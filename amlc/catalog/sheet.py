"""A file that is read as a whole, strictly: its cells and their line numbers."""

import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from amlc.arrays import Ints64
from amlc.catalog.columns import PLAIN, ReadSettings
from amlc.catalog.reading import Record
from amlc.catalog.tables import ColumnarFile, open_table
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
    r"""The rows of one file.

    Parameters
    ----------
    path : Path
        The file.
    cells : DataFrame
        One ``str`` column per column of the file, without missing values: an empty cell is
        ``""``. Line breaks inside cells are ``\n``; everything else is as written.
    lines : ndarray of int64, shape (n,)
        The line on which each row starts, counted from 1 as in a text editor; of a file without
        lines, the number of the row.
    ragged : list of RowError
        Rows with another number of cells than the header, which are not in `cells`.
    broken : str
        Why reading stopped before the end of the file; empty if it did not.
    unused : tuple of str
        Columns of the file that are not in `cells`.
    """

    path: Path
    cells: pd.DataFrame
    lines: Ints64
    ragged: list[RowError]
    broken: str
    unused: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        """The number of rows read, ragged ones included."""
        return len(self.cells) + len(self.ragged)


def read_sheet(
    path: Path,
    columns: tuple[str, ...],
    max_bytes: int,
    optional: tuple[str, ...] = (),
    *,
    read: ReadSettings = PLAIN,
    allow_extra: bool = False,
) -> Sheet:
    """Read one file strictly, every cell as text, the columns in any order.

    Parameters
    ----------
    path : Path
        The file.
    columns : tuple of str
        The columns that it must have.
    max_bytes : int
        The largest size allowed, as it is and once decompressed.
    optional : tuple of str
        Columns that it may have besides.
    read : ReadSettings
        How the file is written.
    allow_extra : bool
        Whether any other column is left out, or refused.

    Raises
    ------
    DataError
        The file is missing, unreadable, not a regular file or too large; it has another header, or
        no rows; or it cannot be read up to its first row, for a reason of `open_table`.
    """
    try:
        _check_file(path, max_bytes)
        with (
            path.open("rb") as file,
            open_table(file, str(path), read, max_bytes, strict=True) as table,
        ):
            unused = _check_header(path, table.header, columns, optional, allow_extra=allow_extra)
            used = [name for name in table.header if name in columns + optional]
            if table.columnar is not None:
                sheet = _read_batches(path, used, table.columnar, read.image_separator)
            else:
                sheet = _read_rows(path, table.header, used, table.records)
    except OSError as error:
        raise DataError(f"{path}: {_unreadable(path, error)}") from None
    if not sheet.total and not sheet.broken:
        raise DataError(f"{path}: has a header but no rows")
    return replace(sheet, unused=unused)


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


def _read_rows(path: Path, header: list[str], used: list[str], records: Iterator[Record]) -> Sheet:
    lines: list[int] = []
    ragged: list[RowError] = []
    batches = [pd.DataFrame(columns=used, dtype="str")]
    batch: list[Sequence[str]] = []
    broken = ""
    pick = _picker(header, used)
    try:
        for line, cells, _ in records:
            if len(cells) == len(header):
                lines.append(line)
                batch.append(pick(cells))
                # Python strings take several times the memory of a data frame's column.
                if len(batch) == BATCH_ROWS:
                    batches.append(pd.DataFrame(batch, columns=used, dtype="str"))
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
    batches.append(pd.DataFrame(batch, columns=used, dtype="str"))
    table = pd.concat(batches, ignore_index=True)
    return Sheet(path, table, np.asarray(lines, dtype=np.int64), ragged, broken)


def _picker(header: list[str], used: list[str]) -> Callable[[list[str]], Sequence[str]]:
    """Return a function that returns the used cells of a row."""
    if used == header:
        return lambda cells: cells
    indices = [header.index(name) for name in used]
    return lambda cells: [cells[index] for index in indices]


def _read_batches(path: Path, used: list[str], file: ColumnarFile, separator: str | None) -> Sheet:
    tables = list(file.batches(used, separator))
    empty = pd.DataFrame(columns=used, dtype="str")
    cells = pa.concat_tables(tables).to_pandas() if tables else empty
    lines = np.arange(1, len(cells) + 1, dtype=np.int64)
    return Sheet(path, cells.astype("str"), lines, [], "")


def _check_header(
    path: Path,
    header: list[str],
    columns: tuple[str, ...],
    optional: tuple[str, ...],
    *,
    allow_extra: bool,
) -> tuple[str, ...]:
    """Return the columns that are not used."""
    missing = [name for name in columns if name not in header]
    unused = tuple(name[:SHOWN_CHARACTERS] for name in header if name not in columns + optional)
    repeated = sorted({name for name in columns + optional if header.count(name) > 1})
    differences = [
        f"{kind} columns: {first_few((repr(name) for name in names), 10)}"
        for kind, names in (
            ("missing", missing),
            ("extra", () if allow_extra else unused),
            ("repeated", repeated),
        )
        if names
    ]
    if differences:
        expected = ",".join(columns)
        raise DataError(
            f"{path}: {'; '.join(differences)}; expected {expected}"
            f"{_separator_hint(header) or _map_hint(path, missing, unused)}"
        )
    return unused


def _map_hint(path: Path, missing: list[str], unused: tuple[str, ...]) -> str:
    if not missing:
        return "; set data.on_extra to ignore to leave other columns out" if unused else ""
    return f"; amlc columns {path} prints a map of the columns that it has" if unused else ""


def _separator_hint(header: list[str]) -> str:
    marks = [mark for mark in ";\t|," if len(header) == 1 and mark in header[0]]
    return f"; cells seem to be separated by {marks[0]!r}: set data.read.separator" if marks else ""
