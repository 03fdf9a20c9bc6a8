"""Decode image files from anywhere to small RGB pictures, and encode JPEG files."""

import base64
import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import numpy as np
from PIL import Image

from amlc.images.fetch_result import (
    DAMAGED,
    NOT_AN_IMAGE,
    TOO_MANY_BYTES,
    TOO_MANY_PIXELS,
    TRUNCATED,
    FetchError,
    Picture,
    Retry,
)
from amlc.images.settings import PictureSettings

FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
GREY = (128, 128, 128)
# The EXIF tag of the orientation, and what undoes each of its values.
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
# What Pillow's decoders raise on malformed bytes.
_DECODE_ERRORS = (
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
def pillow_warning_filters() -> Iterator[None]:
    """Turn Pillow's warning of a decompression bomb into an error, and silence its others.

    Warning filters belong to the process, not to a thread: enter this once around all decoding.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def decode(body: bytes, settings: PictureSettings) -> Picture:
    """Check an image file and reduce it to a small RGB JPEG.

    Parameters
    ----------
    body : bytes
        Content of a JPEG, PNG, WebP or GIF file, or any other bytes. Only the first frame of an
        animation is read.
    settings : PictureSettings
        The longest side of the result, to which a smaller picture is enlarged, its JPEG quality,
        and limits: an image that declares too many pixels is refused before it is decoded.

    Returns
    -------
    Picture
        RGB, rotated according to its EXIF orientation, with white behind transparent parts.

    Raises
    ------
    FetchError
        `TOO_MANY_BYTES`, `NOT_AN_IMAGE`, `TOO_MANY_PIXELS`, `TRUNCATED` or `DAMAGED`.
    """
    if len(body) > settings.max_bytes:
        raise FetchError(TOO_MANY_BYTES, Retry.AFTER_EXPIRY)
    image = _open(body)
    if image.width * image.height > settings.max_pixels:
        raise FetchError(TOO_MANY_PIXELS, Retry.AFTER_EXPIRY)
    longest = max(image.size)
    width, height = (max(1, round(side * settings.size / longest)) for side in image.size)
    try:
        # Decodes a JPEG at a half, a quarter or an eighth of its size if that is enough.
        image.draft("RGB", (width, height))
        image.load()
        small = _resized(_rgb(image), width, height)
    except _DECODE_ERRORS as error:
        reason = TRUNCATED if "truncated" in str(error).lower() else DAMAGED
        raise FetchError(reason, Retry.AFTER_EXPIRY) from None
    turn = _TURNS.get(_orientation(image))
    return _picture(small.transpose(turn) if turn is not None else small, settings.quality)


def encode_jpeg(image: Image.Image, *, quality: int, optimize: bool = False) -> bytes:
    """Encode an image as a JPEG file, and return its bytes.

    Parameters
    ----------
    image : Image
        A Pillow image in a mode that JPEG supports.
    quality : int
        JPEG quality.
    optimize : bool
        Whether to compute Huffman tables for this image, which gives a smaller file but is slower.
    """
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality, optimize=optimize)
    return stream.getvalue()


def data_url(jpeg: bytes) -> str:
    """Return a data URL that holds a JPEG file (RFC 2397).

    Examples
    --------
    >>> data_url(b"JPEG")
    'data:image/jpeg;base64,SlBFRw=='
    """
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode('ascii')}"


@lru_cache
def placeholder(size: int, quality: int) -> Picture:
    """Return the grey picture, `size` by `size` pixels, that stands for a missing one."""
    return _picture(Image.new("RGB", (size, size), GREY), quality)


def _open(body: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(body), formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise FetchError(TOO_MANY_PIXELS, Retry.AFTER_EXPIRY) from None
    except _DECODE_ERRORS:
        raise FetchError(NOT_AN_IMAGE, Retry.AFTER_EXPIRY) from None


def _resized(image: Image.Image, width: int, height: int) -> Image.Image:
    # Hamming reduces as well as bicubic and is faster, but is not made for enlarging.
    enlarges = width > image.width or height > image.height
    method = Image.Resampling.BICUBIC if enlarges else Image.Resampling.HAMMING
    return image.resize((width, height), method)


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB":
        return image
    if image.mode.startswith("I"):
        # Pillow's conversion would clip 16-bit values at 255.
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        over_white = Image.new("RGB", image.size, (255, 255, 255))
        over_white.paste(image, mask=image.getchannel("A"))
        return over_white
    return image.convert("RGB")


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except _DECODE_ERRORS:
        # Damaged EXIF data says nothing about the pixels.
        return 1


def _picture(image: Image.Image, quality: int) -> Picture:
    return Picture(image.width, image.height, encode_jpeg(image, quality=quality))
