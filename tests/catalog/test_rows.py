"""Rows of CSV files, good and bad."""

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amlc.catalog import rows as module
from amlc.catalog.reading import LINE_LIMIT
from amlc.catalog.rows import Row, SeenIds, open_rows
from amlc.errors import DataError

HEADER = "sample_id,catalog_content,image_link\n"
LINK = "https://a.com/1.jpg"


def read(tmp_path: Path, content: str | bytes, *, links: bool = True) -> list[Row]:
    """Return the rows of a file with some content."""
    path = tmp_path / "products.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with open_rows(path, links=links) as (rows, _):
        return list(rows)


def test_a_good_row_has_no_reasons(tmp_path: Path) -> None:
    """Cells are as written, line ends and quotes included."""
    found = read(tmp_path, HEADER + f'7,"Item Name: ""Tea""\nValue: 2",{LINK}\n')
    assert found == [Row("7", 'Item Name: "Tea"\nValue: 2', LINK, ())]


@pytest.mark.parametrize(
    "content",
    [
        f"\ufeff{HEADER}7,Tea,{LINK}\n",
        f"image_link,price,sample_id,catalog_content\n{LINK},3,7,Tea\n",
        f"{HEADER}7,Tea,{LINK}".replace("\n", "\r\n"),
        f"{HEADER}\n\n7,Tea,{LINK}\n\n",
    ],
)
def test_forms_that_mean_the_same(tmp_path: Path, content: str) -> None:
    """A byte order mark, any order of columns, any line ends, blank lines."""
    assert read(tmp_path, content) == [Row("7", "Tea", LINK, ())]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (f",Tea,{LINK}", "no id"),
        (f" 7,Tea,{LINK}", "malformed id"),
        ("7,Tea,", "no image link"),
        ("7,Tea,ftp://a.com/1.jpg", "malformed image link"),
        ("7,Tea", "2 cells, not 3"),
        (f"7,Tea,{LINK},more", "4 cells, not 3"),
        (f'7,"Tea" Time,{LINK}', "broken quoting"),
        (f"7,T\x00ea,{LINK}", "bytes that are no UTF-8 text"),
    ],
)
def test_a_bad_row_stays_with_its_reason(tmp_path: Path, row: str, reason: str) -> None:
    """And the row after it is good."""
    found = read(tmp_path, f"{HEADER}{row}\n8,Oil,{LINK}\n")
    assert reason in found[0].reasons
    assert found[1:] == [Row("8", "Oil", LINK, ())]


def test_a_quote_without_end_costs_one_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows that it seemed to swallow are rows again."""
    monkeypatch.setattr(module, "CELL_LIMIT", 1000)
    good = "".join(f"{number},Tea,{LINK}\n" for number in range(300))
    found = read(tmp_path, f'{HEADER}x,"Tea,{LINK}\n{good}')
    assert found[0].reasons == ("broken quoting", "no image link")
    assert [row.sample_id for row in found[1:]] == [str(number) for number in range(300)]
    assert not any(row.reasons for row in found[1:])


def test_a_quote_open_at_the_end_costs_one_row(tmp_path: Path) -> None:
    """It is found out when the file ends."""
    found = read(tmp_path, f'{HEADER}7,"Tea,{LINK}\n8,Oil,{LINK}\n')
    assert [row.sample_id for row in found] == ["7", "8"]


def test_a_row_of_endless_lines_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No row can fill the memory with cells that are each short enough."""
    monkeypatch.setattr(module, "RECORD_LIMIT", 500)
    cells = ",".join(['"a\nb"'] * 200)
    found = read(tmp_path, f"{HEADER}7,{cells}\n8,Oil,{LINK}\n")
    assert "broken quoting" in found[0].reasons
    assert found[-1].sample_id == "8"


def test_bytes_that_are_no_text_are_replaced(tmp_path: Path) -> None:
    """A letter in Latin-1 costs that letter."""
    found = read(tmp_path, HEADER.encode() + b"7,Caf\xe9," + LINK.encode() + b"\n")
    assert found == [Row("7", "Caf\ufffd", LINK, ("bytes that are no UTF-8 text",))]


def test_a_repeated_id_is_told(tmp_path: Path) -> None:
    """The first one is not to blame."""
    found = read(tmp_path, f"{HEADER}7,Tea,{LINK}\n8,Oil,{LINK}\n7,Jam,{LINK}\n")
    assert [row.reasons for row in found] == [(), (), ("repeated id",)]


def test_links_may_be_left_out(tmp_path: Path) -> None:
    """Whoever prices by text alone needs none."""
    found = read(tmp_path, "sample_id,catalog_content\n7,Tea\n", links=False)
    assert found == [Row("7", "Tea", "", ())]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,b\n1,2\n", "column 'sample_id' is missing; the header has 'a', 'b'"),
        ("sample_id,sample_id,catalog_content,image_link\n", "is there 2 times"),
        ("", "is empty"),
        ("PK\x03\x04", "zip archive"),
        ('{"a": 1}', "is JSON"),
        ("\x00" * 100, "is NUL"),
    ],
)
def test_what_is_no_csv_of_products_is_refused(tmp_path: Path, content: str, message: str) -> None:
    """In one sentence."""
    with pytest.raises(DataError, match=message):
        read(tmp_path, content)


def test_a_file_without_rows_has_none(tmp_path: Path) -> None:
    """A header is a CSV."""
    assert read(tmp_path, HEADER) == []


def test_a_line_without_end_is_refused(tmp_path: Path) -> None:
    """It is not read to its end."""
    with pytest.raises(DataError, match="line 3 has more than 4,194,304 characters"):
        read(tmp_path, f"{HEADER}7,Tea,{LINK}\n" + "x" * (LINE_LIMIT + 1))


@pytest.mark.parametrize("name", ["nothing.csv", "."])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    """No traceback for a slip of the finger."""
    with pytest.raises(DataError, match="cannot be read"), open_rows(tmp_path / name, links=True):
        pass


def test_the_csv_modules_limit_is_given_back(tmp_path: Path) -> None:
    """It belongs to the whole process."""
    before = csv.field_size_limit()
    read(tmp_path, HEADER)
    assert csv.field_size_limit() == before


CELLS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=30
)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(CELLS, CELLS, CELLS), max_size=8))
def test_what_the_csv_module_writes_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, cells: list[tuple[str, str, str]]
) -> None:
    """Whatever the cells hold, each row is one row."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerows([HEADER.strip().split(","), *cells])
    found = read(tmp_path_factory.mktemp("rows"), text.getvalue())
    expected = [cell[1].replace("\r\n", "\n").replace("\r", "\n") for cell in cells]
    assert [row.text for row in found] == expected


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_after_a_header_are_rows_or_one_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    """Nothing else is ever raised."""
    for row in read(tmp_path_factory.mktemp("rows"), HEADER.encode() + content):
        assert isinstance(row, Row)
        row.text.encode()


def test_seen_ids_remember_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those sorted in and those that wait."""
    monkeypatch.setattr(module, "_WAITING", 10)
    seen = SeenIds()
    names = [str(number) for number in range(95)]
    assert not any(seen.repeated(name) for name in names)
    assert all(seen.repeated(name) for name in names)


def test_rows_that_cannot_be_told_apart_end_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every line opens a quote that the next one closes: trying again at each has an end."""
    monkeypatch.setattr(module, "RECORD_LIMIT", 2_000)
    monkeypatch.setattr(module, "REREAD_LIMIT", 20_000)
    with pytest.raises(DataError, match="cannot be told apart"):
        read(tmp_path, HEADER + 'a","\n' * 5_000)
