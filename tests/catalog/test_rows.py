"""Products of CSV files: valid rows, rows with errors, and files that are refused."""

import csv
import io
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amlc.catalog import reading
from amlc.catalog.content import parse_content
from amlc.catalog.reading import CELL_LIMIT, LINE_LIMIT
from amlc.catalog.rows import Row, open_rows, read_rows
from amlc.errors import DataError
from tests.helpers.layouts import (
    arrow,
    delimited,
    gzipped,
    json_lines,
    map_with,
    parquet,
)
from tests.helpers.layouts import (
    reading as read_settings,
)

HEADER = "sample_id,catalog_content,image_link\n"
LINK = "https://a.com/1.jpg"


def read(tmp_path: Path, content: str | bytes, *, links: bool = True) -> list[Row]:
    """Return the rows of a file with this content."""
    path = tmp_path / "products.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with open_rows(path, links=links) as (product_rows, _):
        return list(product_rows)


def test_a_valid_row_has_no_reasons(tmp_path: Path) -> None:
    """Its cells are as written, with line breaks and quotes."""
    products = read(tmp_path, HEADER + f'7,"Item Name: ""Tea""\nValue: 2",{LINK}\n')
    assert products == [Row("7", 'Item Name: "Tea"\nValue: 2', LINK, ())]


@pytest.mark.parametrize(
    "content",
    [
        f"\ufeff{HEADER}7,Tea,{LINK}\n",
        f"image_link,price,sample_id,catalog_content\n{LINK},3,7,Tea\n",
        f"{HEADER}7,Tea,{LINK}".replace("\n", "\r\n"),
        f"{HEADER}\n\n7,Tea,{LINK}\n\n",
        f'{HEADER}7,Tea," {LINK}\n"\n',
    ],
)
def test_equivalent_files_have_the_same_rows(tmp_path: Path, content: str) -> None:
    """A byte order mark, the order of columns, line endings and blanks do not matter."""
    assert read(tmp_path, content) == [Row("7", "Tea", LINK, ())]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (f",Tea,{LINK}", "no id"),
        (f" 7,Tea,{LINK}", "malformed id"),
        ("7,Tea,", "no image link"),
        ("7,Tea,nan", "no image link"),
        (f"None,Tea,{LINK}", "no id"),
        ("7,Tea,ftp://a.com/1.jpg", "malformed image link"),
        ("7,Tea", "2 cells, not 3"),
        (f"7,Tea,{LINK},more", "4 cells, not 3"),
        (f'7,"Tea" Time,{LINK}', "broken quoting"),
        (f"7,T\x00ea,{LINK}", "bytes that are not UTF-8 text"),
    ],
)
def test_a_row_with_an_error_stays_with_its_reason(tmp_path: Path, row: str, reason: str) -> None:
    """The row after it is not affected."""
    products = read(tmp_path, f"{HEADER}{row}\n8,Oil,{LINK}\n")
    assert reason in products[0].reasons
    assert products[1:] == [Row("8", "Oil", LINK, ())]


def test_a_word_for_a_missing_link_is_no_link(tmp_path: Path) -> None:
    """No picture is looked for, and no row with such an id counts as repeated."""
    first, second = read(tmp_path, f"{HEADER}nan,Tea,NULL\nnan,Oil,#N/A\n")
    assert (first.link, second.link) == ("", "")
    assert first.reasons == second.reasons == ("no id", "no image link")


def test_a_quote_that_is_not_closed_spoils_one_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows after it, which seemed to be part of its cell, are read as rows."""
    monkeypatch.setattr(reading, "CELL_LIMIT", 1000)
    good = "".join(f"{number},Tea,{LINK}\n" for number in range(300))
    products = read(tmp_path, f'{HEADER}x,"Tea,{LINK}\n{good}')
    assert products[0].reasons == ("broken quoting", "no image link")
    assert [row.sample_id for row in products[1:]] == [str(number) for number in range(300)]
    assert not any(row.reasons for row in products[1:])


def test_a_quote_open_at_the_end_of_the_file_spoils_one_row(tmp_path: Path) -> None:
    """The error shows only when the file ends."""
    products = read(tmp_path, f'{HEADER}7,"Tea,{LINK}\n8,Oil,{LINK}\n')
    assert [row.sample_id for row in products] == ["7", "8"]


def test_a_row_of_too_many_lines_ends_with_its_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No row can fill the memory with many short cells."""
    monkeypatch.setattr(reading, "RECORD_LIMIT", 500)
    cells = ",".join(['"a\nb"'] * 200)
    products = read(tmp_path, f"{HEADER}7,{cells}\n8,Oil,{LINK}\n")
    assert "broken quoting" in products[0].reasons
    assert products[-1].sample_id == "8"


def test_bytes_that_are_not_text_are_replaced(tmp_path: Path) -> None:
    """A letter in Latin-1 is replaced, and the rest of the row is read."""
    products = read(tmp_path, HEADER.encode() + b"7,Caf\xe9," + LINK.encode() + b"\n")
    assert products == [Row("7", "Caf\ufffd", LINK, ("bytes that are not UTF-8 text",))]


def test_a_repeated_id_is_reported(tmp_path: Path) -> None:
    """Its first row has no error."""
    products = read(tmp_path, f"{HEADER}7,Tea,{LINK}\n8,Oil,{LINK}\n7,Jam,{LINK}\n")
    assert [row.reasons for row in products] == [(), (), ("repeated id",)]


def test_the_column_of_links_may_be_missing(tmp_path: Path) -> None:
    """Predictions from the text alone need no links."""
    products = read(tmp_path, "sample_id,catalog_content\n7,Tea\n", links=False)
    assert products == [Row("7", "Tea", "", ())]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,b\n1,2\n", "column 'sample_id' is missing; the header has 'a', 'b'"),
        ("sample_id,sample_id,catalog_content,image_link\n", "is there 2 times"),
        ("", "is empty"),
        ("PK\x03\x04", "cannot be decompressed"),
        ('{"a": 1}', "column 'sample_id' is missing; the header has 'a'"),
        ("\x00" * 100, "is NUL"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: str, message: str) -> None:
    """A wrong header, an empty file and other formats are each named in one sentence."""
    with pytest.raises(DataError, match=message):
        read(tmp_path, content)


def test_a_header_alone_has_no_rows(tmp_path: Path) -> None:
    """A file with a header only is accepted."""
    assert read(tmp_path, HEADER) == []


def test_an_endless_line_is_refused(tmp_path: Path) -> None:
    """It is not read to its end."""
    with pytest.raises(DataError, match="line 3 is longer than 4,194,304 bytes"):
        read(tmp_path, f"{HEADER}7,Tea,{LINK}\n" + "x" * (LINE_LIMIT + 1))


@pytest.mark.parametrize("name", ["nothing.csv", "."])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    """A wrong path gives an error message, not a traceback."""
    with pytest.raises(DataError, match="cannot be read"), open_rows(tmp_path / name, links=True):
        pass


@pytest.mark.parametrize("name", ["products.csv", "nothing.csv"])
def test_the_csv_limit_is_restored(tmp_path: Path, name: str) -> None:
    """It holds for the whole process; a file that cannot be opened leaves it alone, too."""
    before = csv.field_size_limit()
    (tmp_path / "products.csv").write_text(HEADER)
    with suppress(DataError), open_rows(tmp_path / name, links=True):
        assert csv.field_size_limit() == CELL_LIMIT
    assert csv.field_size_limit() == before


CELLS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=30
)


@settings(max_examples=50)
@given(st.lists(st.tuples(CELLS, CELLS, CELLS), max_size=8))
def test_rows_of_the_csv_module_round_trip(
    tmp_path_factory: pytest.TempPathFactory, cells: list[tuple[str, str, str]]
) -> None:
    """Each row is read as one row, whatever its cells hold."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerows([HEADER.strip().split(","), *cells])
    products = read(tmp_path_factory.mktemp("rows"), text.getvalue())
    expected = [cell[1].replace("\r\n", "\n").replace("\r", "\n") for cell in cells]
    assert [row.text for row in products] == expected


@settings(max_examples=100)
@given(st.binary(max_size=200))
def test_any_bytes_after_a_header_give_rows_or_a_data_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    """No other exception is raised, and the texts can be encoded."""
    for row in read(tmp_path_factory.mktemp("rows"), HEADER.encode() + content):
        assert isinstance(row, Row)
        row.text.encode()


def test_every_repeated_id_is_reported(tmp_path: Path) -> None:
    """All ids so far are known, however many there are."""
    lines = "".join(f"{number},Tea,{LINK}\n" for number in range(95))
    products = read(tmp_path, HEADER + lines + lines)
    assert not any(row.reasons for row in products[:95])
    assert [row.reasons for row in products[95:]] == [("repeated id",)] * 95


def test_too_many_broken_quotes_end_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where every line opens a quote that the next one closes, rereading is bounded."""
    monkeypatch.setattr(reading, "RECORD_LIMIT", 2_000)
    monkeypatch.setattr(reading, "REREAD_LIMIT", 20_000)
    with pytest.raises(DataError, match="in too many rows to tell the rows apart"):
        read(tmp_path, HEADER + 'a","\n' * 5_000)


def mapped(
    folder: Path, content: bytes, columns: dict[str, Any], read: dict[str, Any] | None = None
) -> list[Row]:
    """Write a file of another layout and read it."""
    path = folder / "products"
    path.write_bytes(content)
    with open_rows(
        path,
        links=True,
        columns=map_with({"image": None, **columns}),
        read=read_settings(read or {}),
    ) as (rows, _):
        return list(rows)


def test_a_row_of_another_layout_keeps_its_cells(tmp_path: Path) -> None:
    """Its text is laid out, its own columns are named as in the product table."""
    columns = {"id": None, "text": ["name", "brand"], "categories": ["brand"]}
    (row,) = mapped(tmp_path, b"stock,brand,name\n3,Yogi,Tea\n", columns)
    assert row.sample_id == "1"
    assert parse_content(row.text).title == "Tea"
    assert (row.own, row.cells) == ((("category:brand", "Yogi"),), ("3", "Yogi", "Tea"))


def test_every_format_is_read_row_by_row(tmp_path: Path) -> None:
    """As the pipeline reads it."""
    columns = {"id": "id", "text": "name"}
    rows = [{"id": str(number), "name": f"Tea {number}"} for number in range(3)]
    expected = mapped(tmp_path, delimited(rows), columns)
    for content in (parquet(rows), arrow(rows), json_lines(rows), gzipped(delimited(rows))):
        assert mapped(tmp_path, content, columns) == expected


def test_a_further_row_takes_what_it_lacks_from_its_product(tmp_path: Path) -> None:
    """Each row has a price of its own, so none is left out."""
    columns = {"id": "ID", "text": ["Name"], "product": ["Parent", "SKU"]}
    content = b"ID,SKU,Parent,Name\n1,S,,Tea\n2,,S,\n3,,id:1,Tea 40\n4,,,Oil\n5,,S,\n"
    rows = mapped(tmp_path, content, columns)
    titles = [parse_content(row.text).title for row in rows]
    assert titles == ["Tea", "Tea", "Tea 40", "Oil", "Tea"]
    assert [row.sample_id for row in rows] == ["1", "2", "3", "4", "5"]
    further = ("a further picture, priced as its product",)
    assert [row.reasons for row in rows] == [(), further, (), (), further]


def test_a_row_whose_product_is_not_above_it_says_so(tmp_path: Path) -> None:
    """It is priced by its own cells."""
    columns = {"id": "ID", "text": ["Name"], "product": ["Parent", "SKU"]}
    (row,) = mapped(tmp_path, b"ID,SKU,Parent,Name\n2,,S,Tea M\n", columns)
    assert parse_content(row.text).title == "Tea M"
    assert row.reasons == ("its product is not above it",)


def test_a_number_that_cannot_be_read_is_a_reason(tmp_path: Path) -> None:
    """The row is priced as if it were missing."""
    columns = {"id": None, "text": ["name"], "numbers": ["weight"], "dates": ["day"]}
    content = b"name,weight,day\nTea,heavy,soon\nOil,,\n"
    first, second = mapped(tmp_path, content, columns)
    assert first.reasons == ("weight: not readable", "day: not readable")
    assert second.reasons == ()


@pytest.mark.parametrize("content", [gzipped(b"sample_id,catalog_content\n1,Tea\n"), parquet([{}])])
def test_a_service_takes_nothing_but_csv(content: bytes) -> None:
    """A file that expands is refused by its first bytes."""
    with (
        pytest.raises(DataError, match=r"not a CSV file|is NUL"),
        read_rows(io.BytesIO(content), "file", links=False, strict=True, csv_only=True),
    ):
        pass
