"""Catalogue files as bytes: recognised by their first bytes, decompressed, decoded, bounded."""

import codecs
import gzip
import io
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Literal

import pyarrow as pa

from amlc.catalog.columns import ReadSettings
from amlc.errors import DataError, first_few

FileFormat = Literal["text", "json lines", "parquet", "arrow", "arrow stream", "excel"]

_START = 64  # bytes that tell the format
_BLOCK = 2**16  # bytes that are decoded at a time; no result depends on it
_GZIP, _ZSTD, _ZIP = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PK\x03\x04"
_COLUMNAR: dict[bytes, FileFormat] = {
    b"PAR1": "parquet",
    b"ARROW1": "arrow",
    b"\xff\xff\xff\xff": "arrow stream",
}
_WORKBOOK = "[Content_Types].xml"
# What a damaged archive raises; an encrypted one is a RuntimeError.
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError)


class _Bytes(io.BufferedIOBase):
    """The bytes of a compressed or recoded file, of bounded number, which can be read again.

    Parameters
    ----------
    reopen : callable
        Returns the file at its beginning.
    name : str
        For messages.
    max_bytes : int
        More are an error.
    """

    def __init__(self, reopen: Callable[[], IO[bytes]], name: str, max_bytes: int) -> None:
        self._reopen, self._name, self._max_bytes = reopen, name, max_bytes
        self._file, self._read = reopen(), 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        if offset or whence != io.SEEK_SET:
            raise io.UnsupportedOperation("only the beginning")
        self._file, self._read = self._reopen(), 0
        return 0

    def read(self, size: int | None = -1, /) -> bytes:
        block = self._file.read(_BLOCK if size is None or size < 0 else size)
        self._read += len(block)
        if self._read > self._max_bytes:
            raise DataError(
                f"{self._name}: has more than {self._max_bytes:,} bytes once decompressed, which "
                "data.max_bytes allows"
            )
        return block


class _Lent:
    """A file that Arrow reads, but does not close."""

    closed = False

    def __init__(self, file: IO[bytes]) -> None:
        self.read = file.read

    def close(self) -> None:
        """Leave the file open."""


class _Decompressed(_Bytes):
    def read(self, size: int | None = -1, /) -> bytes:
        try:
            return super().read(size)
        except _DAMAGE as error:
            raise DataError(f"{self._name}: cannot be decompressed: {error}") from None


class _Utf8(io.BufferedIOBase):
    """A text file of another encoding, as UTF-8."""

    def __init__(self, file: IO[bytes], name: str, encoding: str, *, strict: bool) -> None:
        self._file, self._name, self._encoding = file, name, encoding
        self._errors = "strict" if strict else "replace"
        self._start()

    def _start(self) -> None:
        self._decoder = codecs.getincrementaldecoder(self._encoding)(self._errors)
        self._left, self._offset = b"", 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        self._file.seek(offset, whence)
        self._start()
        return 0

    def read(self, size: int | None = -1, /) -> bytes:
        wanted = _BLOCK if size is None or size < 0 else size
        while len(self._left) < wanted:
            block = self._file.read(_BLOCK)
            try:
                text = self._decoder.decode(block, final=not block)
            except UnicodeError:
                raise DataError(
                    f"{self._name}: is not text in {self._encoding}, near byte {self._offset:,}: "
                    "set data.read.encoding"
                ) from None
            self._offset += len(block)
            # A lone surrogate is possible in UTF-7 and the like.
            self._left += text.encode("utf-8", "replace")
            if not block:
                break
        given, self._left = self._left[:wanted], self._left[wanted:]
        return given


@contextmanager
def open_bytes(
    file: IO[bytes], name: str, read: ReadSettings, max_bytes: int, *, strict: bool
) -> Iterator[tuple[FileFormat, IO[bytes]]]:
    """Find out the format of an open file by its first bytes, and decompress it if need be.

    Parameters
    ----------
    file : file
        Opened to read bytes; one that cannot go back is taken for text as it is.
    name : str
        Its name, for messages.
    read : ReadSettings
        The encoding of text.
    max_bytes : int
        The largest number of bytes once decompressed.
    strict : bool
        Whether bytes that are not in the encoding are an error.

    Yields
    ------
    file_format : str
    content : file
        At its beginning; UTF-8 if it is text.

    Raises
    ------
    DataError
        An archive is damaged or encrypted, or holds other than one file; a workbook is too large.
    """
    if not file.seekable():
        yield "text", file
        return
    start = file.read(_START)
    file.seek(0)
    if start.startswith(_ZIP) and (workbook := _check_zip(file, name, max_bytes)):
        yield workbook, file
        return
    reopen = _decompressor(file, start, name)
    if reopen is not None:
        try:
            content: IO[bytes] = _Decompressed(reopen, name, max_bytes)  # type: ignore[assignment]  # close enough to IO
        except _DAMAGE as error:
            raise DataError(f"{name}: cannot be decompressed: {error}") from None
        start = content.read(_START)
        content.seek(0)
    else:
        content = file
    for signature, file_format in _COLUMNAR.items():
        if start.startswith(signature):
            if reopen is not None:
                raise DataError(f"{name}: is a compressed {file_format} file: decompress it")
            yield file_format, content
            return
    content = as_utf8(content, name, read, strict=strict)
    start = content.read(_START)
    content.seek(0)
    is_json = start.removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"{")
    yield "json lines" if is_json else "text", content


def as_utf8(file: IO[bytes], name: str, read: ReadSettings, *, strict: bool) -> IO[bytes]:
    """Return a text file that is read as UTF-8; the parameters are those of `open_bytes`."""
    if codecs.lookup(read.encoding).name in {"utf-8", "utf-8-sig"}:
        return file
    return _Utf8(file, name, read.encoding, strict=strict)  # type: ignore[return-value]  # close enough to IO


def _decompressor(file: IO[bytes], start: bytes, name: str) -> Callable[[], IO[bytes]] | None:
    """Return a function that opens the content of a compressed file, or None if it is not one."""

    def opened(open_it: Callable[[], IO[bytes]]) -> Callable[[], IO[bytes]]:
        def reopen() -> IO[bytes]:
            file.seek(0)
            return open_it()

        return reopen

    if start.startswith(_GZIP):
        return opened(lambda: gzip.GzipFile(fileobj=file))  # type: ignore[arg-type,return-value]  # it only needs read
    if start.startswith(_ZSTD):
        return opened(lambda: pa.CompressedInputStream(pa.PythonFile(_Lent(file), "r"), "zstd"))
    if start.startswith(_ZIP):
        archive = zipfile.ZipFile(file)
        member = _only_member(archive, name)
        return opened(lambda: archive.open(member))
    return None


def _only_member(archive: zipfile.ZipFile, name: str) -> str:
    members = [
        entry.filename
        for entry in archive.infolist()
        if not entry.is_dir() and not entry.filename.startswith("__MACOSX/")
    ]
    if len(members) != 1:
        raise DataError(
            f"{name}: holds {len(members)} files, expected one: {first_few(members)}: extract it"
        )
    return members[0]


def _check_zip(file: IO[bytes], name: str, max_bytes: int) -> Literal["excel", ""]:
    """Return whether a zip archive is a workbook, none of whose parts expands without a limit."""
    try:
        with zipfile.ZipFile(file) as archive:
            if _WORKBOOK not in archive.namelist():
                return ""
            size = 0
            for entry in archive.infolist():
                # What an archive says about its sizes is not to be trusted.
                with archive.open(entry) as part:
                    while block := part.read(_BLOCK):
                        size += len(block)
                        if size > max_bytes:
                            raise DataError(
                                f"{name}: has more than {max_bytes:,} bytes once decompressed, "
                                "which data.max_bytes allows"
                            )
    except _DAMAGE as error:
        raise DataError(f"{name}: cannot be decompressed: {error}") from None
    finally:
        file.seek(0)
    return "excel"
