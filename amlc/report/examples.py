"""Which products the page shows, each with its picture, texts and prices."""

import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.compute as pc
import pyarrow.parquet as pq
from PIL import Image

from amlc.arrays import Bools, Floats
from amlc.catalog.content import parse_content
from amlc.catalog.products import LINK, PRICE, TEXT
from amlc.errors import DataError, read_errors_as
from amlc.images.decode import data_url, encode_jpeg
from amlc.images.fetch_result import OK
from amlc.images.shards import shard_paths
from amlc.report.cleaning import clean
from amlc.report.findings import Findings

# Products of each kind.
COUNTS = {"too low": 6, "too high": 6, "closest": 3}
# Pictures on the contact sheet.
SHEET = 24
# Characters.
TITLE_LENGTH = 110
EXCERPT_LENGTH = 120
# Longest side of a picture in pixels: twice what the page shows, for dense screens.
SIZE = 176
QUALITY = 80


@dataclass(frozen=True)
class Places:
    """Places on a logarithmic price axis, in percent of its length."""

    low: float
    high: float
    predicted: float
    actual: float


@dataclass(frozen=True)
class Card:
    """A product with what was predicted for it.

    Parameters
    ----------
    title, excerpt : str
        Of the catalogue text, cut to size; may be empty.
    picture : str or None
        A data URL.
    actual, predicted, low, high : float
        The prices and the ends of the interval.
    places : Places
        Where they stand on the price axis below the card.
    """

    title: str
    excerpt: str
    picture: str | None
    actual: float
    predicted: float
    low: float
    high: float
    places: Places


@dataclass(frozen=True)
class Tile:
    """A picture of the contact sheet, as a data URL, with its product's title and price."""

    picture: str
    title: str
    price: float


def extremes(findings: Findings) -> dict[str, pd.DataFrame]:
    """Return the train rows whose predicted price is furthest off, and those where it is closest.

    Parameters
    ----------
    findings : Findings
        The train rows and their predictions.

    Returns
    -------
    dict of str to DataFrame
        ``"too low"``, ``"too high"`` and ``"closest"``: at most `COUNTS` rows, the most extreme
        first; one of each group of duplicates.
    """
    ratio = findings.log_ratio
    keys = {"too low": ratio, "too high": -ratio, "closest": np.abs(ratio)}
    allowed = {
        "too low": ratio < 0,
        "too high": ratio > 0,
        "closest": np.ones(len(ratio), bool),
    }
    return {
        name: _smallest(findings.train, key, COUNTS[name], allowed[name])
        for name, key in keys.items()
    }


def _smallest(rows: pd.DataFrame, key: Floats, count: int, allowed: Bools) -> pd.DataFrame:
    """Return the rows with the smallest keys, the first of each group of duplicates."""
    order = np.argsort(key, kind="stable")
    order = order[allowed[order]]
    _, places = np.unique(rows["group"].to_numpy()[order], return_index=True)
    return rows.iloc[order[np.sort(places)[:count]]]


def sheet(findings: Findings, count: int = SHEET) -> pd.DataFrame:
    """Return train rows with a picture, at even steps from the lowest to the highest price."""
    rows = findings.train
    pictured = rows[rows["pictured"]][[LINK, PRICE]].drop_duplicates(LINK)
    order = pictured.index[np.argsort(pictured[PRICE].to_numpy(), kind="stable")]
    places = np.linspace(0, len(order) - 1, min(count, len(order))).round().astype(int)
    return rows.loc[order[places]]


def cards(rows: pd.DataFrame, pictures: Mapping[str, str], findings: Findings) -> tuple[Card, ...]:
    """Return products as cards.

    Parameters
    ----------
    rows : DataFrame
        Of the train rows.
    pictures : mapping of str to str
        Data URLs by link.
    findings : Findings
        Their prices set the ends of the price axis.
    """
    prices = findings.train[[PRICE, "predicted"]].to_numpy(np.float64)
    ends = np.log(np.quantile(prices, [0.005, 0.995]))
    return tuple(_card(row, pictures.get(str(row[LINK])), ends) for row in rows.to_dict("records"))


def _card(row: dict[Any, Any], picture: str | None, ends: Floats) -> Card:
    content = parse_content(str(row[TEXT]))
    texts = [*content.bullets, content.description]
    prices = {
        "actual": float(row[PRICE]),
        "predicted": float(row["predicted"]),
        "low": float(row["low"]),
        "high": float(row["high"]),
    }
    places = {name: _place(price, ends) for name, price in prices.items()}
    return Card(
        title=clean(content.title, TITLE_LENGTH),
        excerpt=clean(" · ".join(filter(None, texts)), EXCERPT_LENGTH),
        picture=picture,
        places=Places(**places),
        **prices,
    )


def _place(price: float, ends: Floats) -> float:
    return 100 * float(np.clip((np.log(price) - ends[0]) / (ends[1] - ends[0]), 0, 1))


def tiles(rows: pd.DataFrame, pictures: Mapping[str, str]) -> tuple[Tile, ...]:
    """Return the products of the contact sheet; those without a picture are left out."""
    return tuple(
        Tile(
            picture=pictures[row[LINK]],
            title=clean(parse_content(str(row[TEXT])).title, TITLE_LENGTH),
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
        Which pictures. Only row groups whose range of links holds one of them are read.

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
