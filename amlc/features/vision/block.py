"""The vision block: one row of image descriptors per product."""

import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
from PIL import Image
from pydantic import Field
from tqdm import tqdm

from amlc.arrays import Floats32, Pixels
from amlc.errors import DataError, first_few
from amlc.execution.backend import THREADS, Backend, in_order, open_pool
from amlc.features.block import in_chunks
from amlc.features.blocks import Dense
from amlc.features.pooling import pool
from amlc.features.vision.descriptor_names import DESCRIPTORS
from amlc.features.vision.descriptors import describe_scene
from amlc.features.vision.scene import make_scene
from amlc.images.fetch_result import OK
from amlc.images.shards import read_rows
from amlc.params import Settings

# Pictures that are described together.
BATCH = 32


class VisionSettings(Settings):
    """Section `vision` of params.yaml."""

    # A multiple of 8, as `amlc.features.vision.descriptors.texture` halves pictures three times.
    size: Annotated[int, Field(ge=16, le=256, multiple_of=8)]


def describe(bodies: Sequence[bytes | None], settings: VisionSettings) -> Dense:
    """Compute the descriptors of pictures.

    Parameters
    ----------
    bodies : sequence of bytes or None
        JPEG or PNG files; None for a product without a picture. A file that cannot be decoded
        counts as None.
    settings : VisionSettings
        The size to which pictures are resized.

    Returns
    -------
    Dense
        The columns are `DESCRIPTORS`. The row of a picture depends on that picture alone.
    """
    described = np.zeros((len(bodies), len(DESCRIPTORS)), dtype=np.float32)
    decoded = [None if body is None else _decoded(body, settings.size) for body in bodies]
    with_picture = [row for row, picture in enumerate(decoded) if picture is not None]
    described[:, 0] = 1
    described[with_picture, 0] = 0
    for start in range(0, len(with_picture), BATCH):
        rows = with_picture[start : start + BATCH]
        pixels, aspects = zip(*(picture for row in rows if (picture := decoded[row])), strict=True)
        scene = make_scene(np.stack(pixels), np.array(aspects, dtype=np.float32))
        described[rows, 1:] = describe_scene(scene)
    return Dense(described, tuple(DESCRIPTORS))


def describe_products(
    links: Sequence[Sequence[str]],
    folder: Path,
    settings: VisionSettings,
    threads: int,
    backend: Backend = THREADS,
) -> Dense:
    """Compute the descriptors of each product's pictures, read from the image shards.

    Parameters
    ----------
    links : sequence of sequence of str, length n
        The links to each product's pictures; an empty one if the product has none.
    folder : Path
        ``data/images``.
    settings : VisionSettings
        The size to which pictures are resized.
    threads : int
        Number of threads; the result does not depend on it.
    backend : Backend
        Where pictures are described; nor does the result depend on that.

    Returns
    -------
    Dense
        In the products' order.

    Raises
    ------
    DataError
        The shards cannot be read, or have no row for a link.
    """
    row_of_link: dict[str, int] = {"": 0}
    blocks = [describe([None], settings).array]

    def pictures() -> Iterator[tuple[str, bytes]]:
        for row in read_rows(folder):
            if row.status == OK:
                yield row.link, row.data
            else:
                row_of_link[row.link] = 0

    first = 1
    for batch, block in _described(pictures(), settings, threads, backend):
        row_of_link.update(zip(batch, range(first, first + len(batch)), strict=True))
        blocks.append(block)
        first += len(batch)
    missing = sorted({each for product in links for each in product if each not in row_of_link})
    if missing:
        raise DataError(
            f"{folder}: no row for {len(missing)} links: {first_few(missing)}; run the stage images"
        )
    rows_of_products = [[row_of_link[link] for link in product] for product in links]
    table = np.concatenate(blocks)
    return Dense(pool(table, rows_of_products), tuple(DESCRIPTORS))


def _described(
    pictures: Iterable[tuple[str, bytes]], settings: VisionSettings, threads: int, backend: Backend
) -> Iterator[tuple[list[str], Floats32]]:
    batches = in_chunks(pictures, 4 * BATCH)
    with (
        tqdm(desc="vision", unit="image", disable=None) as bar,
        open_pool(backend, settings, at_once=threads, unit="batch of pictures") as pool,
    ):
        for links, block in in_order(pool, _describe_batch, batches):
            bar.update(len(links))
            yield links, block


def _describe_batch(
    settings: VisionSettings, pictures: Sequence[tuple[str, bytes]]
) -> tuple[list[str], Floats32]:
    links, bodies = zip(*pictures, strict=True)
    return list(links), describe(bodies, settings).array


def _decoded(body: bytes, size: int) -> tuple[Pixels, float] | None:
    """Return a square of sRGB pixels and the aspect ratio; None if the file cannot be decoded."""
    try:
        with Image.open(io.BytesIO(body), formats=("JPEG", "PNG")) as image:
            aspect = image.width / image.height
            # Decodes a JPEG at a half, a quarter or an eighth of its size, which is faster.
            image.draft("RGB", (size, size))
            square = image.convert("RGB").resize((size, size), Image.Resampling.BOX)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None
    return np.asarray(square), aspect
