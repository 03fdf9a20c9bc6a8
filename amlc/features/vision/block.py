"""The vision block: one row of image descriptors per product."""

import io
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Annotated, TypeVar

import numpy as np
from PIL import Image
from pydantic import Field
from tqdm import tqdm

from amlc.arrays import Floats32
from amlc.errors import DataError, first_few
from amlc.features.vision.descriptors import GROUPS, describe_scene
from amlc.features.vision.scene import Pixels, make_scene
from amlc.images.fetch_result import OK
from amlc.images.shards import ImageRow, read_rows
from amlc.params import Settings

T = TypeVar("T")
R = TypeVar("R")

# Name and meaning of each column, in order.
DESCRIPTORS: dict[str, str] = {
    "placeholder": "1 where there is no picture; every other descriptor is then 0",
    **{name: meaning for _, names in GROUPS for name, meaning in names.items()},
}
BATCH = 32


class VisionSettings(Settings):
    """Section `vision` of params.yaml.

    Parameters
    ----------
    size : int
        Side of the square that a picture is squeezed into before it is described, in pixels;
        a multiple of 8.
    """

    size: Annotated[int, Field(ge=16, le=256, multiple_of=8)]


def describe(bodies: Sequence[bytes | None], settings: VisionSettings) -> Floats32:
    """Describe some pictures.

    Parameters
    ----------
    bodies : sequence of bytes or None
        JPEG or PNG files; None for a product without a picture. What does not decode counts
        as None.
    settings : VisionSettings
        How large to look at them.

    Returns
    -------
    ndarray of float32, shape (n, len(DESCRIPTORS))
        Finite. A picture's row depends on nothing but the picture.
    """
    described = np.zeros((len(bodies), len(DESCRIPTORS)), dtype=np.float32)
    decoded = [None if body is None else _decoded(body, settings.size) for body in bodies]
    found = [row for row, picture in enumerate(decoded) if picture is not None]
    described[:, 0] = 1
    described[found, 0] = 0
    for start in range(0, len(found), BATCH):
        rows = found[start : start + BATCH]
        pixels, aspects = zip(*(picture for row in rows if (picture := decoded[row])), strict=True)
        scene = make_scene(np.stack(pixels), np.array(aspects, dtype=np.float32))
        described[rows, 1:] = describe_scene(scene)
    return described


def describe_products(
    links: Sequence[str], folder: Path, settings: VisionSettings, threads: int
) -> Floats32:
    """Describe each product's picture from the image shards.

    Parameters
    ----------
    links : sequence of str, length n
        Each product's image link; empty for none.
    folder : Path
        ``data/images``.
    settings : VisionSettings
        How large to look at the pictures.
    threads : int
        Batches of pictures worked on at once; the result does not depend on it.

    Returns
    -------
    ndarray of float32, shape (n, len(DESCRIPTORS))
        In the products' order.

    Raises
    ------
    DataError
        The shards cannot be read, or hold no row for some link.
    """
    places: dict[str, int] = {"": 0}
    blocks = [describe([None], settings)]
    for found, block in _described_shards(folder, settings, threads):
        places.update(zip(found, range(len(places), len(places) + len(found)), strict=True))
        blocks.append(block)
    missing = sorted({link for link in links if link not in places})
    if missing:
        raise DataError(
            f"{folder}: no row for {len(missing)} links: {first_few(missing)}; run the stage images"
        )
    table: Floats32 = np.concatenate(blocks)
    return table[[places[link] for link in links]]


def _described_shards(
    folder: Path, settings: VisionSettings, threads: int
) -> Iterator[tuple[list[str], Floats32]]:
    def work(rows: list[ImageRow]) -> tuple[list[str], Floats32]:
        bodies = [row.data if row.status == OK else None for row in rows]
        return [row.link for row in rows], describe(bodies, settings)

    with tqdm(desc="vision", unit="image", disable=None) as bar:
        for found, block in _in_order(work, _batches(read_rows(folder), 4 * BATCH), threads):
            bar.update(len(found))
            yield found, block


def _decoded(body: bytes, size: int) -> tuple[Pixels, float] | None:
    """Return a square of sRGB pixels and the aspect that it had, or None if it is no picture."""
    try:
        with Image.open(io.BytesIO(body), formats=("JPEG", "PNG")) as image:
            aspect = image.width / image.height
            # JPEG decodes straight to a half, a quarter or an eighth.
            image.draft("RGB", (size, size))
            square = image.convert("RGB").resize((size, size), Image.Resampling.BOX)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None
    return np.asarray(square), aspect


def _batches(rows: Iterable[T], count: int) -> Iterator[list[T]]:
    iterator = iter(rows)
    while batch := list(islice(iterator, count)):
        yield batch


def _in_order(work: Callable[[T], R], batches: Iterable[T], threads: int) -> Iterator[R]:
    """Map over threads, in order; `ThreadPoolExecutor.map` would read every batch at once."""
    waiting: deque[Future[R]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for batch in batches:
            waiting.append(pool.submit(work, batch))
            if len(waiting) > 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
