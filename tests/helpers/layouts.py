"""Catalogues in the layouts and formats that people have, as files."""

import csv
import gzip
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from amlc.catalog.columns import COMPETITION, PLAIN, ColumnMap, ReadSettings
from amlc.catalog.intake import DataSettings

Rows = Sequence[Mapping[str, str]]

MERCARI: Rows = [
    {
        "train_id": str(number),
        "name": f"Shirt {number}",
        "item_condition_id": str(1 + number % 3),
        "category_name": f"Women/Tops/{'Shirts' if number % 2 else 'Blouses'}",
        "brand_name": "Nike" if number % 2 else "",
        "price": f"{10 + number}.0",
        "shipping": str(number % 2),
        "item_description": f'Worn "once", size {number}',
    }
    for number in range(6)
]
SHOPIFY: Rows = [
    {
        "Handle": f"tea-{number}",
        "Title": "" if variant else f"Green Tea {number}",
        "Body (HTML)": "" if variant else "<p>Good &amp; green</p>",
        "Vendor": "" if variant else "Yogi",
        "Type": "" if variant else "Tea",
        "Tags": "",
        "Option1 Value": ["20 Bags", "40 Bags", ""][variant],
        "Variant Grams": ["40", "80", ""][variant],
        "Variant Price": [f"{number + 4}.50", f"{number + 7}.50", ""][variant],
        "Image Src": f"https://cdn.example.com/{number}-{variant}.jpg",
    }
    for number in range(4)
    for variant in range(3)
]
WOOCOMMERCE: Rows = [
    {
        "ID": str(10 * number + part),
        "Type": "variation" if part else "variable",
        "SKU": f"S{number}-{part}" if part else ("" if number % 2 else f"S{number}"),
        "Name": f"Hoodie {number}" + (" - M" if part else ""),
        "Short description": "" if part else "Warm",
        "Description": "" if part else "<b>Very</b> warm",
        "Regular price": f"{20 + number}" if part else "",
        "Categories": "" if part else "Clothing > Hoodies",
        "Images": ""
        if part
        else f"https://w.example.com/{number}.jpg, https://w.example.com/x.jpg",
        "Parent": (f"id:{10 * number}" if number % 2 else f"S{number}") if part else "",
    }
    for number in range(1, 5)
    for part in range(3)
]
MERCHANT: Rows = [
    {
        "id": f"g{number}",
        "title": f"Lamp {number}",
        "description": "Bright",
        "link": f"https://shop.example.com/{number}",
        "image_link": f"https://shop.example.com/{number}.jpg",
        "price": f"{number},0{number}9.50 USD",
        "availability": "in stock",
        "brand": "Lux",
        "condition": "new",
    }
    for number in range(1, 6)
]


def delimited(
    rows: Rows, separator: str = ",", encoding: str = "utf-8", line_end: str = "\n"
) -> bytes:
    """Return rows as text with a header."""
    stream = io.StringIO(newline="")
    writer = csv.DictWriter(stream, list(rows[0]), delimiter=separator, lineterminator=line_end)
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue().encode(encoding)


def table(rows: Rows) -> pa.Table:
    """Return rows as an Arrow table of texts."""
    return pa.Table.from_pylist([dict(row) for row in rows])


def parquet(rows: Rows) -> bytes:
    """Return rows as a Parquet file."""
    sink = io.BytesIO()
    pq.write_table(table(rows), sink)
    return sink.getvalue()


def arrow(rows: Rows, *, stream: bool = False) -> bytes:
    """Return rows as an Arrow file, or as a stream."""
    sink = io.BytesIO()
    content = table(rows)
    opened = pa.ipc.new_stream if stream else pa.ipc.new_file
    with opened(sink, content.schema) as writer:
        writer.write_table(content)
    return sink.getvalue()


def json_lines(rows: Rows) -> bytes:
    """Return rows as one JSON object per line."""
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def zipped(content: bytes, name: str = "products.csv") -> bytes:
    """Return a zip archive of one file."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return sink.getvalue()


def gzipped(content: bytes) -> bytes:
    """Return gzip's compression of some bytes."""
    return gzip.compress(content, mtime=0)


def zstandard(content: bytes) -> bytes:
    """Return Zstandard's compression of some bytes."""
    compressed: bytes = pa.Codec("zstd").compress(content, asbytes=True)
    return compressed


def settings_for(
    folder: Path,
    columns: Mapping[str, Any] | None = None,
    read: Mapping[str, Any] | None = None,
    **others: Any,
) -> DataSettings:
    """Return settings for the file ``products`` of a folder, with some keys of the map changed."""
    keys: dict[str, Any] = {
        "dir": str(folder),
        "train": "products",
        "test": None,
        "on_invalid": "error",
        "folds": 2,
        "placeholder_titles": 5,
        "max_text": 10_000,
        "max_bytes": 10**7,
        **others,
    }
    return DataSettings(columns=map_with(columns or {}), read=reading(read or {}), **keys)


def map_with(changes: Mapping[str, Any]) -> ColumnMap:
    """Return the map of the competition with some keys changed."""
    return ColumnMap.model_validate({**COMPETITION.model_dump(), **changes})


def reading(changes: Mapping[str, Any]) -> ReadSettings:
    """Return the default of ``data.read`` with some keys changed."""
    return ReadSettings.model_validate({**PLAIN.model_dump(), **changes})
