"""Decode image files from anywhere to small RGB pictures, and encode JPEG files."""

import base64
import io
import logging
import re
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import numpy as np
from PIL import Image

from amlc.images.fetch_result import (
    CANNOT_BE_DECODED,
    DAMAGED,
    TOO_MANY_BYTES,
    TOO_MANY_PIXELS,
    TOO_SMALL,
    TRUNCATED,
    FetchError,
    Picture,
    Retry,
)
from amlc.images.inspection import Inspected, inspect
from amlc.images.settings import PictureSettings

_LOG = logging.getLogger(__name__)

# Memory that decoding a WebP picture takes, in that of other formats: four copies of its pixels.
_WEBP_MEMORY = 2
# Pixels that are converted at once.
_STRIP_PIXELS = 1 << 20
# Irregular bytes that continue a JPEG file which may be cut off, enough for some blocks of pixels.
# Neither they nor their opposites are 255, which would begin a marker.
_CONTINUATION = bytes(1 + number * number * 31 % 251 for number in range(1000))
_RESTART = re.compile(rb"\xff[\xd0-\xd7]")
GREY = (128, 128, 128)
# What undoes each orientation of EXIF.
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


def decode(body: bytes, settings: PictureSettings, source: str = "a picture") -> Picture:
    """Check an image file and reduce it to a small RGB JPEG.

    Parameters
    ----------
    body : bytes
        Content of a JPEG, PNG, WebP or GIF file, or any other bytes. Only the first frame of an
        animation is read, and of metadata only the orientation.
    settings : PictureSettings
        The longest side of the result, to which a smaller picture is enlarged, its JPEG quality,
        and limits, which are checked before anything is decoded.
    source : str
        Its link or path, for the log.

    Returns
    -------
    Picture
        RGB, rotated according to its EXIF orientation, with white behind transparent parts.

    Raises
    ------
    FetchError
        `TOO_MANY_BYTES`, `TOO_MANY_PIXELS`, `TOO_SMALL`, `DAMAGED`, `CANNOT_BE_DECODED` or an
        error of `amlc.images.inspection.inspect`.
    """
    if len(body) > settings.max_bytes:
        raise FetchError(TOO_MANY_BYTES, Retry.AFTER_EXPIRY)
    try:
        return _decode(inspect(body), settings)
    except FetchError:
        raise
    except Exception as error:
        # Whatever the bytes of one picture do to a decoder, the run goes on.
        _LOG.warning("%s: cannot be decoded: %s: %s", source, type(error).__name__, error)
        raise FetchError(CANNOT_BE_DECODED, Retry.AFTER_EXPIRY) from error


def _decode(inspected: Inspected, settings: PictureSettings) -> Picture:
    size = inspected.size
    if min(size) < settings.min_side:
        raise FetchError(TOO_SMALL, Retry.AFTER_EXPIRY)
    memory = _WEBP_MEMORY if inspected.format == "WEBP" else 1
    if max(size) > settings.max_side or size[0] * size[1] * memory > settings.max_pixels:
        raise FetchError(TOO_MANY_PIXELS, Retry.AFTER_EXPIRY)
    longest = max(size)
    width, height = (max(1, round(side * settings.size / longest)) for side in size)
    try:
        if not inspected.ended and _is_cut_off(inspected.body):
            raise FetchError(TRUNCATED, Retry.AFTER_EXPIRY)
        image = _open(inspected)
        # Decodes a JPEG at a half, a quarter or an eighth of its size if that is enough.
        image.draft("RGB", (width, height))
        image.load()
        small = _resized(_rgb(image), width, height)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise FetchError(TOO_MANY_PIXELS, Retry.AFTER_EXPIRY) from None
    except _DECODE_ERRORS as error:
        reason = TRUNCATED if "truncated" in str(error).lower() else DAMAGED
        raise FetchError(reason, Retry.AFTER_EXPIRY) from None
    turn = _TURNS.get(inspected.orientation)
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


def _open(inspected: Inspected) -> Image.Image:
    image = Image.open(io.BytesIO(inspected.body), formats=(inspected.format,))
    if image.size != inspected.size:
        # It declares two sizes, of which only one was checked.
        raise FetchError(DAMAGED, Retry.AFTER_EXPIRY)
    return image


def _is_cut_off(jpeg: bytes) -> bool:
    """Return whether data are missing before the end marker of a JPEG file.

    Bytes that follow complete data are ignored; where data are missing, they become pixels. The
    second continuation has the opposite bits of the first.
    """
    restarts = _RESTART.findall(jpeg, jpeg.rindex(b"\xff\xda"))
    # The data may be cut off where a restart marker comes next.
    restart = bytes((0xFF, 0xD0 + (restarts[-1][1] + 1) % 8 if restarts else 0xD0))
    checksums = set()
    for bits in (_CONTINUATION, bytes(255 - byte for byte in _CONTINUATION)):
        body = b"".join((jpeg[:-2], bits, restart, bits, jpeg[-2:]))
        image = Image.open(io.BytesIO(body), formats=("JPEG",))
        image.load()
        checksum = 0
        for strip in _strips(image):
            checksum = zlib.crc32(strip.tobytes(), checksum)
        checksums.add(checksum)
    return len(checksums) > 1


def _resized(image: Image.Image, width: int, height: int) -> Image.Image:
    # Hamming reduces as well as bicubic and is faster, but is not made for enlarging.
    enlarges = width > image.width or height > image.height
    method = Image.Resampling.BICUBIC if enlarges else Image.Resampling.HAMMING
    return image.resize((width, height), method)


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB":
        return image
    converted = Image.new("RGB", image.size)
    top = 0
    for strip in _strips(image):
        converted.paste(_rgb_strip(strip), (0, top))
        top += strip.height
    return converted


def _strips(image: Image.Image) -> Iterator[Image.Image]:
    """Yield an image in parts, so that what is made of them takes little memory at a time."""
    rows = max(1, _STRIP_PIXELS // image.width)
    for top in range(0, image.height, rows):
        yield image.crop((0, top, image.width, min(top + rows, image.height)))


def _rgb_strip(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        # Pillow's conversion would clip 16-bit values at 255.
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        over_white = Image.new("RGB", image.size, (255, 255, 255))
        over_white.paste(image, mask=image.getchannel("A"))
        return over_white
    return image.convert("RGB")


def _picture(image: Image.Image, quality: int) -> Picture:
    return Picture(image.width, image.height, encode_jpeg(image, quality=quality))
