"""Parquet, Arrow, JSON lines: every cell is text, and what is broken is named."""

import io
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amlc.catalog import tables
from amlc.catalog.columns import PLAIN
from amlc.catalog.tables import open_table
from amlc.errors import DataError
from tests.helpers.layouts import arrow, json_lines, parquet


def rows_of(data: bytes, max_bytes: int = 10**7) -> list[list[str]]:
    """Return the header and the rows of a file."""
    with open_table(io.BytesIO(data), "file", PLAIN, max_bytes, strict=True) as table:
        return [table.header, *(cells for _, cells, _ in table.records)]


def stored(columns: dict[str, Any]) -> bytes:
    """Return a Parquet file of typed columns."""
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


def test_typed_columns_become_text() -> None:
    """A missing value is an empty cell, and a line break is one whatever the system."""
    data = stored(
        {
            "n": pa.array([1, None]),
            "x": pa.array([0.1, 2.0]),
            "t": pa.array(["a\r\nb", None]),
            "d": pa.array([19782, None], pa.date32()),
            "yes": pa.array([True, False]),
            "words": pa.array([["a", "b"], None]),
            "code": pa.array(["x", "x"]).dictionary_encode(),
        }
    )
    assert rows_of(data)[1:] == [
        ["1", "0.1", "a\nb", "2024-02-29", "true", "a, b", "x"],
        ["", "2", "", "", "false", "", "x"],
    ]


def test_a_column_that_is_no_text_is_named() -> None:
    """A table inside a table has no cells."""
    with pytest.raises(DataError, match=r"file: column 'a' holds struct"):
        rows_of(stored({"a": pa.array([{"b": 1}])}))


def test_texts_that_expand_without_a_limit_are_refused() -> None:
    """A small file can repeat one text many times."""
    data = stored({"a": pa.array(["x" * 1000] * 100_000)})
    assert len(data) < 10**5
    with pytest.raises(DataError, match=r"more than 1,000,000 bytes.*data\.max_bytes"):
        rows_of(data, max_bytes=10**6)


@pytest.mark.parametrize("data", [parquet([{"a": "b"}]), arrow([{"a": "b"}])])
def test_a_damaged_file_is_an_error(data: bytes) -> None:
    """It is cut before its end."""
    with pytest.raises(DataError, match="file: damaged"):
        rows_of(data[: len(data) // 2])


@given(st.data())
def test_a_changed_byte_gives_rows_or_a_data_error(data: st.DataObject) -> None:
    """No other error comes out of a broken file."""
    whole = bytearray(parquet([{"a": "b", "c": "1"}] * 3))
    whole[data.draw(st.integers(4, len(whole) - 1))] = data.draw(st.integers(0, 255))
    with suppress(DataError):
        rows_of(bytes(whole))


@pytest.mark.parametrize("write", [parquet, arrow])
def test_text_that_is_not_utf8_is_an_error(write: Callable[[list[dict[str, str]]], bytes]) -> None:
    """Arrow would hand it on, and whoever reads it would stop."""
    whole = write([{"a long enough name": "and a text"}])
    for text in (b"enough", b"and"):
        with pytest.raises(DataError, match=r"file: damaged.*(UTF|utf-8)"):
            rows_of(whole.replace(text, b"\x80" + text[1:]))


def test_json_numbers_stay_as_written() -> None:
    """Keys may be missing, in another order, or hold lists and objects."""
    text = b'{"id": "007", "price": 1.10}\n\n{"price": 2e3, "tags": ["a", "b"], "x": {"y": null}}\n'
    assert rows_of(text) == [
        ["id", "price", "tags", "x"],
        ["007", "1.10", "", ""],
        ["", "2e3", "a, b", '{"y": null}'],
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b'{"a": 1}\n{"a": ', r"line 2 is not JSON.*jq -c"),
        (b'{"a": 1}\n[1]\n', "line 2 is not a JSON object"),
        (b'{"a": ' + b"[" * 10**6, "line 1 is not JSON: nested too deeply"),
    ],
)
def test_a_broken_line_of_json_is_named(text: bytes, message: str) -> None:
    """Deep nesting does not end the process."""
    with pytest.raises(DataError, match=message):
        rows_of(text)


def test_a_line_of_json_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file without line breaks is not read as a whole."""
    monkeypatch.setattr(tables, "LINE_LIMIT", 1000)
    with pytest.raises(DataError, match="a line is longer than 1,000 bytes"):
        rows_of(b'{"a": "' + b"x" * 10**5)


def test_lone_surrogates_of_json_are_replaced() -> None:
    """Such a text could not be written again."""
    assert rows_of(b'{"a": "x\\ud800y\\u0000"}')[1] == ["x\ufffdy\ufffd"]


@given(st.lists(st.fixed_dictionaries({"a": st.text(max_size=9), "b": st.text(max_size=9)})))
def test_json_and_arrow_agree(rows: list[dict[str, str]]) -> None:
    """Any text comes out the same from both."""
    table = [{name: cell.replace("\x00", " ") for name, cell in row.items()} for row in rows]
    if table:
        assert rows_of(json_lines(table)) == rows_of(arrow(table))
