"""Atomic, byte-deterministic writing of files and folders; what killed runs left is removed."""

import csv
import errno
import json
import math
import os
import re
import secrets
import shutil
import stat
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any, Literal
from zipfile import ZIP_STORED, ZipFile, ZipInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout
from numpy.lib.format import (
    dtype_to_descr,
    read_array_header_1_0,
    read_array_header_2_0,
    read_magic,
    write_array_header_1_0,
)
from numpy.lib.format import write_array as write_npy

from amlc.errors import DataError
from amlc.interrupts import finally_even_if_late

_LOCK_SUFFIX = ".lock"
# What a spreadsheet takes for the start of a formula, in East Asian widths as well.
_FORMULA = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
# As a zip entry names the system that made it.
_UNIX = 3
# Bytes of the fixed part of an entry's header, which ends with the lengths of the other two.
_ZIP_HEADER = 30


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, and rename it to `path` when the block succeeds.

    Parameters
    ----------
    path : Path
        The file to create or replace; its folder is created. What killed runs left of it beside it
        is removed.

    Yields
    ------
    Path
        Where the block creates the file, which is removed if the block raises.

    Raises
    ------
    DataError
        The file cannot be written, for example because the disk is full.
    """
    with _temporary(path) as temporary:
        yield temporary
        temporary.replace(path)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `path`, which replaces `path` when the block succeeds.

    As `replacing` does for files.
    """
    with _temporary(path) as temporary:
        temporary.mkdir()
        yield temporary
        shutil.rmtree(path, ignore_errors=True)
        try:
            temporary.replace(path)
        except OSError:
            # Another process may have written it just now: the last one counts, as with files.
            shutil.rmtree(path, ignore_errors=True)
            temporary.replace(path)


@contextmanager
def temporary_folder(path: Path) -> Iterator[Path]:
    """Yield a new folder beside `path`, which only the user can enter, and remove it afterwards.

    Parameters
    ----------
    path : Path
        The beginning of its name; what killed runs left of this name is removed.

    Raises
    ------
    DataError
        The folder cannot be created.
    """
    with ExitStack() as stack:
        with write_errors(path):
            temporary = stack.enter_context(_reserved(path))
            temporary.mkdir(mode=0o700)
        # Outside of the inner block: an error in what the folder is for is another error.
        yield temporary


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Yield where to write a file that a user names, which may be anything.

    Parameters
    ----------
    path : Path
        A file appears once the block succeeds, as with `replacing`; if there is one, it must be
        writable, and its permissions are kept. What is no regular file, such as a device or a FIFO,
        is written to itself. A link is followed.

    Yields
    ------
    Path
        What the block opens to write.

    Raises
    ------
    DataError
        As in `replacing`; or `path` is a folder or may not be written.
    """
    with write_errors(path):
        mode = path.stat().st_mode if path.exists() else None
        if mode is not None and not os.access(path, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        if mode is not None and stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if mode is not None and not stat.S_ISREG(mode):
        with write_errors(path):
            yield path
        return
    with replacing(Path(os.path.realpath(path))) as temporary:
        if mode is not None:
            # Before anything is in it.
            temporary.touch(mode=stat.S_IRUSR | stat.S_IWUSR)
            temporary.chmod(stat.S_IMODE(mode))
        yield temporary


@contextmanager
def write_errors(path: Path) -> Iterator[None]:
    """Turn an `OSError` in the block, which writes `path`, into one sentence for the user."""
    try:
        yield
    except OSError as error:
        # NumPy only says how many bytes it could not write.
        reason = error.strerror or f"{error}; the disk may be full"
        file = Path(error.filename or path)
        names = (file.name, *(parent.name for parent in file.parents))
        if file in path.parents:
            reason = f"{file}: {reason}"
        elif file != path and not any(name.startswith(f".{path.name}.") for name in names):
            raise DataError(f"{file}: cannot be used: {reason}") from None
        raise DataError(f"{path}: cannot be written: {reason}") from None


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text with Unix line endings on every platform."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, content: Any) -> None:
    """Write JSON, sorted by key and refusing NaN, so that equal content gives equal bytes."""
    text = json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n")


def write_rows(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a CSV file with a header, quoting the cells that need it."""
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def without_formula(cell: str) -> str:
    """Return a cell of a CSV for people: with a ``'`` if a spreadsheet took it for a formula.

    Examples
    --------
    >>> without_formula("=1+1"), without_formula("1=1")
    ("'=1+1", '1=1')
    """
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def read_json(path: Path) -> Any:
    """Read what `write_json` wrote.

    Raises
    ------
    DataError
        The file is missing or is not JSON.
    """
    try:
        return json.loads(path.read_bytes())
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}; run dvc repro") from None
    except ValueError as error:
        raise DataError(f"{path}: not JSON: {error}; run dvc repro") from None


def write_array(path: Path, array: np.ndarray[Any, Any]) -> None:
    """Write one array as .npy, without pickling."""
    with replacing(path) as temporary, temporary.open("wb") as stream:
        np.save(stream, array, allow_pickle=False)


class StreamedArray(ABC):
    """An array that `write_arrays` writes without having all of it in memory."""

    dtype: np.dtype[Any]

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """The shape of the array."""

    @property
    def nbytes(self) -> int:
        """The size of the array."""
        return math.prod(self.shape) * self.dtype.itemsize

    @abstractmethod
    def blocks(self) -> Iterator[bytes]:
        """Yield the bytes of the array, in C order."""


def write_arrays(path: Path, **arrays: Any) -> None:
    """Write arrays by name as an uncompressed .npz; equal arrays give equal bytes.

    `numpy.savez` does not say beforehand how large an array is, and the headers that Python writes
    then differ between its patch releases.
    """
    with replacing(path) as temporary, ZipFile(temporary, "w") as archive:
        for name, values in arrays.items():
            array = values if isinstance(values, StreamedArray) else np.asanyarray(values)
            entry = ZipInfo(f"{name}.npy")
            entry.create_system = _UNIX
            # Decides on the kind of headers; closing the entry corrects it.
            entry.file_size = array.nbytes
            with archive.open(entry, "w") as stream:
                _write_entry(stream, array)


def _write_entry(stream: IO[bytes], array: StreamedArray | np.ndarray[Any, Any]) -> None:
    if not isinstance(array, StreamedArray):
        write_npy(stream, array, allow_pickle=False)
        return
    # As `write_npy` does with the first bytes of an array.
    descr = dtype_to_descr(array.dtype)
    header = {"descr": descr, "fortran_order": False, "shape": array.shape}
    write_array_header_1_0(stream, header)
    for block in array.blocks():
        stream.write(block)


def read_arrays(path: Path) -> dict[str, Any]:
    """Read the arrays that `write_arrays` wrote; a file that needs unpickling is refused."""
    with path.open("rb") as stream, np.load(stream, allow_pickle=False) as content:
        return dict(content)


def map_arrays(path: Path) -> dict[str, Any]:
    """Map the arrays that `write_arrays` wrote into memory: what is used is read from disk.

    Raises
    ------
    ValueError
        The file is not an uncompressed .npz, or needs unpickling.
    """
    with ZipFile(path) as archive:
        entries = archive.infolist()
    with path.open("rb") as stream:
        return {
            entry.filename.removesuffix(".npy"): _map_entry(path, stream, entry)
            for entry in entries
        }


def _map_entry(path: Path, stream: IO[bytes], entry: ZipInfo) -> np.ndarray[Any, Any]:
    if entry.compress_type != ZIP_STORED:
        raise ValueError(f"{entry.filename} is compressed")
    # The lengths of the name and of further fields, after which the array begins.
    stream.seek(entry.header_offset + _ZIP_HEADER - 4)
    name, extra = (int.from_bytes(stream.read(2), "little") for _ in range(2))
    stream.seek(entry.header_offset + _ZIP_HEADER + name + extra)
    version = read_magic(stream)
    read_header = read_array_header_1_0 if version == (1, 0) else read_array_header_2_0
    shape, fortran, dtype = read_header(stream)
    if dtype.hasobject:
        raise ValueError(f"{entry.filename} holds objects")
    size = math.prod(shape) * dtype.itemsize
    if stream.tell() + size > path.stat().st_size:
        raise ValueError(f"{entry.filename} is cut short")
    if not size:
        return np.empty(shape, dtype)
    order: Literal["F", "C"] = "F" if fortran else "C"
    return np.asarray(np.memmap(path, dtype, "r", stream.tell(), shape, order))


def write_table(path: Path, table: pa.Table) -> None:
    """Write an Arrow table as Parquet; equal tables give equal bytes."""
    write_tables(path, [table])


def write_tables(path: Path, tables: Iterable[pa.Table]) -> None:
    """Write a table that comes in parts as Parquet, each part as a row group.

    Parameters
    ----------
    path : Path
        The file.
    tables : iterable of Table
        At least one, all with the same columns; one is in memory at a time. Equal tables give equal
        bytes.

    Raises
    ------
    DataError
        As in `replacing`.
    """
    try:
        with replacing(path) as temporary, ExitStack() as stack:
            writer = None
            for table in _made(tables):
                if writer is None:
                    writer = pq.ParquetWriter(temporary, table.schema, compression="zstd")
                    stack.enter_context(writer)
                writer.write_table(table)
    except _MakingError as failure:
        raise failure.error from None


class _MakingError(Exception):
    """What is to be written could not be made."""

    def __init__(self, error: OSError) -> None:
        super().__init__(str(error))
        self.error = error


def _made(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Yield the tables; an error of the system in making one is not one in writing the file."""
    try:
        yield from tables
    except OSError as error:
        raise _MakingError(error) from error


def write_frame(path: Path, frame: pd.DataFrame) -> None:
    """Write a data frame as Parquet, without its index."""
    write_table(path, pa.Table.from_pandas(frame, preserve_index=False))


@contextmanager
def _temporary(path: Path) -> Iterator[Path]:
    """Yield an unused path beside `path`, locked while the block runs; a killed process loses it.

    What is still there after the block is removed, and so are stale ones, which no running process
    has locked.
    """
    with write_errors(path), _reserved(path) as temporary:
        yield temporary


@contextmanager
def _reserved(path: Path) -> Iterator[Path]:
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_stale(path)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}{path.suffix}")
    lock = _lock_path(temporary)
    try:
        with FileLock(lock), finally_even_if_late(partial(_discard, temporary)):
            yield temporary
    finally:
        lock.unlink(missing_ok=True)


def _discard(temporary: Path) -> None:
    if temporary.is_dir():
        shutil.rmtree(temporary, ignore_errors=True)
    else:
        temporary.unlink(missing_ok=True)
    _lock_path(temporary).unlink(missing_ok=True)


def _remove_stale(path: Path) -> None:
    """Remove the temporary files and folders that killed runs left beside `path`."""
    suffix = re.escape(path.suffix)
    name = re.compile(
        rf"(\.{re.escape(path.name)}\.[0-9a-f]{{8}}{suffix})({re.escape(_LOCK_SUFFIX)})?"
    )
    # A killed run may have left the lock without its file.
    # In a folder for everyone's temporary files, another user may have made entries of this name.
    matches = {
        match[1]
        for entry in os.scandir(path.parent)
        if (match := name.fullmatch(entry.name)) and _is_own(entry)
    }
    for temporary in sorted(map(path.with_name, matches)):
        lock = _lock_path(temporary)
        try:
            with FileLock(lock, blocking=False):
                if temporary.is_dir():
                    shutil.rmtree(temporary, ignore_errors=True)
                else:
                    temporary.unlink(missing_ok=True)
                # Before another process can lock it: that may have waited to write this file.
                lock.unlink(missing_ok=True)
        except (Timeout, PermissionError):
            # A running process writes it, or another user does.
            continue


def _is_own(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.stat(follow_symlinks=False).st_uid == os.getuid()
    except OSError:
        # Removed by its owner in the meantime.
        return False


def _lock_path(path: Path) -> Path:
    return path.with_name(path.name + _LOCK_SUFFIX)
