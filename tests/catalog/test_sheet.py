"""CSV files that are read as a whole: as they are written, or refused with line and reason."""

import csv
import io
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amlc.catalog import sheet as module
from amlc.catalog.reading import CELL_LIMIT
from amlc.catalog.sheet import Sheet, read_sheet
from amlc.errors import DataError

COLUMNS = ("sample_id", "text")
CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12)
SHARED_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def test_a_folder_is_refused(tmp_path: Path) -> None:
    """A folder in the place of the file is reported as one."""
    with pytest.raises(DataError, match="is a folder, expected a CSV file"):
        read_sheet(tmp_path, COLUMNS, 10**9)


def test_a_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    """Opening a named pipe would block forever."""
    os.mkfifo(tmp_path / "a.csv")
    with pytest.raises(DataError, match="is not a regular file"):
        read_sheet(tmp_path / "a.csv", COLUMNS, 10**9)


def test_a_missing_file_names_the_setting(tmp_path: Path) -> None:
    """The most likely cause is a wrong data.dir."""
    with pytest.raises(DataError, match=r"no such file; put it there, or set data\.dir"):
        read_sheet(tmp_path / "a.csv", COLUMNS, 10**9)


def test_a_missing_file_that_dvc_tracks_names_the_command(tmp_path: Path) -> None:
    """After a fresh clone the data has to be pulled first."""
    (tmp_path / "a.csv.dvc").touch()
    with pytest.raises(DataError, match="run dvc pull or dvc checkout"):
        read_sheet(tmp_path / "a.csv", COLUMNS, 10**9)


def test_a_path_through_a_file_is_refused(tmp_path: Path) -> None:
    """The message has the reason of the operating system."""
    (tmp_path / "a").touch()
    with pytest.raises(DataError, match="cannot be read: Not a directory"):
        read_sheet(tmp_path / "a" / "b.csv", COLUMNS, 10**9)


def test_a_file_above_the_size_limit_is_refused(tmp_path: Path) -> None:
    """The message has both sizes and the setting."""
    path = tmp_path / "a.csv"
    path.write_bytes(b"a" * 1001)
    with pytest.raises(DataError) as caught:
        read_sheet(path, COLUMNS, 1000)
    assert str(caught.value) == f"{path}: has 1,001 bytes, data.max_bytes allows 1,000"


def read(folder: Path, content: str | bytes, columns: tuple[str, ...] = COLUMNS) -> Sheet:
    """Write a CSV and read it."""
    path = folder / "a.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_sheet(path, columns, 10**9)


def rows_of(sheet: Sheet) -> list[list[str]]:
    """Return the cells as lists."""
    return sheet.cells.to_numpy().tolist()


def sheet_refusal(folder: Path, content: str | bytes) -> str:
    """Return the message without the path."""
    with pytest.raises(DataError) as caught:
        read(folder, content)
    return str(caught.value).partition(": ")[2]


# Python's writer does not quote a line break in a cell if it ends lines with another one.
DIALECTS = [("\n", csv.QUOTE_ALL), ("\r", csv.QUOTE_ALL), ("\r\n", csv.QUOTE_MINIMAL)]


@SHARED_FOLDER
@given(
    st.lists(st.tuples(CELL, CELL), min_size=1),
    st.sampled_from(DIALECTS),
    st.sampled_from(["utf-8", "utf-8-sig"]),
)
def test_rows_of_any_csv_writer_round_trip(
    tmp_path: Path, rows: list[tuple[str, str]], dialect: tuple[str, Literal[0, 1]], encoding: str
) -> None:
    """Any text, line endings and quoting are read, with and without a byte order mark."""
    end, quoting = dialect
    stream = io.StringIO(newline="")
    csv.writer(stream, lineterminator=end, quoting=quoting).writerows([COLUMNS, *rows])
    sheet = read(tmp_path, stream.getvalue().encode(encoding))
    assert rows_of(sheet) == [[re.sub("\r\n?", "\n", cell) for cell in row] for row in rows]
    assert (sheet.ragged, sheet.broken) == ([], "")


@SHARED_FOLDER
@given(st.lists(st.tuples(CELL, CELL), min_size=1), st.sampled_from(["\n", "\r\n", "\r"]))
def test_lines_are_numbered_as_in_a_text_editor(
    tmp_path: Path, rows: list[tuple[str, str]], end: str
) -> None:
    """The line of a row is one more than the number of line breaks before it."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerow(COLUMNS)
    expected = []
    for row in rows:
        expected.append(1 + len(re.findall("\r\n|\r|\n", stream.getvalue())))
        writer.writerow(row)
    assert read(tmp_path, stream.getvalue()).lines.tolist() == expected


@SHARED_FOLDER
@given(st.binary(max_size=200), st.integers(0, 60), st.integers(0, 5))
def test_damaged_files_raise_no_other_exception(
    tmp_path: Path, noise: bytes, start: int, cut: int
) -> None:
    """A valid file that is damaged anywhere gives rows or a DataError."""
    good = 'sample_id,text\n1,"tea, ""green""\n20 bags"\n2,caf\u00e9\n3,\u2028x\n'.encode()
    with suppress(DataError):
        sheet = read(tmp_path, good[:start] + noise + good[start + cut :])
        assert sheet.total == len(sheet.lines) + len(sheet.ragged)


def test_cells_stay_text(tmp_path: Path) -> None:
    """No cell becomes a missing value, a number or a boolean."""
    words = ["None", "NA", "nan", "null", "007", "1e3", "True", " 1 ", ""]
    content = "sample_id,text\n" + "".join(f"{word},{word}\n" for word in words)
    assert rows_of(read(tmp_path, content)) == [[word, word] for word in words]


def test_columns_may_be_in_any_order(tmp_path: Path) -> None:
    """Columns are found by their names."""
    sheet = read(tmp_path, "text,sample_id\na,1\n")
    assert sheet.cells["sample_id"].tolist() == ["1"]


def test_blank_lines_are_skipped(tmp_path: Path) -> None:
    """They are counted in line numbers."""
    sheet = read(tmp_path, "\nsample_id,text\n\n1,a\n\n\n2,b\n\n")
    assert rows_of(sheet) == [["1", "a"], ["2", "b"]]
    assert sheet.lines.tolist() == [4, 7]


def test_ragged_rows_are_kept_apart(tmp_path: Path) -> None:
    """They do not shift the cells of other rows."""
    sheet = read(tmp_path, "sample_id,text\n1,a\n2\n3,b,c\n4,d\n")
    assert rows_of(sheet) == [["1", "a"], ["4", "d"]]
    assert [(row.line, row.cell, row.sample_id) for row in sheet.ragged] == [
        (3, "1 cells, not 2", "2"),
        (4, "3 cells, not 2", "3"),
    ]
    assert sheet.total == 4


def test_too_many_ragged_rows_end_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file whose rows do not fit its header takes bounded memory."""
    monkeypatch.setattr(module, "MAX_RAGGED_ROWS", 5)
    sheet = read(tmp_path, "sample_id,text\n1,a\n" + "x\n" * 9 + "2,b\n")
    assert (len(sheet.cells), len(sheet.ragged)) == (1, 5)
    assert (
        sheet.broken
        == f"{tmp_path / 'a.csv'}: 5 rows do not fit the header; no row after them was read"
    )


def test_many_rows_keep_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows are collected in batches, and no row is lost between two of them."""
    monkeypatch.setattr(module, "BATCH_ROWS", 3)
    for count in range(1, 8):
        content = "sample_id,text\n" + "".join(f"{row},t\n" for row in range(count))
        sheet = read(tmp_path, content)
        assert sheet.cells["sample_id"].tolist() == [str(row) for row in range(count)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("sample_id\n1\n", "missing columns: 'text'; expected sample_id,text"),
        ("sample_id,text,x\n", "extra columns: 'x'; expected"),
        ("sample_id, text\n", "missing columns: 'text'; extra columns: ' text'"),
        ("Sample_ID,text\n", "missing columns: 'sample_id'; extra columns: 'Sample_ID'"),
        ("sample_id,text,text\n", "repeated columns: 'text'"),
        ("sample_id;text\n1;a\n", "cells seem to be separated by ';': set data.read.separator"),
        ("sample_id\ttext\n1\ta\n", r"cells seem to be separated by '\t': set data.read.separator"),
        ("1,tea\n2,oil\n", "missing columns: 'sample_id', 'text'; extra columns: '1', 'tea'"),
        ("sample_id,text\n", "has a header but no rows"),
        ("sample_id,text\n\n\n", "has a header but no rows"),
        ('"sample_id,text\n1,a\n', "broken quoting at line 2, in the row from line 1: "),
    ],
)
def test_a_wrong_header_is_refused(tmp_path: Path, content: str, message: str) -> None:
    """The message lists every difference of the header with its columns."""
    assert message in sheet_refusal(tmp_path, content)


def test_a_header_of_very_many_columns_gives_a_short_message(tmp_path: Path) -> None:
    """Only the first columns are named, the others are counted."""
    message = sheet_refusal(tmp_path, ",".join(f"{'c' * 500}{n}" for n in range(1000)) + "\n1\n")
    assert len(message) < 1500
    assert "990 more" in message


@pytest.mark.parametrize(
    ("row", "where", "cause"),
    [
        ('2,"a" b\n', "line 3", "a closing quote is followed by more text"),
        ('2,"a \\"b\\" c"\n', "line 3", "a closing quote is followed by more text"),
        ('2,"open\n3,b\n', "line 4, in the row from line 3", "not closed before the file ends"),
        ('2,"open\n3,"b"\n', "line 4, in the row from line 3", "followed by more text"),
    ],
)
def test_broken_quoting_ends_reading_with_its_line(
    tmp_path: Path, row: str, where: str, cause: str
) -> None:
    """The rows before it are kept; the rows after it cannot be trusted."""
    sheet = read(tmp_path, f"sample_id,text\n1,a\n{row}")
    assert rows_of(sheet) == [["1", "a"]]
    assert sheet.broken.startswith(f"{tmp_path / 'a.csv'}: broken quoting at {where}: ")
    assert cause in sheet.broken


def test_a_huge_cell_ends_reading(tmp_path: Path) -> None:
    """A quote that is never closed does not take the memory of a whole file."""
    lines = f"2,{'long text ' * 100}\n" * (CELL_LIMIT // 1000)
    sheet = read(tmp_path, f'sample_id,text\n1,"{lines}')
    assert sheet.broken.startswith(f"{tmp_path / 'a.csv'}: broken quoting at line ")
    assert f"a cell is longer than {CELL_LIMIT:,} characters" in sheet.broken


def test_the_longest_cell_is_read(tmp_path: Path) -> None:
    """The limit itself is allowed, and the csv module's limit is restored afterwards."""
    before = csv.field_size_limit()
    sheet = read(tmp_path, f"sample_id,text\n1,{'a' * CELL_LIMIT}\n")
    assert len(sheet.cells["text"][0]) == CELL_LIMIT
    assert csv.field_size_limit() == before
