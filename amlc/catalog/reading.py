"""Strict reading of a CSV file: a check of its bytes, then its cells and their line numbers."""

import codecs
import csv
import stat
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Self, TextIO

import numpy as np
import pandas as pd

from amlc.arrays import Ints64
from amlc.errors import DataError, first_few

LINE_LIMIT = 2**22  # bytes; characters where text is read
CELL_LIMIT = 2**20  # characters
MAX_RAGGED_ROWS = 10_000
SHOWN_CHARACTERS = 80  # of a cell, in messages and lists of errors
# Numbers of bytes and of rows that are read at a time; no result depends on them.
BLOCK_BYTES = 2**20
BATCH_ROWS = 10_000

# The check of the text.

# The first bytes of files in other formats, the format, and what to do about it.
_SIGNATURES = (
    (b"\xff\xfe", "UTF-16 text", "save it as UTF-8"),
    (b"\xfe\xff", "UTF-16 text", "save it as UTF-8"),
    (b"PK\x03\x04", "a zip archive or an Excel workbook", "extract it, or export it as CSV"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook", "export it as CSV"),
    (b"\x1f\x8b", "a gzip archive", "decompress it"),
    (b"BZh", "a bzip2 archive", "decompress it"),
    (b"\xfd7zXZ", "an xz archive", "decompress it"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive", "decompress it"),
    (b"7z\xbc\xaf", "a 7-zip archive", "extract it"),
    (b"PAR1", "a Parquet file", "export it as CSV"),
    (b"SQLite format 3", "an SQLite database", "export its table as CSV"),
    (b"\x89PNG", "a PNG image", "give the CSV instead"),
    (b"\xff\xd8\xff", "a JPEG image", "give the CSV instead"),
    (b"GIF8", "a GIF image", "give the CSV instead"),
    (b"%PDF", "a PDF document", "give the CSV instead"),
    (b"version https://git-lfs", "a pointer of Git LFS", "run git lfs pull"),
    (b"<", "an HTML or XML page", "download the CSV itself"),
    (b"{", "JSON", "export it as CSV"),
    (b"[", "JSON", "export it as CSV"),
)


def check_text_file(path: Path, max_bytes: int) -> None:
    """Check that a file is UTF-8 text without NUL, in lines of bounded length.

    Parameters
    ----------
    path : Path
        The file.
    max_bytes : int
        The largest size allowed.

    Raises
    ------
    DataError
        The file is missing, unreadable, not a regular file, empty, too large, in another format
        (named if its first bytes are known), not UTF-8 or with NUL (with the byte and its line), or
        has a line that is too long.
    """
    _check_size(path, max_bytes)
    try:
        with path.open("rb") as stream:
            _check_start(path, stream.read(64))
            stream.seek(0)
            _check_blocks(path, stream)
    except OSError as error:
        raise DataError(f"{path}: {_unreadable(path, error)}") from None


def _check_size(path: Path, max_bytes: int) -> None:
    try:
        status = path.stat()
    except OSError as error:
        raise DataError(f"{path}: {_unreadable(path, error)}") from None
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


def _check_start(path: Path, head: bytes) -> None:
    start = head.removeprefix(codecs.BOM_UTF8).lstrip()
    if not start:
        raise DataError(f"{path}: is empty")
    for signature, file_format, remedy in _SIGNATURES:
        if start.startswith(signature):
            raise DataError(f"{path}: is {file_format}, not a CSV file; {remedy}")


def _check_blocks(path: Path, stream: BinaryIO) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")()
    offset = line_length = 0
    while True:
        block = stream.read(BLOCK_BYTES)
        pending = len(decoder.getstate()[0])
        if (nul := block.find(0)) >= 0:
            raise DataError(f"{path}: {_locate(path, offset + nul)} is NUL: not text, or damaged")
        try:
            decoder.decode(block, final=not block)
        except UnicodeDecodeError as error:
            raise DataError(_not_utf8(path, offset - pending + error.start)) from None
        line_end = max(block.rfind(b"\n"), block.rfind(b"\r"))
        line_length = len(block) + (line_length if line_end < 0 else -line_end - 1)
        offset += len(block)
        if line_length > LINE_LIMIT:
            line = _line_of(path, offset)
            raise DataError(
                f"{path}: line {line} is longer than {LINE_LIMIT:,} bytes: not a CSV file"
            )
        if not block:
            return


def _not_utf8(path: Path, offset: int) -> str:
    return (
        f"{path}: {_locate(path, offset)} is not UTF-8; save the file as UTF-8, for example with "
        f"iconv -f WINDOWS-1252 -t UTF-8"
    )


def _locate(path: Path, offset: int) -> str:
    """Return line, offset and value of a byte and the text before it, for a message."""
    with path.open("rb") as stream:
        stream.seek(max(0, offset - 20))
        before = stream.read(min(20, offset)).decode("ascii", "replace")
        byte = stream.read(1)
    line = _line_of(path, offset)
    return f"line {line}, byte {offset:,} of the file, 0x{byte.hex()} after {before!a},"


def _line_of(path: Path, offset: int) -> int:
    """Return the line, counted from 1, of the byte at an offset."""
    with path.open("rb") as stream:
        head = stream.read(offset)
    return 1 + head.count(b"\n") + head.count(b"\r") - head.count(b"\r\n")


# The csv module's limit.


class _CellLimit:
    """Context manager that lets the csv module read cells of up to `CELL_LIMIT` characters.

    The module has one limit for the whole process: the first thread that enters raises it, and the
    last one that leaves restores it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._previous = 0

    def __enter__(self) -> None:
        with self._lock:
            if not self._users:
                self._previous = csv.field_size_limit(CELL_LIMIT)
            self._users += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._users -= 1
            if not self._users:
                csv.field_size_limit(self._previous)


cell_limit = _CellLimit()


# The cells.


@dataclass(frozen=True)
class RaggedRow:
    """A row that has more or fewer cells than the header.

    Parameters
    ----------
    line : int
        The line of the file on which it starts.
    count : int
        Its number of cells.
    first_cell : str
        The start of its first cell.
    """

    line: int
    count: int
    first_cell: str


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
    ragged : list of RaggedRow
        Rows that are not in `cells`.
    broken : str
        Why reading stopped before the end of the file; empty if it did not.
    """

    path: Path
    cells: pd.DataFrame
    lines: Ints64
    ragged: list[RaggedRow]
    broken: str

    @property
    def total(self) -> int:
        """The number of rows read, ragged ones included."""
        return len(self.cells) + len(self.ragged)


def read_sheet(
    path: Path, columns: tuple[str, ...], max_bytes: int, optional: tuple[str, ...] = ()
) -> Sheet:
    """Read one CSV file (RFC 4180, UTF-8), every cell as text.

    A byte order mark, any line endings and any order of the columns are accepted.

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
        The file cannot be read, is not UTF-8 text, has another header, or has no rows.
    """
    check_text_file(path, max_bytes)
    # The default of `newline` turns every line ending into \n, including those inside cells.
    with path.open(encoding="utf-8-sig") as stream, cell_limit:
        rows = _RowReader(stream)
        header = next(rows, [])
        if rows.broken:
            raise DataError(f"{path}: {rows.broken}")
        _check_header(path, header, columns, optional)
        sheet = _read_rows(path, rows, header)
    if not sheet.total and not sheet.broken:
        raise DataError(f"{path}: has a header but no rows")
    return sheet


class _RowReader:
    """Iterator over the rows of a CSV that are not blank; it ends early at broken quoting.

    Attributes
    ----------
    start : int
        The line on which the row that was read last starts.
    broken : str
        Why the rows end early; empty if they do not.
    """

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
            self.broken = _broken_quoting(self.start, self.reader.line_num, error)
            raise StopIteration from None
        return row


def _read_rows(path: Path, rows: _RowReader, header: list[str]) -> Sheet:
    lines: list[int] = []
    ragged: list[RaggedRow] = []
    batches = [pd.DataFrame(columns=header, dtype="str")]
    batch: list[list[str]] = []
    for row in rows:
        if len(row) != len(header):
            ragged.append(RaggedRow(rows.start, len(row), row[0][:SHOWN_CHARACTERS]))
            if len(ragged) == MAX_RAGGED_ROWS:
                rows.broken = (
                    f"{MAX_RAGGED_ROWS:,} rows do not fit the header; no row after them was read"
                )
                break
            continue
        lines.append(rows.start)
        batch.append(row)
        # Python strings take several times the memory of a data frame's column.
        if len(batch) == BATCH_ROWS:
            batches.append(pd.DataFrame(batch, columns=header, dtype="str"))
            batch = []
    batches.append(pd.DataFrame(batch, columns=header, dtype="str"))
    cells = pd.concat(batches, ignore_index=True)
    return Sheet(path, cells, np.asarray(lines, dtype=np.int64), ragged, rows.broken)


def _broken_quoting(start: int, line: int, error: csv.Error) -> str:
    cause = str(error)
    if "field limit" in cause:
        cause = (
            f"a cell is longer than {CELL_LIMIT:,} characters, most likely because a quote is "
            "missing"
        )
    elif "unexpected end" in cause:
        cause = "a quoted cell is not closed before the file ends"
    elif "expected after" in cause:
        cause = "a closing quote is followed by more text"
    where = f"line {start}" if line == start else f"line {line}, in the row from line {start}"
    return (
        f"broken quoting at {where}: {cause}; nothing after it was checked: put a cell that holds "
        'a comma, a quote or a line break in quotes, and write each quote inside it twice ("")'
    )


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
