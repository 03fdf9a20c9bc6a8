"""A file of any layout becomes a catalogue: ids, texts, links, prices, columns of its own."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from amlc.catalog.arrangement import arrange, describe_unused, image_links, product_keys
from amlc.catalog.products import links_of
from amlc.catalog.sheet import Sheet
from amlc.errors import DataError
from tests.helpers.layouts import map_with, reading

SHOP = {"id": "id", "text": ["name"], "image": None}


def sheet_of(**columns: list[str]) -> Sheet:
    """Return a sheet with these cells, whose rows begin at line 2."""
    cells = pd.DataFrame(columns, dtype="str")
    return Sheet(
        path=Path("shop.csv"),
        cells=cells,
        lines=np.arange(2, 2 + len(cells)),
        ragged=[],
        broken="",
    )


def arranged(sheet: Sheet, columns: dict[str, Any], **read: Any) -> pd.DataFrame:
    """Return the cells of a sheet as a train catalogue."""
    return arrange(sheet, map_with(columns), reading(read), "train", rates=False).sheet.cells


def test_rows_without_an_id_are_numbered() -> None:
    """Beginning with the split, so that train and test have no id in common."""
    cells = arranged(sheet_of(name=["Tea", "Oil"]), {**SHOP, "id": None})
    assert cells["sample_id"].tolist() == ["train-1", "train-2"]
    assert cells["image_link"].tolist() == ["", ""]


def test_further_rows_fill_the_first_row_of_their_product() -> None:
    """Id and line are those of the first row; of each other column the first filled cell counts."""
    sheet = sheet_of(id=["a", "b", "a2"], name=["", "Oil", "Tea"], price=["3", "4", "5"])
    sheet.cells["parent"] = ["a", "", "a"]
    result = arrange(
        sheet, map_with({**SHOP, "product": ["parent"]}), reading({}), "train", rates=False
    )
    assert result.further_rows == 1
    assert result.sheet.cells["sample_id"].tolist() == ["a", "b"]
    assert result.sheet.cells["price"].tolist() == ["3", "4"]
    assert "Tea" in result.sheet.cells["catalog_content"][0]
    assert result.sheet.lines.tolist() == [2, 3]


def test_a_product_is_named_by_its_id_or_by_another_column() -> None:
    """Rows that name the same product in different ways have one key."""
    cells = pd.DataFrame(
        {"id": ["1", "2", "3", "4"], "sku": ["S", "", "", ""], "parent": ["", "S", "id:1", ""]}
    )
    keys = product_keys(cells, map_with({**SHOP, "product": ["parent", "sku"]}))
    assert keys == ["1", "1", "1", "4"]


def test_prices_of_several_currencies_need_a_column_that_names_them() -> None:
    """The message counts each of them."""
    sheet = sheet_of(id=["1", "2", "3"], name=["a", "b", "c"], price=["$1", "$2", "3 EUR"])
    with pytest.raises(DataError, match=r"'\$' \(2\), 'EUR' \(1\).*data\.columns\.currency"):
        arranged(sheet, SHOP, currency_signs=True)


def test_the_currency_is_a_category_unless_there_are_rates() -> None:
    """With rates it says what a price is worth."""
    sheet = sheet_of(id=["1"], name=["Tea"], price=["3"], cur=["EUR"])
    columns = map_with({**SHOP, "currency": "cur"})
    without, with_rates = (
        arrange(sheet, columns, reading({}), "train", rates=rates).sheet.cells
        for rates in (False, True)
    )
    assert without["category:cur"].tolist() == ["EUR"]
    assert with_rates["currency"].tolist() == ["EUR"]
    assert "category:cur" not in with_rates


@pytest.mark.parametrize(
    ("cell", "link"),
    [
        ("./a/b c.jpg", "http://local.invalid/a/b%20c.jpg"),
        ("/a.jpg", "http://local.invalid/a.jpg"),
        ("HTTPS://h/a.jpg", "HTTPS://h/a.jpg"),
        ("", ""),
        ("nan", ""),
        (" ; b.jpg", "http://local.invalid/b.jpg"),
    ],
)
def test_a_path_becomes_a_link_that_only_the_mirror_answers(cell: str, link: str) -> None:
    """A link stays one; what is missing stays missing."""
    assert image_links(cell, reading({"images": "paths", "image_separator": ";"})) == [link]


def test_several_pictures_are_used_up_to_a_number() -> None:
    """Each once; those after the first have a column of their own."""
    sheet = sheet_of(id=["1", "2"], name=["Tea", "Oil"], photo=["a.jpg;b.jpg; a.jpg;c.jpg", ""])
    columns = {**SHOP, "image": "photo"}
    read = {"images": "paths", "image_separator": ";"}
    local = "http://local.invalid"
    cells = arranged(sheet, columns, **read, max_images=2)
    assert cells["image_link"].tolist() == [f"{local}/a.jpg", ""]
    assert cells["further_links"].tolist() == [f"{local}/b.jpg", ""]
    assert "further_links" not in arranged(sheet, columns, **read, max_images=1)


@pytest.mark.parametrize("mark", ["\n", "\r\n", "\x85", "\u2028"])
def test_a_line_break_makes_no_further_picture(mark: str) -> None:
    """The table has one link on each line, and a cell may have any character."""
    sheet = sheet_of(id=["1"], name=["Tea"], photo=[f"https://h/a;https://h/b{mark}https://h/c"])
    cells = arranged(sheet, {**SHOP, "image": "photo"}, image_separator=";")
    assert links_of(cells) == [("https://h/a", "https://h/b https://h/c")]


def test_columns_that_are_not_used_are_named() -> None:
    """So that a forgotten one is noticed."""
    sheet = sheet_of(id=["1"], name=["Tea"])
    assert describe_unused(sheet) == ""
