"""The failure list and the counts are functions of the shards."""

from pathlib import Path

import pytest

from amlc.images.outcome import Outcome, Picture
from amlc.images.shards import write_shard
from amlc.images.summary import Summary, summarise

GREY = Picture(8, 8, b"grey")
LINKS = ["", "https://a.com/1", "https://a.com/2", "https://b.com/\t\n3"]
OUTCOMES = [
    Outcome.failed("malformed link", 0),
    Outcome.ok(GREY),
    Outcome.failed("http 404", 1),
    Outcome.failed("timeout", 3),
]


@pytest.fixture
def summary(tmp_path: Path) -> Summary:
    """Return the summary of four links."""
    write_shard(tmp_path, 0, LINKS, OUTCOMES, GREY)
    return summarise(tmp_path, tmp_path / "failed.txt")


def test_every_failure_is_one_line(tmp_path: Path, summary: Summary) -> None:
    """Link, reason and tries between tabs, whatever the link holds."""
    assert summary.links == 4
    lines = (tmp_path / "failed.txt").read_text().split("\n")
    assert lines == [
        "link\treason\ttries",
        "\tmalformed link\t0",
        "https://a.com/2\thttp 404\t1",
        "https://b.com/\\x09\\x0a3\ttimeout\t3",
        "",
    ]


def test_metrics_count_what_is_there(summary: Summary) -> None:
    """Links, good ones, placeholders, and the failures by reason."""
    assert summary.metrics() == {
        "links": 4,
        "ok": 1,
        "placeholders": 3,
        "failures": {"malformed link": 1, "http 404": 1, "timeout": 1},
    }


def test_the_table_names_reasons_and_hosts(summary: Summary) -> None:
    """People see where to look."""
    table = summary.table()
    assert table.startswith("4 links, 1 ok, 3 placeholders")
    for name in ("http 404", "timeout", "a.com", "b.com", "(none)"):
        assert name in table
