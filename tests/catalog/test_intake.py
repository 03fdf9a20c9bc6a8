"""Both files are checked together, and on_invalid decides what happens to rows with errors."""

from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amlc.catalog.intake import (
    CheckedCatalogue,
    DataSettings,
    read_catalogue,
    read_test_ids,
)
from amlc.errors import DataError

TRAIN = "sample_id,catalog_content,image_link,price\n"
TEST = "sample_id,catalog_content,image_link\n"
GOOD = "9,oil,https://h/9\n"
FOLDS: dict[str, Any] = {"folds": 2, "placeholder_titles": 5}


def read(
    folder: Path, train: str, test: str = GOOD, on_invalid: Literal["error", "drop"] = "drop"
) -> CheckedCatalogue:
    """Write the rows of both files and read them."""
    (folder / "train.csv").write_text(TRAIN + train, encoding="utf-8", newline="")
    (folder / "test.csv").write_text(TEST + test, encoding="utf-8", newline="")
    return read_catalogue(settings_for(folder, on_invalid))


def settings_for(folder: Path, on_invalid: Literal["error", "drop"] = "drop") -> DataSettings:
    """Return settings for the files of a folder."""
    return DataSettings(
        dir=str(folder), on_invalid=on_invalid, max_text=20, max_bytes=10**6, **FOLDS
    )


def refusal(
    folder: Path, train: str, test: str = GOOD, on_invalid: Literal["error", "drop"] = "drop"
) -> str:
    """Return the message without the path of the folder."""
    with pytest.raises(DataError) as caught:
        read(folder, train, test, on_invalid)
    return str(caught.value).replace(f"{folder}/", "")


def row(sample_id: object, text: str = "tea", link: str = "https://h/a", price: object = 1) -> str:
    """Return a row of train.csv."""
    return f"{sample_id},{text},{link},{price}\n"


def test_valid_files_become_products(tmp_path: Path) -> None:
    """Train rows come first, in the files' order; prices are numbers, texts are as written."""
    catalogue = read(
        tmp_path, row("007", " Tea ") + row("1e3", "Nana", price=" 2.50 "), GOOD, "error"
    )
    assert catalogue.products.to_dict("list") == {
        "sample_id": ["007", "1e3", "9"],
        "catalog_content": [" Tea ", "Nana", "oil"],
        "image_link": ["https://h/a", "https://h/a", "https://h/9"],
        "price": [1.0, 2.5, pytest.approx(np.nan, nan_ok=True)],
        "split": ["train", "train", "test"],
    }
    assert (catalogue.rejected, catalogue.flagged, catalogue.train_total) == ([], [], 2)


def test_white_space_around_a_link_is_left_out(tmp_path: Path) -> None:
    """Rows of one picture keep one link, which the image store and the groups know it by."""
    train = row(1, link="https://h/a") + '2,tea," https://h/a\r\n",1\n'
    products = read(tmp_path, train, "9,oil,https://h/a \n").products
    assert products["image_link"].tolist() == ["https://h/a"] * 3


def test_the_order_of_columns_makes_no_difference(tmp_path: Path) -> None:
    """The columns of the product table always have the same order."""
    expected = read(tmp_path, row(1)).products
    header = "price,image_link,sample_id,catalog_content\n"
    (tmp_path / "train.csv").write_text(header + "1,https://h/a,1,tea\n")
    settings = DataSettings(
        dir=str(tmp_path), on_invalid="error", max_text=9, max_bytes=999, **FOLDS
    )
    pd.testing.assert_frame_equal(read_catalogue(settings).products, expected)


def test_on_error_every_error_of_both_files_is_reported(tmp_path: Path) -> None:
    """One run shows everything that has to be corrected."""
    train = row(1, price="$5") + row(1) + row(2, "", "nan") + row(9) + "4,a\n"
    message = refusal(tmp_path, train, "8,,\n9,oil,file:///x\n", "error")
    rows = (
        "the catalogue cannot be used:\n"
        """\
  train.csv: row: another number of cells than the header, in 1 of 5 rows: line 6 \
('2 cells, not 4'): quote cells that hold a comma
  train.csv: sample_id: the id of an earlier row, in 1 of 5 rows: line 3 ('1'): \
give each row its own id
  train.csv: sample_id: an id that test.csv has too, in 1 of 5 rows: line 5 ('9'): \
remove the row from one of the files
  train.csv: catalog_content: neither text nor link, in 1 of 5 rows: line 4 (''): \
describe the product, or give its image's link
  train.csv: price: a price that is not a number, in 1 of 5 rows: line 2 ('$5'): \
write a plain decimal such as 12.50, or describe the format in data.read
  test.csv: catalog_content: neither text nor link, in 1 of 2 rows: line 2 (''): \
describe the product, or give its image's link
  test.csv: image_link: malformed link, in 1 of 2 rows: line 3 ('file:///x'): \
write http(s)://HOST/... without user name, backslash and line break, in at most 2,048 characters"""
    )
    assert message.splitlines()[:-1] == rows.splitlines()
    assert "set data.on_invalid to drop" in message.splitlines()[-1]


def test_the_message_stays_short_for_many_errors(tmp_path: Path) -> None:
    """A file with an error in every row gives a message that fits on a screen."""
    train = "".join(row(n, "x" * 1000, "y" * 1000, "z" * 1000) for n in range(300))
    message = refusal(tmp_path, train, on_invalid="error")
    assert "295 more" in message
    assert len(message) < 3000


def test_drop_leaves_train_rows_with_errors_out(tmp_path: Path) -> None:
    """The others stay in order; a row with two errors is one row with two reasons."""
    train = row(1) + row(2, price="x", link="y") + "3,tea\n" + row(4, "x" * 21) + row(5, "x" * 20)
    catalogue = read(tmp_path, train)
    assert catalogue.products["sample_id"].tolist() == ["1", "5", "9"]
    assert [(error.line, error.reason) for error in catalogue.rejected] == [
        (3, "link_malformed"),
        (3, "price_not_number"),
        (4, "cells"),
        (5, "text_long"),
    ]
    assert catalogue.train_total == 5


def test_drop_keeps_the_first_row_of_an_id(tmp_path: Path) -> None:
    """The later rows are left out, as by pandas' drop_duplicates."""
    catalogue = read(tmp_path, row(1, price=3) + row(2) + row(1, price=4))
    assert catalogue.products["price"].tolist()[:2] == [3, 1]


def test_drop_leaves_out_train_rows_that_are_test_rows(tmp_path: Path) -> None:
    """No model may be trained on the price of a test row."""
    catalogue = read(tmp_path, row(1) + row(9))
    assert catalogue.products["sample_id"].tolist() == ["1", "9"]
    assert [error.reason for error in catalogue.rejected] == ["id_in_test"]


def test_drop_keeps_every_test_row(tmp_path: Path) -> None:
    """A text may be cut and a malformed link left empty; everything else is as written."""
    test = (
        f"a, ,https://h/a\nb,{'x' * 21},https://h/b\nc,tea,\nd,oil,ftp://h/d\ne,rye,https://h/e\n"
        "f,nan,NaT\n"
    )
    catalogue = read(tmp_path, row(1), test)
    rows = catalogue.products[catalogue.products["split"] == "test"]
    assert rows["sample_id"].tolist() == list("abcdef")
    assert rows["catalog_content"].tolist() == ["", "x" * 20, "tea", "oil", "rye", ""]
    links = ["https://h/a", "https://h/b", "", "", "https://h/e", ""]
    assert rows["image_link"].tolist() == links
    assert [(error.line, error.reason) for error in catalogue.flagged] == [
        (3, "text_long"),
        (5, "link_malformed"),
        (7, "text_and_link_missing"),
    ]


@pytest.mark.parametrize("on_invalid", ["error", "drop"])
@pytest.mark.parametrize(
    ("test", "error"),
    [
        ("8,a,https://h/a\n8,b,https://h/b\n", "the id of an earlier row, in 1 of 2 rows: line 3"),
        (",a,https://h/a\n", "no id, in 1 of 1 rows: line 2"),
        ("8 ,a,https://h/a\n", "white space around the id"),
        ("8,a\n", "another number of cells than the header"),
    ],
)
def test_test_rows_that_no_submission_can_name_always_stop(
    tmp_path: Path, test: str, error: str, on_invalid: Literal["error", "drop"]
) -> None:
    """A submission names each test row once, so drop does not help."""
    message = refusal(tmp_path, row(1), test, on_invalid)
    assert f"test.csv: {'row' if 'cells' in error else 'sample_id'}: {error}" in message
    assert "drop does not help" in message


def test_broken_quoting_always_stops_with_the_errors_before_it(tmp_path: Path) -> None:
    """The rows after it are not known, so they cannot be dropped."""
    message = refusal(tmp_path, row(1, price="x") + '2,"a"b,https://h/a,1\n')
    assert "train.csv: broken quoting at line 3" in message
    assert "train.csv: price: a price that is not a number" in message
    assert "drop does not help" in message


def test_an_unusable_file_does_not_hide_the_errors_of_the_other(tmp_path: Path) -> None:
    """The errors of test.csv are reported although train.csv is missing."""
    read(tmp_path, row(1))
    (tmp_path / "train.csv").unlink()
    (tmp_path / "test.csv").write_text(TEST + "8,,\n")
    settings = DataSettings(
        dir=str(tmp_path), on_invalid="drop", max_text=9, max_bytes=999, **FOLDS
    )
    with pytest.raises(
        DataError, match=r"(?s)train\.csv: no such file.*test\.csv: .*neither text nor link"
    ):
        read_catalogue(settings)


def test_test_rows_may_have_prices(tmp_path: Path) -> None:
    """The prices are read, and the rows stay test rows."""
    (tmp_path / "train.csv").write_text(TRAIN + row(1))
    (tmp_path / "test.csv").write_text(TRAIN + row(2, price="7.5"))
    settings = DataSettings(
        dir=str(tmp_path), on_invalid="error", max_text=99, max_bytes=999, **FOLDS
    )
    products = read_catalogue(settings).products
    assert products["split"].tolist() == ["train", "test"]
    assert products["price"].iloc[1] == 7.5


def test_an_invalid_test_price_is_flagged_and_left_out(tmp_path: Path) -> None:
    """The row itself stays, as every test row does."""
    (tmp_path / "train.csv").write_text(TRAIN + row(1))
    (tmp_path / "test.csv").write_text(TRAIN + row(2, price="$7") + row(3, price="0"))
    settings = DataSettings(
        dir=str(tmp_path), on_invalid="drop", max_text=99, max_bytes=999, **FOLDS
    )
    catalogue = read_catalogue(settings)
    assert catalogue.products["price"].isna().tolist() == [False, True, True]
    assert [error.reason for error in catalogue.flagged] == [
        "price_not_number",
        "price_not_positive",
    ]


def test_a_catalogue_without_valid_train_rows_is_refused(tmp_path: Path) -> None:
    """The message has the reason of every row."""
    message = refusal(tmp_path, row(1, price="$1") + row(2, price="$2"))
    assert "train.csv: no row is left" in message
    assert "a price that is not a number, in 2 of 2 rows" in message


WORD = st.sampled_from(["", "nan", "NaN", "None", "NULL", "N/A", "NA", "<NA>", "NaT", "#N/A", " "])


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(WORD, WORD)
def test_a_word_for_a_missing_value_is_a_missing_value(
    tmp_path: Path, word: str, other: str
) -> None:
    """A text, a link or a price may be missing; a train row without a price becomes a test row."""
    train = row(1, word) + row(2, link=other) + row(3, price=word) + row(word) + row(4, word, other)
    catalogue = read(tmp_path, train, f"8,{word},https://h/8\n9,oil,{other}\n")
    assert catalogue.products["sample_id"].tolist() == ["1", "2", "8", "9", "3"]
    assert catalogue.products["split"].tolist() == ["train"] * 2 + ["test"] * 3
    assert catalogue.products["catalog_content"].tolist() == ["", "tea", "", "oil", "tea"]
    assert catalogue.products["image_link"].tolist()[1:4] == ["", "https://h/8", ""]
    assert [error.reason for error in catalogue.rejected] == [
        "id_missing",
        "text_and_link_missing",
    ]
    assert not catalogue.flagged


def test_rows_without_text_or_link_are_products_on_error_too(tmp_path: Path) -> None:
    """Missing values are values: nothing has to be corrected or dropped."""
    catalogue = read(tmp_path, row(1, link="") + row(2, ""), "8,,https://h/8\n9,oil,\n", "error")
    assert (catalogue.rejected, catalogue.flagged) == ([], [])
    assert len(catalogue.products) == 4


CELL = st.sampled_from(["", " ", "1", "2", "9", "x", "https://h/1", "-1", "1.5", "y" * 21, "n\n"])


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(CELL, min_size=3, max_size=5), min_size=1, max_size=8))
def test_every_train_row_is_kept_or_rejected(tmp_path: Path, rows: list[list[str]]) -> None:
    """Each train row is a product, with or without a price, or in the list of errors."""
    content = "".join(",".join(f'"{cell}"' for cell in cells) + "\n" for cells in rows)
    try:
        catalogue = read(tmp_path, row("first") + content)
    except DataError as error:
        pytest.fail(f"the first row is valid, so nothing stops: {error}")
    kept = catalogue.products[catalogue.products["split"] == "train"]
    unpriced = len(catalogue.products) - len(kept) - catalogue.test_total
    rejected = {error.line for error in catalogue.rejected}
    assert len(kept) + unpriced + len(rejected) == catalogue.train_total == 1 + len(rows)
    assert kept["sample_id"].is_unique
    assert (kept["price"] > 0).all()


def test_test_ids_are_read_as_written(tmp_path: Path) -> None:
    """They keep the file's order and their leading zeros."""
    read(tmp_path, row(1), "007,a,https://h/a\n1e3,b,https://h/b\n")
    assert read_test_ids(settings_for(tmp_path)) == ["007", "1e3"]


@pytest.mark.parametrize("line", ["8\n", '8,"a"b,https://h/a\n'])
def test_test_ids_of_a_changed_file_are_refused(tmp_path: Path, line: str) -> None:
    """A row that cannot be read is an error; it is not skipped."""
    path = tmp_path / "test.csv"
    path.write_text(TEST + GOOD + line)
    with pytest.raises(DataError, match="changed since it was checked; run the stage prepare"):
        read_test_ids(settings_for(tmp_path))


@pytest.mark.slow
def test_a_large_file_is_read_with_the_right_lines(tmp_path: Path) -> None:
    """The one row with an error among 30,000 rows of several lines is named by its line."""
    text = '"Item Name: tea\nBullet Point 1: green\nValue: 1"'
    rows = [row(n, text) for n in range(30_000)]
    rows[25_000] = row(25_000, text, price="free")
    message = refusal_of_large(tmp_path, "".join(rows))
    assert f"in 1 of 30,000 rows: line {2 + 3 * 25_000} ('free')" in message


def refusal_of_large(folder: Path, train: str) -> str:
    """Return the message for a file above the size limit of the other tests."""
    (folder / "train.csv").write_text(TRAIN + train)
    (folder / "test.csv").write_text(TEST + GOOD.replace("9,", "test,"))
    settings = DataSettings(
        dir=str(folder), on_invalid="error", max_text=99, max_bytes=10**8, **FOLDS
    )
    with pytest.raises(DataError) as caught:
        read_catalogue(settings)
    return str(caught.value)
