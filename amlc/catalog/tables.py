"""Tables in every format: CSV, Parquet, Arrow, JSON lines and workbooks, every cell as text."""

import json
import re
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from itertools import islice
from typing import IO, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from amlc.catalog.columns import ReadSettings
from amlc.catalog.opening import FileFormat, as_utf8, open_bytes
from amlc.catalog.reading import CELL_LIMIT, LINE_LIMIT, Record, read_records
from amlc.errors import DataError, MissingExtraError

BATCH_ROWS = 10_000  # that are read at a time; no result depends on it
MAX_COLUMNS = 10_000
# Of a workbook's rows that are empty, one after another: more are its end.
MAX_BLANK_ROWS = 1000
_NO_CHARACTER = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True)
class Table:
    """An open table.

    Parameters
    ----------
    header : list of str
        The names of its columns.
    records : iterator of Record
        Its rows, with all columns.
    columnar : ColumnarFile or None
        To read some of the columns faster; not together with `records`.
    """

    header: list[str]
    records: Iterator[Record]
    columnar: "ColumnarFile | None" = None


@contextmanager
def open_table(
    file: IO[bytes],
    name: str,
    read: ReadSettings,
    max_bytes: int,
    *,
    strict: bool,
    csv_only: bool = False,
) -> Iterator[Table]:
    """Read an open file, in the format that its first bytes tell.

    Parameters
    ----------
    file : file
        Opened to read bytes, at its beginning.
    name : str
        Its name, for messages.
    read : ReadSettings
        How it is written.
    max_bytes : int
        The largest number of bytes once decompressed.
    strict : bool
        As for `amlc.catalog.reading.read_records`.
    csv_only : bool
        Whether any other format, and any compression, is an error if `strict`.

    Raises
    ------
    DataError
        A reason of `open_bytes`, `read_records` or of the readers below.
    MissingExtraError
        It is a workbook, and the library that reads one is not installed.
    """
    opened = open_bytes(file, name, read, max_bytes, strict=strict)
    as_text: tuple[FileFormat, IO[bytes]] = ("text", as_utf8(file, name, read, strict=strict))
    with nullcontext(as_text) if csv_only else opened as (file_format, content):
        if file_format in {"parquet", "arrow", "arrow stream"}:
            columnar = ColumnarFile(content, name, file_format, max_bytes)
            rows = columnar.records(columnar.header, read.image_separator)
            yield Table(columnar.header, rows, columnar)
            return
        if file_format == "excel":
            records = workbook_records(content, name, read.sheet)
        elif file_format == "json lines":
            records = json_records(content, name, read.image_separator)
        else:
            records = read_records(
                content, name, strict=strict, separator=read.separator, quote=read.quote
            )
        with closing(records):
            _, header, _ = next(records, (1, [], False))
            yield Table(header, records)


class ColumnarFile:
    """A Parquet or Arrow file, read batch by batch.

    Parameters
    ----------
    file : file
        At its beginning.
    name : str
        For messages.
    file_format : str
        ``parquet``, ``arrow`` or ``arrow stream``.
    max_bytes : int
        The largest size of all texts that are read.

    Raises
    ------
    DataError
        It is damaged.
    """

    def __init__(self, file: IO[bytes], name: str, file_format: FileFormat, max_bytes: int) -> None:
        self._name, self._max_bytes = name, max_bytes
        with _damage(name):
            if file_format == "parquet":
                self._parquet: Any = pq.ParquetFile(pa.PythonFile(file, "r"))
                self._schema = self._parquet.schema_arrow
            else:
                self._parquet = None
                stream = pa.PythonFile(file, "r")
                opened = pa.ipc.open_file if file_format == "arrow" else pa.ipc.open_stream
                self._reader = opened(stream)
                self._schema = self._reader.schema
            # Names that are not UTF-8 are damage, too.
            self.header: list[str] = list(self._schema.names)
        if len(self.header) > MAX_COLUMNS:
            raise DataError(f"{name}: has more than {MAX_COLUMNS:,} columns")

    def batches(self, columns: Sequence[str], separator: str | None) -> Iterator[pa.Table]:
        """Yield the rows as tables of strings without nulls.

        Parameters
        ----------
        columns : sequence of str
            The columns to read, in this order.
        separator : str, optional
            What stands between the items of a list.

        Raises
        ------
        DataError
            A column cannot be text, a cell or the whole is too long, or the file is damaged.
        """
        size = 0
        with _damage(self._name):
            for batch in self._batches(columns):
                arrays = []
                for name in columns:
                    column = batch.column(name)
                    # Arrow itself trusts positions in a file, and that its texts are UTF-8.
                    column.validate(full=True)
                    array = self._as_text(column, name, separator)
                    size += pc.sum(pc.binary_length(array)).as_py() or 0
                    if size > self._max_bytes:
                        raise DataError(
                            f"{self._name}: its columns have more than {self._max_bytes:,} bytes, "
                            "which data.max_bytes allows"
                        )
                    arrays.append(_text_of_strings(array))
                yield pa.table(arrays, names=list(columns))

    def _batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        if self._parquet is not None:
            yield from self._parquet.iter_batches(BATCH_ROWS, columns=list(dict.fromkeys(columns)))
        elif hasattr(self._reader, "num_record_batches"):
            for index in range(self._reader.num_record_batches):
                yield self._reader.get_batch(index)
        else:
            yield from self._reader

    def _as_text(self, array: Any, name: str, separator: str | None) -> Any:
        kind = array.type
        if pa.types.is_dictionary(kind):
            return self._as_text(array.dictionary_decode(), name, separator)
        if pa.types.is_list(kind) or pa.types.is_large_list(kind):
            items = self._as_text(array.flatten(), name, None)
            lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy()
            texts, start, joined = items.to_pylist(), 0, []
            for length in lengths.tolist():
                joined.append((separator or ", ").join(texts[start : start + length]))
                start += length
            return pa.array(joined, pa.large_string())
        if pa.types.is_boolean(kind) or pa.types.is_null(kind):
            array = array.cast(pa.string())
        try:
            array = array.cast(pa.large_string())
        except pa.ArrowException:
            raise DataError(
                f"{self._name}: column {name!r} holds {kind}, not text, numbers or dates"
            ) from None
        array = pc.fill_null(array, "")
        longest = pc.max(pc.binary_length(array)).as_py() or 0
        if longest > 4 * CELL_LIMIT:
            raise DataError(
                f"{self._name}: a cell of {name!r} is longer than {CELL_LIMIT:,} characters"
            )
        return array

    def records(self, columns: Sequence[str], separator: str | None) -> Iterator[Record]:
        """Yield the rows as `amlc.catalog.reading.read_records` does, without the header."""
        row = 0
        for table in self.batches(columns, separator):
            for cells in zip(*(column.to_pylist() for column in table.columns), strict=True):
                row += 1
                yield row, list(cells), False


def _text_of_strings(array: Any) -> Any:
    r"""Return texts with every line break as ``\n``, as those of text files are."""
    return pc.replace_substring(pc.replace_substring(array, "\r\n", "\n"), "\r", "\n")


@contextmanager
def _damage(name: str) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError, MemoryError) as error:
        first = str(error).partition("\n")[0][:200]
        raise DataError(f"{name}: damaged, or no such table: {first}") from None


# JSON lines.


def json_records(file: IO[bytes], name: str, separator: str | None) -> Generator[Record]:
    """Yield the records of a file with one JSON object per line, the header first.

    Parameters
    ----------
    file : file
        At its beginning.
    name : str
        For messages.
    separator : str, optional
        What stands between the items of a list.

    Raises
    ------
    DataError
        A line is too long, or no object, with the number of the line.
    """
    header: list[str] = []
    seen: set[str] = set()
    buffered = []
    # Keys may be missing in some objects: those of the first ones are the header.
    lines = _json_objects(file, name)
    for line, record in lines:
        header += [key for key in record if key not in seen]
        seen.update(record)
        buffered.append((line, record))
        if len(buffered) == 1000 or len(header) > MAX_COLUMNS:
            break
    if len(header) > MAX_COLUMNS:
        raise DataError(f"{name}: has more than {MAX_COLUMNS:,} keys")
    yield 1, header, False
    while buffered:
        for line, record in buffered:
            yield line, [_json_text(record.get(key), separator) for key in header], False
        buffered = list(islice(lines, 1000))


def _json_objects(file: IO[bytes], name: str) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(_lines(file, name), 1):
        text = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
        if not text.strip():
            continue
        try:
            # Numbers stay as they are written.
            value = json.loads(text, parse_float=str, parse_int=str, parse_constant=str)
        except (ValueError, RecursionError) as error:
            what = "nested too deeply" if isinstance(error, RecursionError) else str(error)
            raise DataError(
                f"{name}: line {number} is not JSON: {what}; write one object per line, for "
                "example with jq -c '.[]'"
            ) from None
        if not isinstance(value, dict):
            raise DataError(f"{name}: line {number} is not a JSON object")
        yield number, value


def _lines(file: IO[bytes], name: str) -> Iterator[bytes]:
    left = b""
    while block := file.read(2**16):
        *lines, left = (left + block).split(b"\n")
        yield from lines
        if len(left) > LINE_LIMIT:
            raise DataError(f"{name}: a line is longer than {LINE_LIMIT:,} bytes: not JSON lines")
    if left:
        yield left


def _json_text(value: Any, separator: str | None) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return _clean(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return _clean((separator or ", ").join(value))
    return _clean(json.dumps(value, ensure_ascii=False))


def _clean(text: str) -> str:
    r"""Return a text with every line break as ``\n``, and without what is no character."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _NO_CHARACTER.sub("\ufffd", text)


# Workbooks.


def workbook_records(file: IO[bytes], name: str, sheet: str | None) -> Generator[Record]:
    """Yield the records of one sheet of an Excel workbook, the header first.

    Parameters
    ----------
    file : file
        At its beginning; its size once decompressed was checked.
    name : str
        For messages.
    sheet : str, optional
        By default the first.

    Raises
    ------
    DataError
        It is damaged, or has no such sheet.
    MissingExtraError
        The library that reads workbooks is not installed.
    """
    try:
        from openpyxl import load_workbook  # noqa: PLC0415 - an extra
        from openpyxl.utils.exceptions import InvalidFileException  # noqa: PLC0415 - an extra
    except ModuleNotFoundError:
        raise MissingExtraError(f"{name}: reading a workbook", "excel") from None
    from xml.etree.ElementTree import ParseError  # noqa: PLC0415 - goes with the extra

    try:
        book = load_workbook(file, read_only=True, data_only=True)
        if sheet is not None and sheet not in book.sheetnames:
            names = ", ".join(map(repr, book.sheetnames[:10]))
            raise DataError(f"{name}: no sheet {sheet!r}; data.read.sheet can be one of {names}")
        rows = (book[sheet] if sheet is not None else book.worksheets[0]).iter_rows(
            values_only=True
        )
        yield from _sheet_records(rows)
    except (InvalidFileException, ParseError, LookupError, ValueError, TypeError, OSError) as error:
        raise DataError(f"{name}: damaged, or no workbook: {error}") from None


def _sheet_records(rows: Iterable[tuple[Any, ...]]) -> Iterator[Record]:
    header: list[str] = []
    blank = 0
    for line, row in enumerate(rows, 1):
        cells = [_cell_text(value) for value in row]
        while cells and not cells[-1]:
            cells.pop()
        if not cells:
            blank += 1
            if blank > MAX_BLANK_ROWS:
                return
            continue
        blank = 0
        if not header:
            header = cells
        yield line, cells + [""] * (len(header) - len(cells)), False


def _cell_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    isoformat = getattr(value, "isoformat", None)
    if isoformat is not None:
        return str(isoformat()).removesuffix("T00:00:00")
    return _clean(str(value))
