"""Small pictures for tests."""

import io
import struct
import zlib
from collections.abc import Sequence

import numpy as np
from PIL import Image


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    """Return a smooth random picture: neighbouring pixels are similar, as in photographs."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def encoded(image: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    """Return the content of a picture's file."""
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def jpeg(seed: int = 0, width: int = 96, height: int = 64) -> bytes:
    """Return the content of a small JPEG file; each seed gives another picture."""
    return encoded(noise(width, height, seed))


def png_bomb(width: int = 30_000, height: int = 30_000) -> bytes:
    """Return the content of a small PNG file of a huge black picture."""
    return png(width, height, 2, bytes(1_000_000))


def png(
    width: int,
    height: int,
    colours: int,
    data: bytes,
    *,
    depth: int = 8,
    interlaced: bool = False,
    extra: Sequence[bytes] = (),
) -> bytes:
    """Return the content of a PNG file.

    Parameters
    ----------
    width, height : int
        What its header says, whatever the data.
    colours : int
        The type of its colours: 0 grey, 2 RGB, 3 palette, 4 grey with alpha, 6 RGB with alpha.
    data : bytes
        Its rows, each with a byte for the filter before it, before compression.
    depth : int
        Bits of a channel.
    interlaced : bool
        Whether the header says so.
    extra : sequence of bytes
        Chunks between header and data.
    """
    header = struct.pack(">IIBBBBB", width, height, depth, colours, 0, 0, interlaced)
    chunks = [(b"IDAT", zlib.compress(data, 9)), (b"IEND", b"")]
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            png_chunk(b"IHDR", header),
            *extra,
            *(png_chunk(name, content) for name, content in chunks),
        )
    )


def png_chunk(name: bytes, data: bytes) -> bytes:
    """Return a chunk of a PNG file."""
    checksum = zlib.crc32(name + data)
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", checksum)
