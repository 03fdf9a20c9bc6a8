"""Bytes become records, within bounds; other files are refused with line and reason."""

import csv
import gzip
import io

import pytest

from amlc.catalog import reading
from amlc.catalog.reading import CELL_LIMIT, LINE_LIMIT, Record, cell_limit, read_records
from amlc.errors import DataError


def read(content: bytes, *, strict: bool = True) -> list[Record]:
    """Return the records of a file with this content."""
    return list(read_records(io.BytesIO(content), "a.csv", strict=strict))


def refusal(content: bytes, *, strict: bool = True) -> str:
    """Return the message for a file with this content, without its name."""
    with pytest.raises(DataError, match=r"^a\.csv: ") as caught:
        read(content, strict=strict)
    return str(caught.value).removeprefix("a.csv: ")


@pytest.mark.parametrize(
    ("content", "records"),
    [
        (b"a,b\n", [(1, ["a", "b"], False)]),
        (b"\xef\xbb\xbfa,b\r\n", [(1, ["a", "b"], False)]),
        ("é,\u2028🥭\n".encode(), [(1, ["é", "\u2028🥭"], False)]),
        (b"\n" * 9 + b"a", [(10, ["a"], False)]),
    ],
)
def test_utf8_text_is_accepted(content: bytes, records: list[Record]) -> None:
    """A byte order mark and any line endings are allowed; blank lines are not records."""
    assert read(content) == read(content, strict=False) == records


@pytest.mark.parametrize("strict", [True, False])
def test_the_longest_line_is_accepted(strict: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """The limits themselves are allowed, and one byte more is not."""
    line = b"a" * 2**19 + b"," * (LINE_LIMIT - 2**19)
    assert [len(cells) for _, cells, _ in read(line + b"\nb\n", strict=strict)] == [
        LINE_LIMIT - 2**19 + 1,
        1,
    ]
    message = refusal(b"b\n" + line + b",\nb\n", strict=strict)
    assert message == "line 2 is longer than 4,194,304 bytes: not a CSV file"


@pytest.mark.parametrize("content", [b"", b"\n\r\n ", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n"])
def test_an_empty_file_is_refused(content: bytes) -> None:
    """A file with only white space or a byte order mark counts as empty."""
    assert refusal(content) == "is empty"


@pytest.mark.parametrize(
    ("content", "file_format"),
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
def test_other_formats_are_named(content: bytes, file_format: str) -> None:
    """The message states the format of the file, and what to do."""
    message = refusal(content)
    assert message.startswith(f"is {file_format}, not a CSV file; ")


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_a_byte_that_is_not_utf8_is_located(end: bytes) -> None:
    """The message has its line, offset and value, and the text before it."""
    head = b"id,text" + end + b"1,tea" + end + b"2,caf"
    message = refusal(head + b"\xe9" + end)
    assert message.startswith(f"line 3, byte {len(head)} of the file, 0xe9 after '")
    assert "2,caf'" in message
    assert "is not UTF-8; save the file as UTF-8" in message


@pytest.mark.parametrize("content", [b"ab\xe2\x82", b"abc\xed\xa0\x80", b"abc\xc0\xaf"])
def test_truncated_and_forbidden_sequences_are_refused(content: bytes) -> None:
    """A file that ends within a character, a surrogate and an overlong form are not UTF-8."""
    assert "is not UTF-8" in refusal(content)


@pytest.mark.parametrize("shift", range(-3, 3))
def test_a_bad_byte_is_located_across_blocks(monkeypatch: pytest.MonkeyPatch, shift: int) -> None:
    """The offset is right wherever a block ends, even within a character."""
    monkeypatch.setattr(reading, "BLOCK_BYTES", 64)
    head = "é".encode() * 30 + b"x" * (4 + shift) + "€".encode()
    message = refusal(head + b"\xff more")
    assert f"byte {len(head)} of the file, 0xff" in message


def test_a_nul_byte_is_located() -> None:
    """Zeros, as a crash may leave them, are reported as damage."""
    message = refusal(b"id\n1\n2\x00\x00")
    assert message.startswith("line 3, byte 6 of the file, 0x00 after ")
    assert message.endswith("is NUL: not text, or damaged")


def test_an_endless_line_is_refused() -> None:
    """Reading it would take unbounded memory."""
    for strict in (True, False):
        message = refusal(b"id\n" + b"a" * (LINE_LIMIT + 2**20 + 1), strict=strict)
        assert message.startswith("line 2 is longer than 4,194,304 bytes")


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("block", range(1, 9))
def test_lines_are_counted_across_blocks(
    monkeypatch: pytest.MonkeyPatch, end: bytes, block: int
) -> None:
    """A line ending of two bytes counts once, also where a block ends within it."""
    monkeypatch.setattr(reading, "BLOCK_BYTES", block)
    head = end.join([b"id", b"1", b"2", b""])
    assert refusal(head + b"\xff").startswith(f"line 4, byte {len(head)} of the file, 0xff")
    assert refusal(head + b"\0").startswith(f"line 4, byte {len(head)} of the file, 0x00")


@pytest.mark.parametrize(
    ("limit", "content"),
    [("RECORD_LINES", b'x\n","'), ("RECORD_LIMIT", b'"' + b"x" * 98 + b'",')],
)
def test_an_endless_record_ends_reading(
    monkeypatch: pytest.MonkeyPatch, limit: str, content: bytes
) -> None:
    """Neither its lines nor its characters can fill the memory."""
    monkeypatch.setattr(reading, limit, 100)
    message = refusal(b'id\n"' + content * 101 + b'"\n2\n')
    assert "the row does not end within " in message


def test_the_csv_limit_is_kept_until_the_last_user_leaves() -> None:
    """It holds for the whole process, and files may be read by several threads at once."""
    before = csv.field_size_limit()
    with cell_limit:
        with cell_limit:
            pass
        assert csv.field_size_limit() == CELL_LIMIT
    assert csv.field_size_limit() == before
