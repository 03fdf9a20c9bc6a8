"""The product table is read as it was written, or refused."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from amlc.catalog.products import (
    iter_products,
    iter_texts,
    read_links,
    read_products,
    train_rows,
    write_products,
)
from amlc.catalog.products import (
    test_rows as rows_of_test,
)
from amlc.errors import DataError
from amlc.files import write_frame


def products() -> pd.DataFrame:
    """Return two train rows and a test row, with texts that parsers tend to change."""
    return pd.DataFrame(
        {
            "sample_id": ["007", "None", "é"],
            "split": ["train", "train", "test"],
            "catalog_content": ["Value: None\n", "nan", ""],
            "image_link": ["https://h/a", "https://h/b", ""],
            "price": [1.5, 2.0, np.nan],
            "group": np.array([0, 1, 0], dtype=np.int32),
            "fold": np.array([0, 1, -1], dtype=np.int8),
        }
    )


def test_products_round_trip(tmp_path: Path) -> None:
    """Texts stay text, unknown test prices stay NaN, and types stay the same."""
    path = tmp_path / "data" / "products.parquet"
    write_products(path, products())
    pd.testing.assert_frame_equal(read_products(path), products(), check_dtype=True)


def test_the_same_products_give_the_same_bytes(tmp_path: Path) -> None:
    """A rerun does not change the hash of the file."""
    for name in ("a", "b"):
        write_products(tmp_path / name, products())
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_the_price_of_a_test_row_is_null_in_the_file(tmp_path: Path) -> None:
    """Readers other than pandas see a missing price, not a number."""
    write_products(tmp_path / "a", products())
    read = pq.read_table(tmp_path / "a")
    assert read["price"].to_pylist() == [1.5, 2.0, None]


def test_some_columns_can_be_read(tmp_path: Path) -> None:
    """The table has only the named columns."""
    write_products(tmp_path / "a", products())
    read = read_products(tmp_path / "a", ["price", "sample_id"])
    assert set(read.columns) == {"price", "sample_id"}


def test_columns_can_be_left_out(tmp_path: Path) -> None:
    """All others are read."""
    write_products(tmp_path / "a", products())
    read = read_products(tmp_path / "a", without=["catalog_content"])
    pd.testing.assert_frame_equal(read, products().drop(columns="catalog_content"))


@pytest.mark.parametrize("group_rows", [1, 2, 3])
def test_row_groups_make_up_the_table(group_rows: int, tmp_path: Path) -> None:
    """Whatever their size, their rows are those of the table, in its order."""
    path = tmp_path / "a"
    write_products(path, products(), group_rows)
    parts = list(iter_products(path))
    assert [len(part) for part in parts] == {1: [1, 1, 1], 2: [2, 1], 3: [3]}[group_rows]
    pd.testing.assert_frame_equal(pd.concat(parts, ignore_index=True), products())
    pd.testing.assert_frame_equal(read_products(path), products())
    assert list(iter_texts(path)) == ["Value: None\n", "nan", ""]
    assert read_links(path) == [("https://h/a",), ("https://h/b",), ("",)]


def test_the_texts_of_a_split_can_be_read_alone(tmp_path: Path) -> None:
    """They come in the order of the table."""
    write_products(tmp_path / "a", products(), 2)
    assert list(iter_texts(tmp_path / "a", "train")) == ["Value: None\n", "nan"]
    assert list(iter_texts(tmp_path / "a", "test")) == [""]


def test_rows_of_each_split_are_positions() -> None:
    """The positions do not depend on the index of the frame."""
    frame = products().set_index(pd.Index([9, 9, 9]))
    assert train_rows(frame).tolist() == [0, 1]
    assert rows_of_test(frame).tolist() == [2]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """The message starts with the path."""
    with pytest.raises(DataError, match=r"products\.parquet: cannot be read"):
        read_products(tmp_path / "products.parquet")


def test_a_file_that_is_not_parquet_is_named(tmp_path: Path) -> None:
    """A text file in the place of the table is refused."""
    path = tmp_path / "products.parquet"
    path.write_text("sample_id,price\n1,2\n")
    with pytest.raises(DataError, match=r"products\.parquet: cannot be read"):
        read_products(path)


def test_a_damaged_table_is_named(tmp_path: Path) -> None:
    """Read at once or in parts, a file whose middle is lost is refused."""
    path = tmp_path / "products.parquet"
    write_products(path, products())
    content = path.read_bytes()
    path.write_bytes(content[:4] + b"x" * 300 + content[304:])
    for read in (read_products, lambda path: list(iter_products(path))):
        with pytest.raises(DataError, match=r"products\.parquet: cannot be read"):
            read(path)


def test_missing_columns_are_named(tmp_path: Path) -> None:
    """The message names the stage that writes them."""
    write_frame(tmp_path / "a", products().drop(columns=["fold", "group"]))
    with pytest.raises(DataError, match="missing columns: group, fold; run the stage prepare"):
        read_products(tmp_path / "a")


def test_a_missing_text_cannot_be_written(tmp_path: Path) -> None:
    """The schema has no missing texts, so none can be in the file."""
    broken = products()
    broken["catalog_content"] = ["a", None, "b"]
    with pytest.raises(ValueError, match="catalog_content"):
        write_products(tmp_path / "a", broken)
    assert not (tmp_path / "a").exists()
