"""The products that the page shows, each with its picture, texts and prices."""

import io
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.compute as pc
import pyarrow.parquet as pq
from PIL import Image

from amlc.catalog.content import parse_content
from amlc.catalog.products import ID, LINK, PRICE, TEXT, iter_products
from amlc.errors import DataError, read_errors_as
from amlc.images.decode import data_url, encode_jpeg
from amlc.images.fetch_result import OK
from amlc.images.shards import shard_paths
from amlc.report.cleaning import clean
from amlc.report.findings import Findings

# Number of products of each kind.
COUNTS = {"too low": 6, "too high": 6, "closest": 3}
# Number of pictures on the contact sheet.
SHEET = 24
# Longest texts, in characters.
TITLE_LENGTH = 110
EXCERPT_LENGTH = 120
# Longest side of a picture in pixels: twice what the page shows, for dense screens.
SIZE = 176
QUALITY = 80


@dataclass(frozen=True)
class Card:
    """A product with its prediction.

    Parameters
    ----------
    title, excerpt : str
        Parts of the catalogue text, cut to size; may be empty.
    picture : str or None
        A data URL; None where there is no picture.
    actual, predicted, low, high : float
        The prices and the ends of the interval.
    positions : dict of str to float
        Where these four lie on the card's logarithmic price axis, in percent of its length.
    """

    title: str
    excerpt: str
    picture: str | None
    actual: float
    predicted: float
    low: float
    high: float
    positions: dict[str, float]


@dataclass(frozen=True)
class Tile:
    """A picture of the contact sheet, as a data URL, with its product's title and price."""

    picture: str
    title: str
    price: float


def extremes(findings: Findings) -> dict[str, pd.DataFrame]:
    """Return the train rows whose predicted price is furthest off, and those where it is closest.

    Returns
    -------
    dict of str to DataFrame
        ``"too low"``, ``"too high"`` and ``"closest"``: at most `COUNTS` rows, the most extreme
        first; at most one of each group of duplicates.
    """
    rows = findings.train.assign(ratio=findings.log_ratio)
    ordered = {
        "too low": rows[rows["ratio"] < 0].sort_values("ratio", kind="stable"),
        "too high": rows[rows["ratio"] > 0].sort_values("ratio", ascending=False, kind="stable"),
        "closest": rows.sort_values("ratio", key=np.abs, kind="stable"),
    }
    return {
        name: rows.drop_duplicates("group").head(COUNTS[name]) for name, rows in ordered.items()
    }


def sheet(findings: Findings, count: int = SHEET) -> pd.DataFrame:
    """Return train rows with a picture, at even steps from the lowest to the highest price."""
    pictured = findings.train[findings.train["pictured"]].drop_duplicates(LINK)
    positions = np.linspace(0, len(pictured) - 1, min(count, len(pictured))).round().astype(int)
    return pictured.sort_values(PRICE, kind="stable").iloc[positions]


def read_texts(path: Path, ids: Collection[str]) -> dict[str, str]:
    """Return the texts of some products by their ``sample_id``.

    Parameters
    ----------
    path : Path
        ``data/products.parquet``; one row group is in memory at a time.
    ids : collection of str
        The ids.

    Raises
    ------
    DataError
        The file is missing, or it is not a product table.
    """
    texts: dict[str, str] = {}
    for products in iter_products(path, [ID, TEXT]):
        chosen = products[products[ID].isin(ids)]
        texts.update(zip(chosen[ID], chosen[TEXT], strict=True))
    return texts


def cards(
    rows: pd.DataFrame, texts: Mapping[str, str], pictures: Mapping[str, str], findings: Findings
) -> tuple[Card, ...]:
    """Return products as cards.

    Parameters
    ----------
    rows : DataFrame
        Some of the train rows.
    texts : mapping of str to str
        Their texts, by id.
    pictures : mapping of str to str
        Data URLs by link.
    findings : Findings
        All train rows; their prices set the ends of the price axis.
    """
    ends = np.log(np.quantile(findings.train[[PRICE, "predicted"]], [0.005, 0.995]))
    made = []
    for row in rows.rename(columns={PRICE: "actual"}).to_dict("records"):
        content = parse_content(texts[row[ID]])
        excerpt = " · ".join(filter(None, [*content.bullets, content.description]))
        prices = {name: float(row[name]) for name in ("actual", "predicted", "low", "high")}
        shares = (np.log(list(prices.values())) - ends[0]) / (ends[1] - ends[0])
        positions = (100 * shares.clip(0, 1)).tolist()
        made.append(
            Card(
                title=clean(content.title, TITLE_LENGTH),
                excerpt=clean(excerpt, EXCERPT_LENGTH),
                picture=pictures.get(str(row[LINK])),
                positions=dict(zip(prices, positions, strict=True)),
                **prices,
            )
        )
    return tuple(made)


def tiles(
    rows: pd.DataFrame, texts: Mapping[str, str], pictures: Mapping[str, str]
) -> tuple[Tile, ...]:
    """Return the products of the contact sheet; those without a picture are left out."""
    return tuple(
        Tile(
            picture=pictures[row[LINK]],
            title=clean(parse_content(texts[row[ID]]).title, TITLE_LENGTH),
            price=float(row[PRICE]),
        )
        for row in rows.to_dict("records")
        if row[LINK] in pictures
    )


def thumbnails(folder: Path, links: Iterable[str]) -> dict[str, str]:
    """Return small pictures as data URLs, by link; placeholders are left out.

    Parameters
    ----------
    folder : Path
        ``data/images``.
    links : iterable of str
        The links of the pictures. Only row groups whose range of links includes one are read.

    Raises
    ------
    DataError
        A shard or a picture in it cannot be read.
    """
    wanted = sorted(set(links))
    pictures: dict[str, str] = {}
    for path in shard_paths(folder) if wanted else []:
        chosen = pc.field("link").isin(wanted) & (pc.field("status") == OK)
        with read_errors_as(DataError, f"{path}: cannot be read", remedy="run the stage images"):
            rows = pq.read_table(path, columns=["link", "bytes"], filters=chosen).to_pylist()
            pictures |= {row["link"]: _thumbnail(row["bytes"]) for row in rows}
    return pictures


def _thumbnail(jpeg: bytes) -> str:
    """Return a picture reduced to `SIZE` as a data URL."""
    with Image.open(io.BytesIO(jpeg), formats=["JPEG"]) as picture:
        picture.thumbnail((SIZE, SIZE), Image.Resampling.LANCZOS)
        return data_url(encode_jpeg(picture.convert("RGB"), quality=QUALITY, optimize=True))
