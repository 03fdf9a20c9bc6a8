"""A CSV that a client sends: what is read, and what is refused with which message."""

import contextlib
import csv
import io
from collections.abc import Iterator

import httpx
import pytest

from amlc.catalog.reading import CELL_LIMIT
from amlc.service.csv_upload import count_rows, open_csv
from tests.helpers.api import CSV_HEADER, CSV_TYPE, csv_rows, problem, product_csv, send_csv
from tests.service.conftest import Start


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("7,Tea,\n", "no picture"),
        ("7,,\n", "no text; no picture"),
        ("7\n", "1 cells, not 3; no text; no picture"),
        ("7,Tea,,,x\n", "5 cells, not 3; no picture"),
    ],
)
def test_a_bad_row_is_priced_with_a_reason(client: httpx.Client, row: str, reason: str) -> None:
    """A row with something missing stays in its place and gets a price."""
    rows = csv_rows(send_csv(client, f"{CSV_HEADER}1,Tea,\n{row}9,Tea,\n"))
    assert [each["sample_id"] for each in rows] == ["1", "7", "9"]
    assert rows[1]["reason"] == reason


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffsample_id,catalog_content\n1,Tea\n",
        "sample_id,catalog_content\r\n1,Tea\r\n",
        "sample_id,catalog_content\n\n1,Tea\n\n",
        "sample_id,catalog_content\n1,Tea",
        "price,catalog_content,sample_id,colour\n,Tea,1,green\n",
    ],
    ids=["byte order mark", "windows", "blank lines", "no last line end", "other columns"],
)
def test_the_usual_variants_of_csv_are_read(client: httpx.Client, text: str) -> None:
    """Byte order marks, line ends, blank lines and additional columns change nothing."""
    assert [row["sample_id"] for row in csv_rows(send_csv(client, text))] == ["1"]


def test_an_id_comes_back_unchanged(client: httpx.Client) -> None:
    """An id may hold commas, quotes and line ends."""
    name = 'a,"b"\nc'
    quoted = name.replace('"', '""')
    rows = csv_rows(send_csv(client, f'{CSV_HEADER}"{quoted}",Tea,\n'))
    assert rows[0]["sample_id"] == name


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "The CSV: is empty."),
        (b"sample_id,catalog_content\n", "no rows"),
        (b"sample_id,text\n1,Tea\n", "catalog_content"),
        (b"\x89PNG\r\n\x1a\n", "is a PNG image, not a CSV file"),
        (b"sample_id,sample_id,catalog_content\n1,1,Tea\n", "there 2 times"),
        (b"sample_id,catalog_content\n1,\xff\n", "line 2, byte 28 of the file, 0xff"),
        (b"sample_id,catalog_content\n1,\xc3", "not UTF-8"),
        (b"sample_id,catalog_content\n1,a\0b\n", "line 2, byte 29 of the file, 0x00"),
        (b'sample_id,catalog_content\n1,"Tea\n', "broken quoting at line 2: a quoted cell"),
        (b'sample_id,catalog_content\n1,"Tea" x\n', "broken quoting at line 2: a closing quote"),
        (b'sample_id,catalog_content\n1,"' + b"x" * 1_100_000 + b'"\n', "longer than"),
        (b"sample_id,catalog_content\n" + b'a","\n' * 20_000, "does not end"),
    ],
    ids=["empty", "no rows", "a missing column", "a picture", "a column twice", "latin", "cut",
         "nul", "open", "after a quote", "an endless cell", "endless cells"],
)  # fmt: skip
def test_a_body_that_is_not_a_csv_of_products_is_refused(
    client: httpx.Client, body: bytes, message: str
) -> None:
    """The error is a 422 before any price, and says where and what to do."""
    assert message in problem(send_csv(client, body), 422)["detail"]


def test_an_endless_line_is_refused_before_it_ends(client: httpx.Client) -> None:
    """The answer comes while the line is still being sent."""

    def line() -> Iterator[bytes]:
        yield b"sample_id,catalog_content\n1,"
        for _ in range(50):
            yield b"x" * 1_000_000

    with contextlib.suppress(httpx.WriteError):
        answer = client.post("/v1/prices", content=line(), headers=CSV_TYPE)
        assert "longer than" in problem(answer, 422)["detail"]
    assert client.get("/healthz").status_code == 200


def test_another_media_type_is_refused(client: httpx.Client) -> None:
    """A body that is not declared as a CSV is a 415."""
    problem(client.post("/v1/prices", content=product_csv(1)), 415)


def test_too_many_rows_are_refused(start: Start) -> None:
    """Too many rows are a 413 that names the limit."""
    error = problem(send_csv(start(csv_rows=3), product_csv(4)), 413)
    assert "at most 3" in error["detail"]


def test_too_many_bytes_are_refused(start: Start) -> None:
    """Too many bytes are a 413, with or without a declared length."""
    client = start(csv_bytes=1_000)
    problem(send_csv(client, product_csv(100)), 413)
    chunks = (part.encode() for part in [product_csv(50)] * 2)
    problem(client.post("/v1/prices", content=chunks, headers=CSV_TYPE), 413)


def test_the_csv_limit_is_restored() -> None:
    """It holds for the whole process, which may read other CSV files."""
    before = csv.field_size_limit()
    file = io.BytesIO(b"sample_id,catalog_content\n1,Tea\n")
    assert count_rows(file, 9) == 1
    assert csv.field_size_limit() == before
    with open_csv(file) as rows:
        assert csv.field_size_limit() == CELL_LIMIT
        assert [row.text for row in rows] == ["Tea"]
    assert csv.field_size_limit() == before
