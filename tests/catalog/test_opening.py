"""Compressed and recoded files are bounded, and damage is an error with the file's name."""

import io
import zipfile
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amlc.catalog.columns import PLAIN, ReadSettings
from amlc.catalog.opening import open_bytes
from amlc.errors import DataError
from tests.helpers.layouts import gzipped, parquet, reading, zipped, zstandard

CONTENT = b"id,price\n" + b"1,2\n" * 50_000


def content_of(
    data: bytes, read: ReadSettings = PLAIN, max_bytes: int = 10**6, *, strict: bool = True
) -> bytes:
    """Return the content of a file."""
    with open_bytes(io.BytesIO(data), "file", read, max_bytes, strict=strict) as (_, content):
        return b"".join(iter(lambda: content.read(7919), b""))


@pytest.mark.parametrize("compress", [gzipped, zstandard, zipped])
def test_a_compressed_file_is_read_up_to_the_limit(compress: object) -> None:
    """A small file that expands to much more is refused while it is read."""
    assert callable(compress)
    assert content_of(compress(CONTENT)) == CONTENT
    with pytest.raises(DataError, match=r"more than 100,000 bytes .* data\.max_bytes"):
        content_of(compress(CONTENT), max_bytes=100_000)


@pytest.mark.parametrize("compress", [gzipped, zstandard, zipped])
def test_a_damaged_file_is_an_error(compress: object) -> None:
    """It is cut in the middle."""
    assert callable(compress)
    whole = compress(CONTENT)
    with pytest.raises(DataError, match="file: cannot be decompressed"):
        content_of(whole[: len(whole) // 2])


def test_a_zip_archive_holds_one_file() -> None:
    """Which of several to take is not guessed."""
    sink = io.BytesIO(zipped(b"a"))
    with zipfile.ZipFile(sink, "a") as archive:
        archive.writestr("more.csv", b"b")
    with pytest.raises(DataError, match=r"holds 2 files, expected one: products.csv, more.csv"):
        content_of(sink.getvalue())


def test_a_workbook_is_bounded_before_it_is_opened() -> None:
    """It is a zip archive, whose parts are checked without a library for workbooks."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", b"<x/>")
        archive.writestr("xl/worksheets/sheet1.xml", b" " * 10**6)
    with pytest.raises(DataError, match="more than 1,000 bytes once decompressed"):
        content_of(sink.getvalue(), max_bytes=1000)


def test_a_compressed_parquet_file_is_refused() -> None:
    """It has to be read from several places."""
    with pytest.raises(DataError, match="a compressed parquet file: decompress it"):
        content_of(gzipped(parquet([{"a": "b"}])))


@pytest.mark.parametrize("encoding", ["utf-16", "windows-1252", "latin-1", "utf-8"])
def test_every_encoding_becomes_utf_8(encoding: str) -> None:
    """A character may lie on the border of two blocks."""
    text = "Caf\u00e9, 5 \u00a3\n" * 20_000
    assert content_of(text.encode(encoding), reading({"encoding": encoding})) == text.encode()


def test_another_encoding_than_declared_names_the_setting() -> None:
    """Nothing is replaced where reading is strict."""
    odd = "Caf\u00e9 ".encode("utf-16")[:-1]
    with pytest.raises(DataError, match=r"not text in utf-16.*data\.read\.encoding"):
        content_of(odd, reading({"encoding": "utf-16"}))
    assert b"Caf" in content_of(odd, reading({"encoding": "utf-16"}), strict=False)


@given(st.sampled_from([b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PK\x03\x04"]), st.binary(max_size=80))
def test_any_bytes_are_content_or_a_data_error(signature: bytes, rest: bytes) -> None:
    """No other error, whatever a file pretends to be."""
    with suppress(DataError):
        content_of(signature + rest)
