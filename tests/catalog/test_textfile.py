"""Files that are no UTF-8 text are refused by name, byte and line."""

import gzip
import os
from pathlib import Path

import pytest

from amlc.catalog import textfile
from amlc.catalog.textfile import LINE_LIMIT, check_text_file
from amlc.errors import DataError


def refusal(path: Path, content: bytes, max_bytes: int = 10**9) -> str:
    """Return the message that a file with this content gives, without its path."""
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        check_text_file(path, max_bytes)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    return message.removeprefix(f"{path}: ")


@pytest.mark.parametrize(
    "content",
    [b"a,b\n", b"\xef\xbb\xbfa,b\r\n", "é,\u2028🥭\n".encode(), b"a" * LINE_LIMIT + b"\nb"],
)
def test_utf8_text_passes(tmp_path: Path, content: bytes) -> None:
    """With or without a byte order mark, with any line ends."""
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    check_text_file(path, 10**9)


@pytest.mark.parametrize("content", [b"", b"\n\r\n ", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n"])
def test_an_empty_file_is_called_empty(tmp_path: Path, content: bytes) -> None:
    """White space and a byte order mark alone are nothing."""
    assert refusal(tmp_path / "a.csv", content) == "is empty"


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"\x89PNG\r\n\x1a\n", "a PNG image"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "a JPEG image"),
        (b"PK\x03\x04\x14\x00", "a zip archive or an Excel workbook"),
        (gzip.compress(b"sample_id", mtime=0), "a gzip archive"),
        (b"PAR1\x15\x04", "a Parquet file"),
        (b"<!DOCTYPE html><title>Sign in</title>", "an HTML or XML page"),
        (b'{"sample_id": 1}', "JSON"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a pointer of Git LFS"),
        ("sample_id,price\n".encode("utf-16"), "UTF-16 text"),
    ],
)
def test_other_formats_are_named(tmp_path: Path, content: bytes, what: str) -> None:
    """The message says what the file is, and what to do."""
    message = refusal(tmp_path / "a.csv", content)
    assert message.startswith(f"is {what}, not a CSV file; ")


def test_a_folder_is_named(tmp_path: Path) -> None:
    """A folder under the file's name is no traceback."""
    with pytest.raises(DataError, match="is a folder, expected a CSV file"):
        check_text_file(tmp_path, 10**9)


def test_a_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    """Opening a named pipe would hang for ever."""
    os.mkfifo(tmp_path / "a.csv")
    with pytest.raises(DataError, match="is not a regular file"):
        check_text_file(tmp_path / "a.csv", 10**9)


def test_a_missing_file_names_the_setting(tmp_path: Path) -> None:
    """Most likely data.dir is wrong."""
    with pytest.raises(DataError, match=r"no such file; put it there, or set data\.dir"):
        check_text_file(tmp_path / "a.csv", 10**9)


def test_a_missing_file_that_dvc_knows_names_the_command(tmp_path: Path) -> None:
    """After a fresh clone the data has to be fetched."""
    (tmp_path / "a.csv.dvc").touch()
    with pytest.raises(DataError, match="run dvc pull or dvc checkout"):
        check_text_file(tmp_path / "a.csv", 10**9)


def test_a_path_through_a_file_is_refused(tmp_path: Path) -> None:
    """The operating system's own reason is given."""
    (tmp_path / "a").touch()
    with pytest.raises(DataError, match="cannot be read: Not a directory"):
        check_text_file(tmp_path / "a" / "b.csv", 10**9)


def test_a_file_above_the_size_limit_is_refused(tmp_path: Path) -> None:
    """The message gives both sizes and the setting."""
    message = refusal(tmp_path / "a.csv", b"a" * 1001, 1000)
    assert message == "has 1,001 bytes, data.max_bytes allows 1,000"


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_a_byte_that_is_no_utf8_is_located(tmp_path: Path, end: bytes) -> None:
    """Line, offset, value and what stands before it."""
    head = b"id,text" + end + b"1,tea" + end + b"2,caf"
    message = refusal(tmp_path / "a.csv", head + b"\xe9" + end)
    assert message.startswith(f"line 3, byte {len(head)} of the file, 0xe9 after '")
    assert "2,caf'" in message
    assert "is not UTF-8; save the file as UTF-8" in message


@pytest.mark.parametrize("content", [b"ab\xe2\x82", b"abc\xed\xa0\x80", b"abc\xc0\xaf"])
def test_cut_off_and_forbidden_sequences_are_no_utf8(tmp_path: Path, content: bytes) -> None:
    """A file that ends within a character, a surrogate, an overlong form."""
    assert "is not UTF-8" in refusal(tmp_path / "a.csv", content)


@pytest.mark.parametrize("shift", range(-3, 3))
def test_a_bad_byte_is_located_across_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shift: int
) -> None:
    """The offset is right wherever the blocks of reading end, within a character too."""
    monkeypatch.setattr(textfile, "_BLOCK", 64)
    head = "é".encode() * 30 + b"x" * (4 + shift) + "€".encode()
    message = refusal(tmp_path / "a.csv", head + b"\xff more")
    assert f"byte {len(head)} of the file, 0xff" in message


def test_a_nul_byte_is_located(tmp_path: Path) -> None:
    """A block of zeros after a crash is damage, not text."""
    message = refusal(tmp_path / "a.csv", b"id\n1\n2\x00\x00")
    assert message.startswith("line 3, byte 6 of the file, 0x00 after ")
    assert message.endswith("is NUL: not text, or damaged")


def test_a_line_without_end_is_refused(tmp_path: Path) -> None:
    """Reading it would take memory without bound."""
    message = refusal(tmp_path / "a.csv", b"id\n" + b"a" * (LINE_LIMIT + 2**20 + 1))
    assert message.startswith("line 2 is longer than 4,194,304 bytes")
