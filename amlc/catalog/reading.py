"""One reader for every CSV: bytes that are checked as they stream, records of bounded size."""

import codecs
import csv
import io
import itertools
import threading
from collections.abc import Generator, Iterable, Iterator
from typing import IO, Any

from amlc.errors import DataError

LINE_LIMIT = 2**22  # bytes
CELL_LIMIT = 2**20  # characters
# A record may fill the longest line, or as many lines as this. Both bound the memory of its cells.
RECORD_LIMIT = LINE_LIMIT + 1  # characters, line ends included
RECORD_LINES = 10_000
# Characters that a lenient reader reads a second time, in the whole file, because what seemed to be
# one record were many. Each such attempt may read up to RECORD_LIMIT.
REREAD_LIMIT = 200 * LINE_LIMIT
BLOCK_BYTES = 2**16  # that are read at a time; no result depends on it

# The first bytes of files in other formats, the format, and what to do about it.
_SIGNATURES = (
    (b"\xff\xfe", "UTF-16 text", "save it as UTF-8, or set data.read.encoding to utf-16"),
    (b"\xfe\xff", "UTF-16 text", "save it as UTF-8, or set data.read.encoding to utf-16"),
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
    (b"[", "JSON", "write one object per line, for example with jq -c '.[]', or export it as CSV"),
)

# The bytes.


class ByteCheck:
    """Checks, block by block, that bytes are text without NUL in lines of bounded length.

    Parameters
    ----------
    name : str
        The name of the file, for messages.
    strict : bool
        Whether NUL is an error.
    """

    def __init__(self, name: str, *, strict: bool = True) -> None:
        self._name = name
        self._strict = strict
        self._block = b""
        # Where the block starts, and what stands before it, for messages.
        self._offset = 0
        self._line = 1
        self._before = b""
        # The length of the line that the block before did not end.
        self._length = 0

    def add(self, block: bytes) -> None:
        """Check the next block.

        Raises
        ------
        DataError
            It has a NUL, with the byte and its line, or its first line is too long.
        """
        self._offset += len(self._block)
        self._line += _count_breaks(self._block)
        self._before = (self._before + self._block)[-40:]
        if self._before.endswith(b"\r") and block.startswith(b"\n"):
            self._line -= 1
        self._block = block
        if self._strict and (nul := block.find(0)) >= 0:
            where = self._locate(self._offset + nul)
            raise DataError(f"{self._name}: {where} is NUL: not text, or damaged")
        if self._length + len(block) > LINE_LIMIT:
            first = block.replace(b"\r", b"\n").partition(b"\n")[0]
            if self._length + len(first) > LINE_LIMIT:
                raise DataError(
                    f"{self._name}: line {self._line} is longer than {LINE_LIMIT:,} bytes: "
                    "not a CSV file"
                )
        end = max(block.rfind(b"\n"), block.rfind(b"\r"))
        self._length = len(block) + (self._length if end < 0 else -end - 1)

    def not_utf8(self, error: UnicodeDecodeError) -> DataError:
        """Return the error for bytes up to the end of the last block that are not UTF-8."""
        end = self._offset + len(self._block)
        where = self._locate(end - len(error.object) + error.start)
        return DataError(
            f"{self._name}: {where} is not UTF-8; save the file as UTF-8, for example with "
            "iconv -f WINDOWS-1252 -t UTF-8"
        )

    def _locate(self, offset: int) -> str:
        """Return line, offset and value of a byte and the text before it, for a message."""
        # A character may have begun in the block before, but no line ends within a character.
        line = self._line + _count_breaks(self._block[: max(0, offset - self._offset)])
        window = self._before + self._block
        position = offset - self._offset + len(self._before)
        before = window[max(0, position - 20) : position].decode("ascii", "replace")
        byte = window[position : position + 1].hex()
        return f"line {line}, byte {offset:,} of the file, 0x{byte} after {before!a},"


def _count_breaks(block: bytes) -> int:
    count = block.count(b"\n")
    return count + block.count(b"\r") - block.count(b"\r\n") if b"\r" in block else count


class _CheckedBytes(io.BufferedIOBase):
    """The bytes of a file, checked as they are read."""

    def __init__(self, file: IO[bytes], name: str, check: ByteCheck) -> None:
        self.name = name
        self._file = file
        self._check = check

    def readable(self) -> bool:
        return True

    def read1(self, _: int = -1, /) -> bytes:
        block = self._file.read(BLOCK_BYTES)
        self._check.add(block)
        return block


def _check_format(name: str, start: bytes) -> None:
    start = start.removeprefix(codecs.BOM_UTF8).lstrip()
    if not start:
        raise DataError(f"{name}: is empty")
    for signature, file_format, remedy in _SIGNATURES:
        if start.startswith(signature):
            raise DataError(f"{name}: is {file_format}, not a CSV file; {remedy}")


# The records.


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


# The line on which a record starts, counted from 1 as in a text editor; its cells, one or more, as
# written but for line breaks, which are \n; and whether its quoting is broken. A plain tuple,
# because one is made for every row.
Record = tuple[int, list[str], bool]


def read_records(
    file: IO[bytes], name: str, *, strict: bool, separator: str = ",", quote: str | None = '"'
) -> Generator[Record]:
    """Yield the records of a CSV (RFC 4180, UTF-8) that are not blank, the header among them.

    A byte order mark and any line endings are accepted. One record is in memory. Whoever does not
    read to the end closes the generator, because a limit of the csv module holds until then.

    Parameters
    ----------
    file : file
        Opened to read bytes, at its beginning.
    name : str
        Its name, for messages.
    strict : bool
        Whether broken quoting and bytes that are not text are errors. If not, a record with broken
        quoting ends with its first line, and a byte that is not UTF-8 becomes a surrogate.
    separator, quote : str
        The marks between cells and around them; without a quote, each line is a record.

    Raises
    ------
    DataError
        A line is too long. If `strict`, also: the file is empty, in another format (named if its
        first bytes are known), not UTF-8 or has NUL, or quoting is broken; otherwise, quoting is
        broken in too many records.
    """
    if strict:
        _check_format(name, file.read(BLOCK_BYTES))
        file.seek(0)
    dialect = _Dialect(separator, quote)
    lines = _Lines(file, name, strict=strict)
    reader, start = dialect.reader(lines), 1
    with cell_limit:
        while True:
            lines.record.clear()
            line = start + reader.line_num
            try:
                cells = next(reader)
            except StopIteration:
                return
            except UnicodeDecodeError as error:
                raise lines.check.not_utf8(error) from None
            except csv.Error as error:
                if strict:
                    last = start + reader.line_num - 1
                    raise DataError(f"{name}: {_broken_quoting(line, last, error)}") from None
                # What was taken for one record may be many: only its first line is kept, and the
                # lines after it are read a second time.
                yield line, dialect.cells_of_line(lines.go_back()), True
                reader, start = dialect.reader(lines), line + 1
            else:
                if cells and not (line == 1 and _declares(cells, separator, name)):
                    yield line, cells, False


def _declares(cells: list[str], separator: str, name: str) -> bool:
    """Return whether a first record is the line ``sep=;`` with which Excel declares a separator."""
    declared = separator.join(cells)
    if len(declared) != 5 or not declared.startswith("sep="):
        return False
    if declared[4] != separator:
        raise DataError(
            f"{name}: says that cells are separated by {declared[4]!r}: set data.read.separator"
        )
    return True


class _Dialect:
    """The marks of a file.

    Parameters
    ----------
    separator, quote : str
        As for `read_records`.
    """

    def __init__(self, separator: str, quote: str | None) -> None:
        self._separator = separator
        self._quote = quote

    def reader(self, lines: Iterable[str], *, strict: bool = True) -> Any:
        """Return a reader of lines."""
        if self._quote is None:
            return csv.reader(
                lines, strict=strict, delimiter=self._separator, quoting=csv.QUOTE_NONE
            )
        return csv.reader(lines, strict=strict, delimiter=self._separator, quotechar=self._quote)

    def cells_of_line(self, line: str) -> list[str]:
        """Return the cells of one line with broken quoting, as far as they can be recognised."""
        try:
            cells: list[str] = next(self.reader([line], strict=False), [])
        except csv.Error:
            return line.split(self._separator)
        return cells


class _Lines:
    """The lines of a file, which can go back to the second line of a record.

    Attributes
    ----------
    check : ByteCheck
        Knows where reading is.
    record : list of str
        The lines since it was cleared.
    """

    def __init__(self, file: IO[bytes], name: str, *, strict: bool) -> None:
        self._name = name
        self.check = ByteCheck(name, strict=strict)
        # The default of `newline` turns every line ending into \n, including those inside cells.
        self._text = io.TextIOWrapper(
            _CheckedBytes(file, name, self.check),
            encoding="utf-8-sig",
            errors="strict" if strict else "surrogateescape",
        )
        self._again: Iterable[str] = ()
        self._reread = 0
        self.record: list[str] = []

    def __iter__(self) -> Iterator[str]:
        """Yield the lines, until those of a record are too many or too long."""
        record, size = self.record, 0
        for line in itertools.chain(self._again, self._text):
            size = size + len(line) if record else len(line)
            record.append(line)
            if size > RECORD_LIMIT or len(record) > RECORD_LINES:
                raise csv.Error(
                    f"the row does not end within {RECORD_LINES:,} lines or {RECORD_LIMIT:,} "
                    f"characters, {_LIKELY}"
                )
            yield line

    def go_back(self) -> str:
        """Return the first line of the record; the next iterator begins with its second."""
        first, *rest = self.record
        self._reread += sum(map(len, rest))
        if self._reread > REREAD_LIMIT:
            raise DataError(
                f"{self._name}: quotes are broken in too many rows to tell the rows apart: "
                'write each quote inside a cell twice ("")'
            )
        self._again = iter([*rest, *self._again])
        return first


_LIKELY = "most likely because a quote is missing"


def _broken_quoting(start: int, line: int, error: csv.Error) -> str:
    cause = str(error)
    if "field limit" in cause:
        cause = f"a cell is longer than {CELL_LIMIT:,} characters, {_LIKELY}"
    elif "unexpected end" in cause:
        cause = "a quoted cell is not closed before the file ends"
    elif "expected after" in cause:
        cause = "a closing quote is followed by more text"
    where = f"line {start}" if line == start else f"line {line}, in the row from line {start}"
    return (
        f"broken quoting at {where}: {cause}; nothing after it was checked: put a cell that holds "
        'a comma, a quote or a line break in quotes, and write each quote inside it twice ("")'
    )
