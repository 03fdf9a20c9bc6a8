"""Shards hold one row per link, and are read back as they were written."""

from pathlib import Path

import pytest

from amlc.errors import CheckError, DataError
from amlc.images.fetch_result import FetchResult, Picture
from amlc.images.shards import (
    Summary,
    check_links,
    read_metadata,
    read_rows,
    read_statuses,
    summarise,
    write_shard,
)

GREY = Picture(8, 8, b"grey")
RED = Picture(8, 4, b"red")


def _write(folder: Path) -> None:
    write_shard(
        folder, 0, ["a", "b"], [FetchResult.ok(RED), FetchResult.failed("http 404", 1)], GREY
    )
    write_shard(folder, 1, ["c"], [FetchResult.ok(RED)], GREY)


def test_rows_come_back_in_the_order_of_their_links(tmp_path: Path) -> None:
    """Rows come from several shards and batches; a placeholder has the grey picture."""
    _write(tmp_path)
    rows = list(read_rows(tmp_path, batch=1))
    assert [(row.link, row.status, row.reason, row.tries) for row in rows] == [
        ("a", "ok", "", 0),
        ("b", "placeholder", "http 404", 1),
        ("c", "ok", "", 0),
    ]
    assert [(row.width, row.height, row.data) for row in rows] == [
        (8, 4, b"red"),
        (8, 8, b"grey"),
        (8, 4, b"red"),
    ]


def test_the_status_alone_can_be_read(tmp_path: Path) -> None:
    """The status of all links is read without the pictures."""
    _write(tmp_path)
    assert all("bytes" not in table.column_names for table in read_metadata(tmp_path))
    assert read_statuses(tmp_path) == {"a": "ok", "b": "placeholder", "c": "ok"}


def test_equal_rows_give_equal_bytes(tmp_path: Path) -> None:
    """Writing twice gives the same file."""
    _write(tmp_path)
    before = [path.read_bytes() for path in sorted(tmp_path.iterdir())]
    _write(tmp_path)
    assert [path.read_bytes() for path in sorted(tmp_path.iterdir())] == before


def test_a_row_for_each_link_passes_the_check(tmp_path: Path) -> None:
    """The order of the links does not matter."""
    _write(tmp_path)
    check_links(tmp_path, ["c", "a", "b"])


@pytest.mark.parametrize(
    ("links", "message"),
    [
        (["a", "b", "c", "d"], r"1 links without an image row \(d\)"),
        (["a", "b"], r"1 rows without a product \(c\)"),
    ],
)
def test_a_missing_row_and_an_extra_row_are_errors(
    tmp_path: Path, links: list[str], message: str
) -> None:
    """Every product has exactly one image row, or the stage stops."""
    _write(tmp_path)
    with pytest.raises(CheckError, match=message):
        check_links(tmp_path, links)


def test_a_repeated_row_is_an_error(tmp_path: Path) -> None:
    """A link has only one row."""
    _write(tmp_path)
    write_shard(tmp_path, 2, ["c"], [FetchResult.ok(RED)], GREY)
    with pytest.raises(CheckError, match=r"1 links with several rows \(c\)"):
        check_links(tmp_path, ["a", "b", "c"])


def test_a_folder_without_shards_is_an_error(tmp_path: Path) -> None:
    """The message names the stage that writes them."""
    with pytest.raises(DataError, match="run the stage images"):
        list(read_rows(tmp_path))


def test_a_damaged_shard_is_an_error(tmp_path: Path) -> None:
    """Bytes that are not Parquet are refused."""
    (tmp_path / "shard-00000.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(DataError, match="cannot be read as an image shard"):
        list(read_rows(tmp_path))


GREY_JPEG = Picture(8, 8, b"grey")
LINKS = ["", "https://a.com/1", "https://a.com/2", "https://b.com/\t\n3"]
RESULTS = [
    FetchResult.failed("malformed link", 0),
    FetchResult.ok(GREY_JPEG),
    FetchResult.failed("http 404", 1),
    FetchResult.failed("timeout", 3),
]


@pytest.fixture
def summary(tmp_path: Path) -> Summary:
    """Return the summary of four links."""
    write_shard(tmp_path, 0, LINKS, RESULTS, GREY_JPEG)
    return summarise(tmp_path, tmp_path / "failed.txt")


def test_every_failure_is_one_line(tmp_path: Path, summary: Summary) -> None:
    """It has link, reason and tries, separated by tabs; control characters are escaped."""
    assert summary.links == 4
    lines = (tmp_path / "failed.txt").read_text().split("\n")
    assert lines == [
        "# Image links without a picture, as tab-separated values below a header",
        "link\treason\ttries",
        "\tmalformed link\t0",
        "https://a.com/2\thttp 404\t1",
        "https://b.com/\\x09\\x0a3\ttimeout\t3",
        "",
    ]


def test_metrics_count_links_and_failures(summary: Summary) -> None:
    """They have the links, those with a picture, placeholders, and the failures by reason."""
    assert summary.metrics() == {
        "links": 4,
        "ok": 1,
        "placeholders": 3,
        "failures": {"malformed link": 1, "http 404": 1, "timeout": 1},
    }


def test_the_table_names_reasons_and_hosts(summary: Summary) -> None:
    """It also names the hosts of the links that failed."""
    table = summary.table()
    assert table.startswith("4 links, 1 ok, 3 placeholders")
    for name in ("http 404", "timeout", "a.com", "b.com", "(none)"):
        assert name in table
