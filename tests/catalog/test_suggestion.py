"""A map is suggested for a file, and what is not certain is said."""

from pathlib import Path

import pytest
import yaml

from amlc.catalog.columns import ColumnMap, ReadSettings
from amlc.catalog.intake import read_catalogue
from amlc.catalog.suggestion import Suggestion, describe, suggest
from amlc.errors import DataError
from tests.helpers.layouts import (
    MERCARI,
    MERCHANT,
    SHOPIFY,
    WOOCOMMERCE,
    delimited,
    gzipped,
    parquet,
    settings_for,
)

SHOP = [
    {
        "sku": f"A{number:03d}",
        "product_name": f"Green tea No. {number}, a fine one",
        "brand": "Yogi" if number % 2 else "Lipton",
        "rrp_price": f"{number},50 €",
        "photo": f"p/{number}.jpg;p/{number}b.jpg",
        "added": f"2024-01-{1 + number % 28:02d}",
        "weight": f"{number * 3 + 1}",
        "net_weight": f"{number + 100} g",
        "url": f"https://shop.example.com/{number}",
    }
    for number in range(1, 60)
]


def suggested(folder: Path, content: bytes) -> Suggestion:
    """Write a file, and return its suggestion."""
    (folder / "products").write_bytes(content)
    return suggest(folder / "products")


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (delimited(MERCARI, "\t"), "Mercari's layout"),
        (delimited(SHOPIFY), "Shopify's layout"),
        (delimited(WOOCOMMERCE), "WooCommerce's layout"),
        (gzipped(delimited(MERCHANT, "\t")), "Google Merchant's layout"),
    ],
)
def test_a_known_layout_is_named_and_its_map_works(
    tmp_path: Path, content: bytes, name: str
) -> None:
    """What is printed is a section that can be pasted, and with which the file is read."""
    suggestion = suggested(tmp_path, content)
    assert suggestion.layout == name
    data = yaml.safe_load(describe(suggestion))["data"]
    settings = settings_for(tmp_path, data["columns"], data["read"])
    assert (read_catalogue(settings).products["price"] > 0).all()


def test_another_layout_is_guessed_by_names_and_cells(tmp_path: Path) -> None:
    """Separator, encoding, price format and each column's use."""
    suggestion = suggested(tmp_path, delimited(SHOP, ";", "windows-1252"))
    columns, read = suggestion.columns, suggestion.read
    assert isinstance(columns, ColumnMap)
    assert isinstance(read, ReadSettings)
    assert (read.separator, read.encoding, read.decimal) == (";", "windows-1252", ",")
    assert (read.currency_signs, read.images, read.image_separator) == (True, "paths", ";")
    assert (columns.id, columns.price, columns.image) == ("sku", "rrp_price", "photo")
    assert (columns.text, columns.quantity) == (["product_name"], "net_weight")
    assert (columns.categories, columns.numbers, columns.dates) == (
        ["brand"],
        ["weight"],
        ["added"],
    )
    assert any("windows-1252 is a guess" in doubt for doubt in suggestion.doubts)
    assert any("images.mirror" in doubt for doubt in suggestion.doubts)
    settings = settings_for(tmp_path, columns.model_dump(), read.model_dump())
    assert len(read_catalogue(settings).products) == len(SHOP)


def test_every_column_is_shown_with_examples_and_its_use(tmp_path: Path) -> None:
    """Also one that is not used."""
    text = describe(suggested(tmp_path, parquet(SHOP)))
    assert "brand         categories: 'Lipton', 'Yogi'" in text or "categories: 'Yogi'" in text
    assert "not used: 'https://shop.example.com/1'" in text


def test_what_is_no_price_and_what_is_missing_is_said(tmp_path: Path) -> None:
    """Someone sees it before the pipeline does."""
    rows = [dict(row) for row in SHOP]
    rows[3]["rrp_price"], rows[4]["rrp_price"] = "ask us", ""
    doubts = suggested(tmp_path, delimited(rows)).doubts
    assert any("1 of 58 are not prices, for example 'ask us'" in doubt for doubt in doubts)
    assert any("1 of 59 rows have no price" in doubt for doubt in doubts)


def test_without_a_price_there_is_no_map(tmp_path: Path) -> None:
    """The columns are shown all the same."""
    suggestion = suggested(tmp_path, b"name,colour\nTea,green\nOil,yellow\n")
    assert suggestion.columns is None
    text = describe(suggestion)
    assert "no column looks like a price" in text
    assert text.count("\n#") == text.count("\n")


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "is empty|no rows"), (b"a,b\n", "no rows"), (b"\x89PNG\r\n", "no rows|PNG")],
)
def test_a_file_that_is_no_table_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    """One message, without a map."""
    with pytest.raises(DataError, match=message):
        suggested(tmp_path, content)


def test_what_is_known_only_after_the_price_is_left_out(tmp_path: Path) -> None:
    """A new product has no ratings yet; the map says why it lacks the column."""
    rows = [{**row, "Rating": f"{n % 5} of 5 stars"} for n, row in enumerate(SHOP)]
    suggestion = suggested(tmp_path, delimited(rows))
    assert suggestion.columns is not None
    assert "Rating" not in suggestion.columns.inputs
    assert "Rating: left out, as it is known only after the price" in suggestion.doubts
