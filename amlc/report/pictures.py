"""Some of the stored pictures, small enough for a page."""

import base64
import io
from collections.abc import Iterable
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
from PIL import Image
from pyarrow import ArrowInvalid

from amlc.errors import DataError
from amlc.images.outcome import OK
from amlc.images.shards import shard_paths

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
            found |= {row["link"]: _data_url(row["bytes"]) for row in rows}
        except (OSError, ArrowInvalid) as error:
            raise DataError(f"{path}: cannot be read: {error}; run the stage images") from None
    return found


def _data_url(data: bytes) -> str:
    with Image.open(io.BytesIO(data), formats=["JPEG"]) as picture:
        picture.thumbnail((SIZE, SIZE), Image.Resampling.LANCZOS)
        stream = io.BytesIO()
        picture.convert("RGB").save(stream, "JPEG", quality=QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode("ascii")
