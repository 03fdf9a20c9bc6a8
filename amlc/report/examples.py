"""Which products the page shows, and their pictures, small enough for it."""

import io
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image
from pyarrow import ArrowInvalid

from amlc.arrays import Floats
from amlc.catalog.products import LINK, PRICE
from amlc.errors import DataError
from amlc.images.decode import data_url, encode_jpeg
from amlc.images.fetch_result import OK
from amlc.images.shards import shard_paths
from amlc.report.findings import Findings

# Rows of each kind.
COUNTS = {"too low": 6, "too high": 6, "closest": 3}
# Pictures on the contact sheet.
SHEET = 24


def extremes(findings: Findings) -> dict[str, pd.DataFrame]:
    """Return the train rows priced ``"too low"``, ``"too high"`` and ``"closest"``.

    Parameters
    ----------
    findings : Findings
        See there.

    Returns
    -------
    dict of str to DataFrame
        At most `COUNTS` rows, the most extreme first; one of each group of duplicates.
    """
    ratio = findings.log_ratio
    keys = {"too low": ratio, "too high": -ratio, "closest": np.abs(ratio)}
    wrong_way = {
        "too low": ratio >= 0,
        "too high": ratio <= 0,
        "closest": np.zeros(len(ratio), bool),
    }
    return {
        name: _first(findings.train, key, COUNTS[name], ~wrong_way[name])
        for name, key in keys.items()
    }


def _first(rows: pd.DataFrame, key: Floats, count: int, allowed: NDArray[np.bool_]) -> pd.DataFrame:
    """Return the rows with the smallest keys, the first of each group of duplicates."""
    order = np.argsort(key, kind="stable")
    order = order[allowed[order]]
    _, places = np.unique(rows["group"].to_numpy()[order], return_index=True)
    return rows.iloc[order[np.sort(places)[:count]]]


def sheet(findings: Findings, count: int = SHEET) -> pd.DataFrame:
    """Return train rows with a picture at even steps from the cheapest to the dearest."""
    rows = findings.train
    pictured = rows[rows["pictured"]][[LINK, PRICE]].drop_duplicates(LINK)
    order = pictured.index[np.argsort(pictured[PRICE].to_numpy(), kind="stable")]
    places = np.linspace(0, len(order) - 1, min(count, len(order))).round().astype(int)
    return rows.loc[order[places]]


# Longest side in pixels: twice what the page shows, for dense screens.
SIZE = 176
QUALITY = 80


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
    found: dict[str, str] = {}
    for path in shard_paths(folder) if wanted else []:
        chosen = pc.field("link").isin(wanted) & (pc.field("status") == OK)
        try:
            rows = pq.read_table(path, columns=["link", "bytes"], filters=chosen).to_pylist()
            found |= {row["link"]: _thumbnail(row["bytes"]) for row in rows}
        except (OSError, ArrowInvalid) as error:
            raise DataError(f"{path}: cannot be read: {error}; run the stage images") from None
    return found


def _thumbnail(data: bytes) -> str:
    with Image.open(io.BytesIO(data), formats=["JPEG"]) as picture:
        picture.thumbnail((SIZE, SIZE), Image.Resampling.LANCZOS)
        return data_url(encode_jpeg(picture.convert("RGB"), quality=QUALITY, optimize=True))
