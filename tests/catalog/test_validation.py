"""The rules for ids, texts, links and prices, and the errors of rows."""

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from amlc.catalog import validation
from amlc.catalog.products import TRAIN_COLUMNS
from amlc.catalog.sheet import RowError, Sheet, read_sheet
from amlc.catalog.validation import REASONS
from amlc.errors import DataError

LINK = "https://h/a.jpg"


def sheet(folder: Path, rows: str) -> Sheet:
    """Write rows of a train.csv and read them."""
    path = folder / "train.csv"
    path.write_text("sample_id,catalog_content,image_link,price\n" + rows, encoding="utf-8")
    return read_sheet(path, TRAIN_COLUMNS, 10**6)


def row_errors(folder: Path, rows: str) -> list[tuple[int, str, str, str]]:
    """Return line, id, column and reason of each error."""
    errors = validation.find_row_errors(sheet(folder, rows), 10)
    return [(error.line, error.sample_id, error.column, error.reason) for error in errors]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("12.5", ""),
        (" 12.5 ", ""),
        ("1e3", ""),
        ("1E-3", ""),
        ("+5", ""),
        (".5", ""),
        ("5.", ""),
        ("007", ""),
        ("", "price_missing"),
        (" ", "price_missing"),
        ("$12", "price_not_number"),
        ("12,50", "price_not_number"),
        ("1,200.00", "price_not_number"),
        ("1_000", "price_not_number"),
        ("0x10", "price_not_number"),
        ("١٢", "price_not_number"),
        ("1 2", "price_not_number"),
        ("None", "price_missing"),
        (".", "price_not_number"),
        ("e5", "price_not_number"),
        ("1" * 65, "price_not_number"),
        ("nan", "price_missing"),
        (" N/A ", "price_missing"),
        ("-NaN", "price_not_finite"),
        ("inf", "price_not_finite"),
        ("Infinity", "price_not_finite"),
        ("1e999", "price_not_finite"),
        ("0", "price_not_positive"),
        ("-0.0", "price_not_positive"),
        ("-5", "price_not_positive"),
        ("1e-999", "price_not_positive"),
        ("1e-250", "price_out_of_range"),
        ("1.1e12", "price_out_of_range"),
    ],
)
def test_price_error(text: str, reason: str) -> None:
    """A plain decimal above 0 is a price, and nothing else is."""
    assert validation.price_error(text) == reason


@given(st.one_of(st.text(), st.text("0123456789.eE+-_ naif,", max_size=12)))
@example("9" * 100_000)
@example("1\x1f")
def test_an_accepted_price_is_a_positive_number(text: str) -> None:
    """No text raises, and what passes is a number that Python reads as well."""
    reason = validation.price_error(text)
    assert reason == "" or reason in REASONS
    if not reason:
        assert validation.MIN_PRICE <= float(text) <= validation.MAX_PRICE


@given(st.floats(validation.MIN_PRICE, validation.MAX_PRICE))
def test_a_price_that_python_writes_is_accepted(price: float) -> None:
    """Every float within the range that Python or pandas has written is a valid price."""
    assert validation.price_error(repr(price)) == ""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("007", ""),
        ("Nana", ""),
        ("a b", ""),
        ("é-1", ""),
        ("x" * 200, ""),
        ("", "id_missing"),
        (" \n", "id_missing"),
        ("None", "id_missing"),
        ("nan", "id_missing"),
        (" 7", "id_malformed"),
        ("7\u00a0", "id_malformed"),
        ("7\n8", "id_malformed"),
        ("7\x1b[31m", "id_malformed"),
        ("x" * 201, "id_malformed"),
    ],
)
def test_id_error(text: str, reason: str) -> None:
    """An id is any printable text of bounded length without white space around it."""
    assert validation.id_error(text) == reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [("a", ""), ("None", ""), ("x" * 5, ""), (" \n\t", ""), ("x" * 6, "text_long")],
)
def test_text_error(text: str, reason: str) -> None:
    """A text may be missing, but not be longer than allowed."""
    assert validation.text_error(text, 5) == reason


@pytest.mark.parametrize(
    ("text", "reason"), [(LINK, ""), ("", ""), ("nan", ""), ("a.jpg", "link_malformed")]
)
def test_link_error(text: str, reason: str) -> None:
    """A link may be missing, but not be malformed."""
    assert validation.link_error(text) == reason


def test_valid_rows_have_no_errors(tmp_path: Path) -> None:
    """A sheet of valid rows gives an empty list."""
    assert row_errors(tmp_path, f"1,a,{LINK},1\n2,a,{LINK},2\n") == []


def test_all_errors_are_listed_in_the_order_of_the_rows(tmp_path: Path) -> None:
    """Each error has the line that a text editor shows."""
    rows = f'1,"a\nb",{LINK},1\n2,,ftp://h,x\n\n3,c\n1,d,{LINK},0\n,long long text,,\n4,NULL,,NA\n'
    assert row_errors(tmp_path, rows) == [
        (4, "2", "image_link", "link_malformed"),
        (4, "2", "price", "price_not_number"),
        (6, "3", "row", "cells"),
        (7, "1", "sample_id", "id_duplicate"),
        (7, "1", "price", "price_not_positive"),
        (8, "", "sample_id", "id_missing"),
        (8, "", "catalog_content", "text_long"),
        (8, "", "price", "price_missing"),
        (9, "4", "catalog_content", "text_and_link_missing"),
        (9, "4", "price", "price_missing"),
    ]


def test_only_the_later_rows_of_an_id_are_duplicates(tmp_path: Path) -> None:
    """The first row of an id is valid; ids are compared as text."""
    rows = "".join(f"{sample_id},a,{LINK},1\n" for sample_id in ("7", "07", "7", "7"))
    assert [error[0] for error in row_errors(tmp_path, rows)] == [4, 5]


def test_missing_ids_are_not_duplicates_of_each_other(tmp_path: Path) -> None:
    """A row without an id has that error only."""
    rows = f",a,{LINK},1\n,b,{LINK},1\nnan,c,{LINK},1\nnan,d,{LINK},1\n"
    assert [error[3] for error in row_errors(tmp_path, rows)] == ["id_missing"] * 4


def test_rows_without_text_or_link_are_no_errors(tmp_path: Path) -> None:
    """One of the two says enough; a row that has neither is an error."""
    assert row_errors(tmp_path, f"1,a,,1\n2,,{LINK},2\n3,a,nan,1\n4,None,{LINK},2\n") == []
    errors = row_errors(tmp_path, "1,,,1\n2,nan,NULL,1\n")
    assert [error[3] for error in errors] == ["text_and_link_missing"] * 2


def test_too_many_errors_stop_with_the_first_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is not a catalogue takes bounded memory, whatever its size."""
    monkeypatch.setattr(validation, "MAX_ROW_ERRORS", 5)
    assert len(row_errors(tmp_path, "".join(f"{n},,,1\n" for n in range(5)))) == 5
    with pytest.raises(
        DataError, match=r"(?s)train\.csv: more than 5 errors.*text nor link.*line 2"
    ):
        row_errors(tmp_path, "".join(f"{n},,,1\n" for n in range(9)))


def test_the_cell_of_an_error_is_cut(tmp_path: Path) -> None:
    """An error keeps only the start of a large cell."""
    errors = validation.find_row_errors(sheet(tmp_path, f"1,{'x' * 5000},{LINK},1\n"), 10)
    assert [error.cell for error in errors] == ["x" * 80]


def test_a_description_has_file_column_count_rows_and_remedy() -> None:
    """Each reason has one line, which names the first rows and counts the others."""
    errors = [RowError(n, n + 2, str(n), "price", "price_not_number", f"${n}") for n in range(7)]
    (line,) = validation.describe_errors(Path("d/train.csv"), errors, 7000)
    assert line == (
        "d/train.csv: price: a price that is not a number, in 7 of 7,000 rows: line 2 ('$0'), "
        "line 3 ('$1'), line 4 ('$2'), line 5 ('$3'), line 6 ('$4') and 2 more: "
        "write a plain decimal such as 12.50, or describe the format in data.read"
    )


def test_a_description_escapes_control_characters() -> None:
    """The content of a file must not control the reader's terminal."""
    error = RowError(0, 2, "1", "price", "price_not_number", "\x1b[2J\n")
    (line,) = validation.describe_errors(Path("t.csv"), [error], 1)
    assert line.isprintable()


def test_descriptions_have_a_fixed_order() -> None:
    """The reasons are listed in the order of `REASONS`, so that two runs can be compared."""
    errors = [RowError(0, 2, "1", "x", reason, "") for reason in reversed(REASONS)]
    lines = validation.describe_errors(Path("t.csv"), errors, 1)
    assert [what in line for (what, _), line in zip(REASONS.values(), lines, strict=True)] == [
        True
    ] * len(REASONS)
