"""Pictures as the image tower reads them: decoded batch by batch, changed at random in training."""

import io
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageEnhance

from amlc.arrays import Floats32, Ints64, Rows
from amlc.features.encoders.preprocessing import Preprocessing
from amlc.models.fusion.settings import AugmentSettings

# The part of a picture that erasing covers, as shares of its height and width.
_ERASED = (0.1, 0.4)


@dataclass(frozen=True)
class PictureBatch:
    """The pictures of a batch.

    Parameters
    ----------
    pixels : ndarray of float32, shape (pictures, 3, height, width)
        Those that can be decoded, row by row.
    rows : ndarray of int, shape (rows with pictures,)
        The positions of their rows in the batch.
    counts : ndarray of int64, shape (rows with pictures,)
        The number of pictures of each of these rows.
    """

    pixels: Floats32
    rows: Rows
    counts: Ints64


def picture_batch(
    files: Sequence[Sequence[bytes]],
    rows: Rows,
    preprocessing: Preprocessing,
    pool: Executor,
    augment: AugmentSettings | None = None,
    seed: tuple[int, ...] = (),
) -> PictureBatch:
    """Decode the pictures of some rows: all of them, or in training one at random.

    Parameters
    ----------
    files : sequence of sequence of bytes
        The JPEG files of each row, which may be none.
    rows : ndarray of int, shape (n,)
        The rows of the batch.
    preprocessing : Preprocessing
        What the tower expects.
    pool : Executor
        Decodes several pictures at once; the result does not depend on it.
    augment : AugmentSettings, optional
        In training: the random changes of the one picture that is taken of each row.
    seed : tuple of int
        With the number of the row, the seed of its changes, and of which picture is taken.
    """

    def prepared(row: int) -> list[Floats32]:
        if augment is None:
            return [preprocessing(image) for image in _decoded(files[row])]
        rng = np.random.default_rng((*seed, row))
        order = rng.permutation(len(files[row]))
        image = next(_decoded(files[row][index] for index in order), None)
        if image is None:
            return []
        pixels = preprocessing(changed(image, augment, rng))
        return [erased(pixels, rng) if rng.random() < augment.erase else pixels]

    results = list(pool.map(prepared, rows.tolist()))
    counts = np.array([len(pictures) for pictures in results], np.int64)
    present = np.flatnonzero(counts)
    pictures = [pixels for row in results for pixels in row]
    empty = np.zeros((0, 3, *preprocessing.shape), np.float32)
    return PictureBatch(np.stack(pictures) if pictures else empty, present, counts[present])


def _decoded(files: Iterable[bytes]) -> Iterator[Image.Image]:
    """Yield those that can be decoded."""
    for body in files:
        try:
            with Image.open(io.BytesIO(body), formats=("JPEG", "PNG")) as image:
                decoded = image.convert("RGB")
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
            continue
        yield decoded


def changed(image: Image.Image, augment: AugmentSettings, rng: np.random.Generator) -> Image.Image:
    """Return a picture cropped, mirrored and with other colours, at random.

    Parameters
    ----------
    image : Image
        An RGB picture.
    augment : AugmentSettings
        ``crop`` is the largest share of height and width that is cut off, ``flip`` the share of
        pictures that are mirrored, ``colour`` the largest change of brightness, contrast and
        saturation.
    rng : Generator
        Draws the changes.
    """
    width, height = image.size
    kept_width, kept_height = (
        max(1, round(side * (1 - augment.crop * rng.random()))) for side in (width, height)
    )
    left = int(rng.integers(0, width - kept_width + 1))
    top = int(rng.integers(0, height - kept_height + 1))
    image = image.crop((left, top, left + kept_width, top + kept_height))
    if rng.random() < augment.flip:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if augment.colour > 0:
        for kind in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
            image = kind(image).enhance(1 + augment.colour * (2 * rng.random() - 1))
    return image


def erased(pixels: Floats32, rng: np.random.Generator) -> Floats32:
    """Return pixels, shape (3, height, width), with a rectangle at random set to the mean, 0."""
    _, height, width = pixels.shape
    tall, wide = (
        max(1, round(side * share))
        for side, share in zip((height, width), rng.uniform(*_ERASED, 2), strict=True)
    )
    top, left = rng.integers(0, height - tall + 1), rng.integers(0, width - wide + 1)
    pixels = pixels.copy()
    pixels[:, top : top + tall, left : left + wide] = 0
    return pixels
