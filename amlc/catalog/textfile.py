"""Whether a file is UTF-8 text at all, found out from its bytes in bounded memory."""

import codecs
import stat
from pathlib import Path
from typing import BinaryIO

from amlc.errors import DataError

LINE_LIMIT = 2**22  # bytes
_BLOCK = 2**20

# What a file that is no UTF-8 CSV starts with, what it is, and what to do about it.
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
    """Raise unless a file is UTF-8 text without NUL, in lines of bounded length.

    Parameters
    ----------
    path : Path
        The file.
    max_bytes : int
        Bytes that it may have.

    Raises
    ------
    DataError
        It is missing, unreadable, no regular file, empty, too large, of another format (which is
        named where its first bytes tell), or not UTF-8 (naming the byte and its line).
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
    text = head.removeprefix(codecs.BOM_UTF8).lstrip()
    if not text:
        raise DataError(f"{path}: is empty")
    for signature, what, remedy in _SIGNATURES:
        if text.startswith(signature):
            raise DataError(f"{path}: is {what}, not a CSV file; {remedy}")


def _check_blocks(path: Path, stream: BinaryIO) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")()
    offset = line_length = 0
    while True:
        block = stream.read(_BLOCK)
        pending = len(decoder.getstate()[0])
        if (nul := block.find(0)) >= 0:
            raise DataError(f"{path}: {_at(path, offset + nul)} is NUL: not text, or damaged")
        try:
            decoder.decode(block, final=not block)
        except UnicodeDecodeError as error:
            raise DataError(_not_utf8(path, offset - pending + error.start)) from None
        line_end = max(block.rfind(b"\n"), block.rfind(b"\r"))
        line_length = len(block) + (line_length if line_end < 0 else -line_end - 1)
        offset += len(block)
        if line_length > LINE_LIMIT:
            where = _line_of(path, offset)
            raise DataError(f"{path}: line {where} is longer than {LINE_LIMIT:,} bytes: no CSV")
        if not block:
            return


def _not_utf8(path: Path, offset: int) -> str:
    return (
        f"{path}: {_at(path, offset)} is not UTF-8; save the file as UTF-8, for example with "
        f"iconv -f WINDOWS-1252 -t UTF-8"
    )


def _at(path: Path, offset: int) -> str:
    with path.open("rb") as stream:
        stream.seek(max(0, offset - 20))
        before = stream.read(min(20, offset)).decode("ascii", "replace")
        byte = stream.read(1)
    line = _line_of(path, offset)
    return f"line {line}, byte {offset:,} of the file, 0x{byte.hex()} after {before!a},"


def _line_of(path: Path, offset: int) -> int:
    """Return the line, from 1, that the byte at an offset stands on."""
    with path.open("rb") as stream:
        head = stream.read(offset)
    return 1 + head.count(b"\n") + head.count(b"\r") - head.count(b"\r\n")
