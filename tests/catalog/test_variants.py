"""Catalogues of every layout and format are read by a map, and by nothing else."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from amlc.catalog.content import parse_content
from amlc.catalog.intake import read_catalogue
from amlc.catalog.layouts import find_layout
from amlc.errors import DataError
from tests.helpers.layouts import (
    MERCARI,
    MERCHANT,
    SHOPIFY,
    WOOCOMMERCE,
    arrow,
    delimited,
    gzipped,
    json_lines,
    parquet,
    settings_for,
    zipped,
    zstandard,
)

SIMPLE = [{"title": f"Tea {number}", "price": f"{number + 1}.5"} for number in range(4)]
TITLES = {"id": None, "text": ["title"], "image": None}
SEMICOLON = {"separator": ";"}
UTF_16 = {"separator": "\t", "encoding": "utf-16"}


def products(folder: Path, content: bytes, *arguments: Any, **others: Any) -> pd.DataFrame:
    """Write a file and read it."""
    (folder / "products").write_bytes(content)
    return read_catalogue(settings_for(folder, *arguments, **others)).products


def titles(table: pd.DataFrame) -> list[str]:
    """Return the titles of products."""
    return [parse_content(text).title for text in table["catalog_content"]]


@pytest.mark.parametrize(
    ("content", "read"),
    [
        pytest.param(delimited(SIMPLE), {}, id="csv"),
        pytest.param(delimited(SIMPLE, "\t"), {"separator": "\t"}, id="tsv"),
        pytest.param(delimited(SIMPLE, ";", "utf-8-sig", "\r\n"), SEMICOLON, id="excel-csv"),
        pytest.param(b"sep=;\r\n" + delimited(SIMPLE, ";"), SEMICOLON, id="excel-sep"),
        pytest.param(delimited(SIMPLE, "\t", "utf-16"), UTF_16, id="utf-16"),
        pytest.param(gzipped(delimited(SIMPLE)), {}, id="gz"),
        pytest.param(zstandard(delimited(SIMPLE)), {}, id="zst"),
        pytest.param(zipped(delimited(SIMPLE, ";")), SEMICOLON, id="zip"),
        pytest.param(parquet(SIMPLE), {}, id="parquet"),
        pytest.param(arrow(SIMPLE), {}, id="arrow"),
        pytest.param(arrow(SIMPLE, stream=True), {}, id="arrow-stream"),
        pytest.param(json_lines(SIMPLE), {}, id="json-lines"),
        pytest.param(gzipped(json_lines(SIMPLE)), {}, id="json-lines-gz"),
    ],
)
def test_every_format_gives_the_same_products(
    tmp_path: Path, content: bytes, read: dict[str, Any]
) -> None:
    """Title and price alone are enough, and rows are numbered."""
    table = products(tmp_path, content, TITLES, read)
    assert titles(table) == ["Tea 0", "Tea 1", "Tea 2", "Tea 3"]
    assert table["price"].tolist() == [1.5, 2.5, 3.5, 4.5]
    assert table["sample_id"].tolist() == ["train-1", "train-2", "train-3", "train-4"]
    assert table["image_link"].tolist() == [""] * 4


@pytest.mark.parametrize(
    ("cell", "read", "price"),
    [
        ("1299.00", {}, 1299.0),
        ("$1,299.00", {"thousands": ",", "currency_signs": True}, 1299.0),
        ("12,50", {"decimal": ","}, 12.5),
        ("1,97 EUR", {"decimal": ",", "currency_signs": True}, 1.97),
        ("1.299,00 €", {"decimal": ",", "thousands": ".", "currency_signs": True}, 1299.0),
        ("1 299,5", {"decimal": ",", "thousands": " "}, 1299.5),
        ("CHF 1'299.50", {"thousands": "'", "currency_signs": True}, 1299.5),
        ("Rs. 450", {"currency_signs": True}, 450.0),
    ],
)
def test_prices_are_read_in_the_declared_format(
    tmp_path: Path, cell: str, read: dict[str, Any], price: float
) -> None:
    """A sign, a code, a decimal comma, marks between thousands."""
    rows = [{**row, "price": cell} for row in SIMPLE]
    assert set(products(tmp_path, delimited(rows), TITLES, read)["price"]) == {price}


@pytest.mark.parametrize("cell", ["$5", "12,50", "1,299.00", "1.299,00", "5 to 7", "12.5.0"])
def test_a_price_in_another_format_is_refused_with_the_setting(tmp_path: Path, cell: str) -> None:
    """Nothing is guessed: the message names data.read."""
    rows = [{**row, "price": cell} for row in SIMPLE]
    with pytest.raises(DataError, match=r"a price that is not a number.*data\.read"):
        products(tmp_path, delimited(rows), TITLES)


def test_a_decimal_point_is_no_mark_between_thousands(tmp_path: Path) -> None:
    """With a decimal comma, 12.50 is neither 12.5 nor 1250."""
    read = {"decimal": ",", "thousands": "."}
    with pytest.raises(DataError, match="a price that is not a number"):
        products(tmp_path, delimited([{**SIMPLE[0], "price": "12.50"}]), TITLES, read)


def test_prices_in_several_currencies_need_a_column_of_them(tmp_path: Path) -> None:
    """Ten dollars and ten yen are not the same price."""
    rows = [{**row, "price": f"{sign}5"} for row, sign in zip(SIMPLE, "$$€$", strict=True)]
    with pytest.raises(DataError, match=r"'\$' \(3\), '€' \(1\); give data\.columns\.currency"):
        products(tmp_path, delimited(rows), TITLES, {"currency_signs": True})


def test_prices_are_converted_by_rates(tmp_path: Path) -> None:
    """A currency without a rate is an error of its row."""
    rows = [{**row, "cur": name} for row, name in zip(SIMPLE, ["USD", "EUR"] * 2, strict=True)]
    columns = {**TITLES, "currency": "cur"}
    table = products(tmp_path, delimited(rows), columns, rates={"USD": 1.0, "EUR": 2.0})
    assert table["price"].tolist() == [1.5, 5.0, 3.5, 9.0]
    assert "category:cur" not in table
    with pytest.raises(DataError, match=r"cur: a currency without a rate, in 2 of 4 rows"):
        products(tmp_path, delimited(rows), columns, rates={"USD": 1.0})


def test_without_rates_the_currency_is_a_category(tmp_path: Path) -> None:
    """The models learn the level of each currency."""
    rows = [{**row, "cur": name} for row, name in zip(SIMPLE, ["USD", "EUR"] * 2, strict=True)]
    table = products(tmp_path, delimited(rows), {**TITLES, "currency": "cur"})
    assert table["category:cur"].tolist() == ["USD", "EUR"] * 2


def test_mercari_is_read_by_its_layout(tmp_path: Path) -> None:
    """Its text columns become the fields of one catalogue text."""
    layout = find_layout(list(MERCARI[0]))
    assert layout is not None
    columns = layout.map(list(MERCARI[0])).model_dump()
    table = products(tmp_path, delimited(MERCARI, "\t"), columns, {"separator": "\t"})
    content = parse_content(table["catalog_content"][1])
    assert (content.title, content.bullets) == ("Shirt 1", ("brand name: Nike",))
    assert content.description == 'Worn "once", size 1'
    assert table["category:brand_name"].tolist() == ["", "Nike"] * 3


def test_variants_and_pictures_of_shopify_belong_to_their_product(tmp_path: Path) -> None:
    """A product has its first row's text, price and picture, and HTML is text."""
    layout = find_layout(list(SHOPIFY[0]))
    assert layout is not None
    columns = layout.map(list(SHOPIFY[0])).model_dump()
    (tmp_path / "products").write_bytes(delimited(SHOPIFY))
    catalogue = read_catalogue(settings_for(tmp_path, columns))
    table = catalogue.products
    assert catalogue.further_rows == 8
    assert table["sample_id"].tolist() == ["tea-0", "tea-1", "tea-2", "tea-3"]
    assert table["price"].tolist() == [4.5, 5.5, 6.5, 7.5]
    assert table["image_link"][1] == "https://cdn.example.com/1-0.jpg"
    assert parse_content(table["catalog_content"][0]).description == "Good & green"
    assert table["number:Variant Grams"].tolist() == [40.0] * 4


def test_variations_of_woocommerce_belong_to_their_parent(tmp_path: Path) -> None:
    """Its parent is named by SKU or by id, and has no price of its own."""
    layout = find_layout(list(WOOCOMMERCE[0]))
    assert layout is not None
    columns = layout.map(list(WOOCOMMERCE[0])).model_dump()
    table = products(tmp_path, delimited(WOOCOMMERCE), columns, layout.read)
    assert titles(table) == ["Hoodie 1", "Hoodie 2", "Hoodie 3", "Hoodie 4"]
    assert table["price"].tolist() == [21.0, 22.0, 23.0, 24.0]
    assert table["image_link"][0] == "https://w.example.com/1.jpg"


def test_google_merchant_is_read_by_its_layout(tmp_path: Path) -> None:
    """Its prices have a currency's code."""
    layout = find_layout(list(MERCHANT[0]))
    assert layout is not None
    columns = layout.map(list(MERCHANT[0])).model_dump()
    read = {**layout.read, "separator": "\t"}
    table = products(tmp_path, delimited(MERCHANT, "\t"), columns, read)
    assert table["price"].tolist() == [1019.5, 2029.5, 3039.5, 4049.5, 5059.5]


def test_other_columns_are_left_out_with_a_note_or_refused(tmp_path: Path) -> None:
    """`data.on_extra` decides."""
    rows = [{**row, "stock": "3"} for row in SIMPLE]
    (tmp_path / "products").write_bytes(delimited(rows))
    (note,) = read_catalogue(settings_for(tmp_path, TITLES)).notes
    assert note.endswith("1 columns are not used: 'stock'")
    with pytest.raises(DataError, match=r"extra columns: 'stock'.*data\.on_extra"):
        read_catalogue(settings_for(tmp_path, TITLES, on_extra="error"))


def test_a_missing_column_names_the_command_that_prints_a_map(tmp_path: Path) -> None:
    """Someone with another file than the competition's reads what to do."""
    with pytest.raises(DataError, match=r"missing columns: 'sample_id'.*amlc columns .*products"):
        products(tmp_path, delimited(SIMPLE))


def test_paths_of_pictures_become_links_to_the_folder(tmp_path: Path) -> None:
    """Several pictures: the first is taken; none: the link is empty; a link stays one."""
    cells = ["a b.jpg|c.jpg", "", "https://h/x.jpg", r"sub\d.jpg"]
    rows = [{**row, "pictures": cell} for row, cell in zip(SIMPLE, cells, strict=True)]
    read = {"images": "paths", "image_separator": "|"}
    links = products(tmp_path, delimited(rows), {**TITLES, "image": "pictures"}, read)["image_link"]
    local = "http://local.invalid"
    assert links.tolist() == [f"{local}/a%20b.jpg", "", "https://h/x.jpg", f"{local}/sub/d.jpg"]


def test_rows_without_a_price_are_priced(tmp_path: Path) -> None:
    """They become test rows after those of the test file."""
    rows = [{**row, "price": "" if number == 1 else "3"} for number, row in enumerate(SIMPLE)]
    (tmp_path / "more").write_bytes(delimited([{"title": "Oil"}, {"title": "Salt"}]))
    table = products(tmp_path, delimited(rows), TITLES, test="more")
    assert titles(table) == ["Tea 0", "Tea 2", "Tea 3", "Oil", "Salt", "Tea 1"]
    assert table["split"].tolist() == ["train"] * 3 + ["test"] * 3
    assert table["sample_id"].tolist()[-3:] == ["test-1", "test-2", "train-2"]


def test_own_columns_are_parsed_and_what_cannot_be_read_is_missing(tmp_path: Path) -> None:
    """`drop` keeps such rows, and lists them; `error` stops with the setting."""
    added = [("2024-02-29", "1.5"), ("", ""), ("soon", "many"), ("2023-01-01T10:00:00Z", "-3")]
    rows = [
        {**row, "day": day, "weight": weight}
        for row, (day, weight) in zip(SIMPLE, added, strict=True)
    ]
    columns = {**TITLES, "numbers": ["weight"], "dates": ["day"]}
    (tmp_path / "products").write_bytes(delimited(rows))
    catalogue = read_catalogue(settings_for(tmp_path, columns, on_invalid="drop"))
    assert catalogue.products["number:weight"].isna().tolist() == [False, True, True, False]
    assert catalogue.products["date:day"].isna().tolist() == [False, True, True, False]
    assert [error.reason for error in catalogue.rejected] == [
        "number_unreadable",
        "date_unreadable",
    ]
    assert len(catalogue.products) == 4
    with pytest.raises(DataError, match=r"day: a date that cannot be read.*date_format"):
        read_catalogue(settings_for(tmp_path, columns))


def test_an_excel_workbook_is_read(tmp_path: Path) -> None:
    """With the extra `excel`: numbers, dates and the named sheet."""
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active.append(["nothing"])
    sheet = book.create_sheet("Products")
    sheet.append(["title", "price"])
    for row in SIMPLE:
        sheet.append([row["title"], float(row["price"])])
    book.save(tmp_path / "products")
    settings = settings_for(tmp_path, TITLES, {"sheet": "Products"})
    assert read_catalogue(settings).products["price"].tolist() == [1.5, 2.5, 3.5, 4.5]
    with pytest.raises(DataError, match=r"data\.read\.sheet can be one of 'Sheet', 'Products'"):
        read_catalogue(settings_for(tmp_path, TITLES, {"sheet": "Other"}))
