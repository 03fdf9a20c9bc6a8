"""From the bytes of a file to a small, checked RGB picture."""

import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import numpy as np
from PIL import Image

from amlc.images.outcome import (
    DAMAGED,
    NOT_AN_IMAGE,
    TOO_MANY_PIXELS,
    TRUNCATED,
    FetchError,
    Picture,
    Retry,
)

FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
GREY = (128, 128, 128)
_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# What Pillow's decoders raise on hostile bytes.
_BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    ArithmeticError,
    LookupError,
    EOFError,
    RuntimeError,
    AttributeError,
    MemoryError,
    struct.error,
    zlib.error,
)


@contextmanager
def pillow_warnings_settled() -> Iterator[None]:
    """Turn Pillow's warning of a decompression bomb into an error, and silence its others.

    Warning filters belong to the process, not to a thread: open this once around all decoding.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def decode(body: bytes, *, size: int, quality: int, max_pixels: int) -> Picture:
    """Check a file and reduce it to a small RGB JPEG.

    Parameters
    ----------
    body : bytes
        A JPEG, PNG, WebP or GIF file, or anything else. Of a moving picture the first frame
        counts; the others are not even looked for.
    size : int
        Longest side of the result, in pixels; a smaller picture is enlarged to it.
    quality : int
        JPEG quality of the result.
    max_pixels : int
        A picture that declares more is refused before anything of it is decoded.

    Returns
    -------
    Picture
        RGB, turned as its EXIF orientation says, transparent parts over white.

    Raises
    ------
    FetchError
        `NOT_AN_IMAGE`, `TOO_MANY_PIXELS`, `TRUNCATED` or `DAMAGED`.
    """
    image = _opened(body)
    if image.width * image.height > max_pixels:
        raise FetchError(TOO_MANY_PIXELS, Retry.AFTER_EXPIRY)
    target = _fitted(image.width, image.height, size)
    try:
        # A JPEG is decoded at a half, a quarter or an eighth of its size where that is enough.
        image.draft("RGB", target)
        image.load()
        small = _resized(_rgb(image), target)
    except _BROKEN as error:
        reason = TRUNCATED if "truncated" in str(error).lower() else DAMAGED
        raise FetchError(reason, Retry.AFTER_EXPIRY) from None
    turn = _TURNS.get(_orientation(image))
    return _encoded(small.transpose(turn) if turn is not None else small, quality)


@lru_cache
def placeholder(size: int, quality: int) -> Picture:
    """Return the grey picture that stands for one that could not be had."""
    return _encoded(Image.new("RGB", (size, size), GREY), quality)


def _opened(body: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(body), formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise FetchError(TOO_MANY_PIXELS, Retry.AFTER_EXPIRY) from None
    except _BROKEN:
        raise FetchError(NOT_AN_IMAGE, Retry.AFTER_EXPIRY) from None


def _fitted(width: int, height: int, size: int) -> tuple[int, int]:
    longest = max(width, height)
    return max(1, round(width * size / longest)), max(1, round(height * size / longest))


def _resized(image: Image.Image, target: tuple[int, int]) -> Image.Image:
    # Hamming reduces as well as bicubic and is quicker, but is not made for enlarging.
    larger = target[0] > image.width or target[1] > image.height
    kind = Image.Resampling.BICUBIC if larger else Image.Resampling.HAMMING
    return image.resize(target, kind)


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB":
        return image
    if image.mode.startswith("I"):
        # Pillow's own conversion cuts 16-bit values off at 255.
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        return _over_white(image.convert("RGBA"))
    return image.convert("RGB")


def _over_white(image: Image.Image) -> Image.Image:
    paper = Image.new("RGB", image.size, (255, 255, 255))
    paper.paste(image, mask=image.getchannel("A"))
    return paper


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except _BROKEN:
        # Broken EXIF data says nothing about the pixels.
        return 1


def _encoded(image: Image.Image, quality: int) -> Picture:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality)
    return Picture(image.width, image.height, stream.getvalue())
