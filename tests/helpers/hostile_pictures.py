"""Pictures that attack a decoder: valid, damaged and forged files of every accepted format.

They are a function of a seed. Their size follows from limits: small for tests, those of params.yaml
for benchmarks/hostile.py.
"""

import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

from tests.helpers.pictures import encoded, noise, png, png_chunk

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Scale:
    """The limits that hostile pictures come up to.

    Parameters
    ----------
    pixels : int
        Pixels of a large picture.
    size : int
        Bytes of a large file.
    """

    pixels: int
    size: int

    @property
    def side(self) -> int:
        """The side of a large square picture."""
        return int(self.pixels**0.5)


Make = Callable[[np.random.Generator, Scale], bytes]


def hostile_pictures(count: int, seed: int, scale: Scale) -> Iterator[tuple[str, bytes]]:
    """Yield hostile pictures, each with the name of its kind."""
    for number in range(count):
        make = KINDS[number % len(KINDS)]
        yield make.__name__, make(np.random.default_rng((seed, number)), scale)


def segment(marker: int, content: bytes) -> bytes:
    """Return a segment of a JPEG file."""
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def with_segments(jpeg: bytes, *segments: bytes) -> bytes:
    """Return a JPEG file with segments before its others."""
    return b"".join((jpeg[:2], *segments, jpeg[2:]))


def with_scans(jpeg: bytes, count: int) -> bytes:
    """Return a JPEG file whose last scan is repeated."""
    start = jpeg.rindex(b"\xff\xda")
    return jpeg[:start] + jpeg[start:-2] * count + jpeg[-2:]


def with_jpeg_size(jpeg: bytes, width: int, height: int) -> bytes:
    """Return a JPEG file that declares another size."""
    frame = next(jpeg.index(mark) for mark in (b"\xff\xc0", b"\xff\xc2") if mark in jpeg)
    return jpeg[: frame + 5] + struct.pack(">HH", height, width) + jpeg[frame + 9 :]


def exif_bomb(size: int) -> bytes:
    """Return EXIF data of about this size, of which each of up to 57,344 entries is all of them."""
    count = min(size // 12, 0xE000)
    length = max(size, 10 + 12 * count)
    entries = (struct.pack("<HHII", 0x1000 + tag, 1, length, 0) for tag in range(count))
    data = struct.pack("<4sIH", b"II*\x00", 8, count) + b"".join(entries)
    return data.ljust(length, b"\x00")


def _picture(rng: np.random.Generator, scale: Scale) -> Image.Image:
    """Return a picture of any size up to the largest, mostly a small one."""
    side = scale.side if rng.random() < 0.3 else int(rng.integers(8, 200))
    return noise(side, max(8, int(side * rng.uniform(0.3, 1.0))), int(rng.integers(1 << 30)))


def _bytes(rng: np.random.Generator, most: int) -> bytes:
    return rng.bytes(int(rng.integers(1, most)))


def _damaged(rng: np.random.Generator, body: bytes) -> bytes:
    """Return a file of which some bytes are changed, left out, repeated or cut off."""
    data = bytearray(body)
    for _ in range(int(rng.integers(1, 20))):
        start, end = sorted(int(value) for value in rng.integers(0, len(data), 2))
        end = min(end, start + 1000)
        match rng.integers(5):
            case 0:
                data[start] = int(rng.integers(256))
            case 1:
                data[start:end] = rng.bytes(end - start)
            case 2 if end - start < len(data) // 2:
                del data[start:end]
            case 3:
                data[start:start] = data[start:end]
            case _:
                data[start : start + 4] = b"\xff\xff\xff\xff"
    return bytes(data[: int(rng.integers(len(data)))] if rng.random() < 0.3 else data)


# JPEG


def jpeg_of_many_scans(rng: np.random.Generator, scale: Scale) -> bytes:
    """Return a progressive JPEG of up to 20,000 scans, each of which visits every pixel."""
    mode = str(rng.choice(["L", "RGB", "CMYK"]))
    side = int(scale.side / rng.choice([1, 3, 10, 30]))
    jpeg = encoded(Image.new(mode, (side, side)), progressive=True, subsampling=0)
    return with_scans(jpeg, int(rng.choice([2, 8, 30, 80, 20_000])))


def jpeg_of_empty_scans(rng: np.random.Generator, scale: Scale) -> bytes:
    """Return a progressive JPEG of scan headers without data."""
    jpeg = encoded(Image.new("RGB", (scale.side, scale.side)), progressive=True)
    scan = jpeg.rindex(b"\xff\xda")
    return jpeg[:-2] + jpeg[scan : scan + 10] * int(rng.integers(10, 5_000)) + jpeg[-2:]


def jpeg_of_many_segments(rng: np.random.Generator, scale: Scale) -> bytes:
    """Return a JPEG with up to millions of empty segments."""
    marker = int(rng.choice([0xFE, 0xE0, 0xE1, 0xE2, 0xED, 0xEE, 0xDB, 0xC4, 0xDD, 0xDC, 0xF0]))
    count = int(rng.integers(10, scale.size // 8))
    return with_segments(encoded(noise(64, 64)), segment(marker, b"") * count)


def jpeg_of_junk(rng: np.random.Generator, scale: Scale) -> bytes:
    """Return a JPEG with many bytes between its segments that belong to none."""
    junk = [b"\x00", b"\xff", b"\xff\x00", b"\xff\xd0", b"\xff\xd8", b"\xff\x05", b"\x41"]
    piece = junk[int(rng.integers(len(junk)))]
    body = encoded(noise(64, 64), progressive=bool(rng.integers(2)))
    padding = piece * (scale.size // 2 // len(piece))
    where = body.index(b"\xff\xda") if rng.integers(2) else len(body) - 2
    return body[:where] + padding + body[where:]


def jpeg_of_another_size(rng: np.random.Generator, scale: Scale) -> bytes:
    """Return a JPEG that declares more, or other, pixels than it has data for."""
    body = encoded(noise(64, 64), progressive=bool(rng.integers(2)))
    sizes = [(scale.side, scale.side), (8, 65_500), (65_500, 8), (0, 64), (64, 0), (65_500, 65_500)]
    return with_jpeg_size(body, *sizes[int(rng.integers(len(sizes)))])


def jpeg_of_two_frames(rng: np.random.Generator, scale: Scale) -> bytes:
    """Return a JPEG that declares two sizes."""
    large = struct.pack(">BHHB", 8, scale.side * 4, scale.side * 4, 1) + b"\x01\x11\x00"
    body = encoded(noise(64, 64))
    where = body.index(b"\xff\xda") if rng.integers(2) else 2
    return body[:where] + segment(0xC0 + 2 * int(rng.integers(2)), large) + body[where:]


def jpeg_of_restarts(rng: np.random.Generator, scale: Scale) -> bytes:
    """Return a JPEG whose restart markers are out of order, missing, or too many."""
    body = bytearray(encoded(_picture(rng, scale), restart_marker_blocks=int(rng.integers(1, 5))))
    places = [at for at in range(len(body) - 1) if body[at] == 0xFF and 0xD0 <= body[at + 1] < 0xD8]
    for at in rng.choice(places, min(len(places), 50)) if places else ():
        body[at + 1] = 0xD0 + int(rng.integers(8))
    return bytes(body)


def jpeg_without_end(rng: np.random.Generator, scale: Scale) -> bytes:
    """Return a JPEG without its end marker, or cut off anywhere."""
    mode = str(rng.choice(["L", "RGB", "CMYK"]))
    body = encoded(_picture(rng, scale).convert(mode), progressive=bool(rng.integers(2)))
    return body[:-2] if rng.integers(2) else body[: int(rng.integers(len(body)))]


def jpeg_of_four_inks(rng: np.random.Generator, scale: Scale) -> bytes:
    """Return a CMYK or YCCK JPEG, with or without Adobe's segment."""
    body = encoded(_picture(rng, scale).convert("CMYK"), progressive=bool(rng.integers(2)))
    adobe = segment(0xEE, b"Adobe\x00\x64\x00\x00\x00\x00" + bytes([int(rng.integers(4))]))
    return with_segments(body, *[adobe] * int(rng.integers(3)))


def jpeg_of_much_metadata(rng: np.random.Generator, scale: Scale) -> bytes:
    """Return a JPEG with large or malformed EXIF, XMP, ICC, MPF and Photoshop segments."""
    large = min(scale.size // 3, 65_500)
    contents = {
        0xE0: b"JFIF\x00" + _bytes(rng, 4),
        0xE1: b"Exif\x00\x00" + exif_bomb(large),
        0xE2: b"ICC_PROFILE\x00\x01\xff" + rng.bytes(large),
        0xED: b"Photoshop 3.0\x008BIM" + rng.bytes(large),
        0xEE: b"Adobe" + _bytes(rng, 4),
        0xFE: rng.bytes(large),
    }
    marker = int(rng.choice(list(contents)))
    mpf = segment(0xE2, b"MPF\x00MM\x00*" + rng.bytes(100))
    body = with_segments(encoded(noise(64, 64)), segment(marker, contents[marker]) * 3, mpf)
    return body + encoded(noise(32, 32))


def jpeg_of_strange_sampling(rng: np.random.Generator, scale: Scale) -> bytes:
    """Return a JPEG whose components have any sampling factors."""
    body = bytearray(encoded(_picture(rng, scale), progressive=bool(rng.integers(2))))
    frame = max(body.find(b"\xff\xc0"), body.find(b"\xff\xc2"))
    for component in range(3):
        body[frame + 11 + 3 * component] = int(rng.integers(1, 5)) * 16 + int(rng.integers(1, 5))
    return bytes(body)


# PNG


def png_of_one_line(rng: np.random.Generator, scale: Scale) -> bytes:
    """Return a PNG with one very long side."""
    short = int(rng.choice([1, 8]))
    sides = (short, scale.pixels // short)
    width, height = sides if rng.integers(2) else sides[::-1]
    return png(width, height, colours=0, data=bytes((width + 1) * height))


def png_of_many_pixels(rng: np.random.Generator, scale: Scale) -> bytes:
    """Return a small PNG file of a large picture, of any type of colours."""
    kinds = [(0, 1), (0, 16), (2, 8), (2, 16), (3, 8), (4, 8), (4, 16), (6, 8), (6, 16)]
    colours, depth = kinds[int(rng.integers(len(kinds)))]
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colours]
    extra = [png_chunk(b"PLTE", bytes(768)), png_chunk(b"tRNS", bytes(256))] if colours == 3 else []
    row = bytes([int(rng.integers(5))]) + bytes(-(-scale.side * channels * depth // 8))
    interlaced = bool(rng.integers(2))
    data = row * (scale.side * 2 if interlaced else scale.side)
    return png(
        scale.side, scale.side, colours, data, depth=depth, interlaced=interlaced, extra=extra
    )


def png_of_text_bombs(rng: np.random.Generator, scale: Scale) -> bytes:
    """Return a PNG whose compressed texts and profile expand a thousandfold."""
    bomb = zlib.compress(bytes(scale.size), 9)
    chunks = [
        png_chunk(b"iCCP", b"name\x00\x00" + bomb),
        png_chunk(b"zTXt", b"comment\x00\x00" + bomb),
        png_chunk(b"zTXt", b"Raw profile type exif\x00\x00" + bomb),
        png_chunk(b"iTXt", b"XML:com.adobe.xmp\x00\x01\x00\x00\x00" + bomb),
        png_chunk(b"tEXt", b"comment\x00" + bytes(scale.size // 10)),
        png_chunk(b"eXIf", exif_bomb(scale.size // 10)),
    ]
    chosen = rng.choice(len(chunks), int(rng.integers(1, 60)))
    extra = [chunks[each] for each in chosen]
    return png(64, 64, 2, bytes(193 * 64), extra=extra)[: scale.size]


def png_of_many_chunks(rng: np.random.Generator, scale: Scale) -> bytes:
    """Return a PNG with up to a million empty chunks."""
    names = [
        b"IDAT",
        b"tEXt",
        b"zTXt",
        b"iTXt",
        b"eXIf",
        b"abCd",
        b"tRNS",
        b"PLTE",
        b"fcTL",
        b"gAMA",
    ]
    name = names[int(rng.integers(len(names)))]
    extra = [png_chunk(name, b"") * int(rng.integers(10, scale.size // 13))]
    return png(64, 64, int(rng.choice([2, 3])), bytes(193 * 64), extra=extra)


def png_of_bad_chunks(rng: np.random.Generator, scale: Scale) -> bytes:
    """Return a PNG with wrong checksums, lengths, palettes and transparency."""
    names = [
        b"PLTE",
        b"tRNS",
        b"gAMA",
        b"cHRM",
        b"pHYs",
        b"sRGB",
        b"iCCP",
        b"acTL",
        b"fcTL",
        b"IHDR",
    ]
    extra = []
    for _ in range(int(rng.integers(1, 6))):
        name = names[int(rng.integers(len(names)))]
        chunk = png_chunk(name, rng.bytes(int(rng.integers(0, 900))))
        extra.append(chunk if rng.integers(2) else chunk[:-4] + b"oops")
    colours = int(rng.choice([0, 2, 3, 4, 6]))
    return png(64, 64, colours, rng.bytes(300 * 64)[: scale.size], extra=extra)


def png_animation(rng: np.random.Generator, scale: Scale) -> bytes:
    """Return an APNG whose frames lie."""
    frames = struct.pack(">II", int(rng.choice([0, 1, 2, 1 << 31])), 0)
    corner = [int(value) for value in rng.integers(0, 200, 4)]
    control = struct.pack(">5IHHBB", 0, *corner, 1, 0, int(rng.integers(4)), int(rng.integers(3)))
    extra = [png_chunk(b"acTL", frames), png_chunk(b"fcTL", control)]
    return png(scale.side, 64, 2, bytes((scale.side * 3 + 1) * 64), extra=extra)


# GIF


def _gif(*blocks: bytes, canvas: int = 64, frame: tuple[int, ...] = (0, 0, 64, 64)) -> bytes:
    """Return a GIF with blocks before its first frame, and any canvas and position of the frame."""
    body = encoded(noise(64, 64), "GIF")
    head = 13 + (6 << (body[10] & 7))
    image = body.index(b"," + struct.pack("<4H", 0, 0, 64, 64), head)
    screen = body[:6] + struct.pack("<HH", canvas, canvas) + body[10:head]
    return b"".join((screen, *blocks, b",", struct.pack("<4H", *frame), body[image + 9 :]))


def gif_of_many_blocks(rng: np.random.Generator, scale: Scale) -> bytes:
    """Return a GIF with up to millions of blocks, or of parts of a block, before its picture."""
    count = scale.size // 8
    blocks = [
        b"!\xfe" + b"\x01x" * count + b"\x00",
        b"!\xfe\x00" * count,
        b"!\xf9\x04\x01\x00\x00\x00\x00" * (count // 2),
        b"!\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00" * (count // 3),
        b"!\xff" + b"\xff" + bytes(255) + b"\xff" * count,
        b"junk" * count,
    ]
    return _gif(blocks[int(rng.integers(len(blocks)))])


def gif_of_a_strange_frame(rng: np.random.Generator, scale: Scale) -> bytes:
    """Return a GIF whose first frame is outside its canvas, or of another size."""
    values = [0, 1, 64, scale.side, 65_535]
    frame = tuple(int(value) for value in rng.choice(values, 4))
    side = int(rng.choice([0, 1, 64, scale.side]))
    return _gif(canvas=side, frame=frame)


def gif_of_many_frames(rng: np.random.Generator, scale: Scale) -> bytes:
    """Return an animation of many frames, each with its own palette and disposal."""
    frames = [noise(64, 64, int(rng.integers(1 << 30))) for _ in range(5)]
    body = encoded(
        frames[0], "GIF", save_all=True, append_images=frames[1:], disposal=int(rng.integers(4))
    )
    start = body.index(b"!\xf9")
    return body[:start] + body[start:-1] * (scale.size // len(body)) + body[-1:]


def gif_of_bad_data(rng: np.random.Generator, scale: Scale) -> bytes:
    """Return a GIF of damaged or endless data."""
    side = scale.side
    body = bytearray(encoded(Image.new("P", (side, side)), "GIF", transparency=0))
    data = body.index(b",") + 10
    body[data] = int(rng.integers(13))
    body[data + 1 :] = (b"\xff" + rng.bytes(255)) * min(scale.size // 256, 20_000)
    return bytes(body)


# WebP


def webp_of_many_pixels(rng: np.random.Generator, scale: Scale) -> bytes:
    """Return a large WebP picture, with transparent parts, of one colour."""
    side = int(scale.side / rng.choice([1, 1.42, 3]))
    image = Image.new("RGBA", (side, side), tuple(int(value) for value in rng.integers(0, 256, 4)))
    return encoded(image, "WEBP", lossless=bool(rng.integers(2)), method=0)


def webp_animation(rng: np.random.Generator, scale: Scale) -> bytes:
    """Return a WebP animation on a canvas of another size."""
    frames = [noise(64, 64, int(rng.integers(1 << 30))) for _ in range(3)]
    body = encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:], method=0)
    side = int(rng.choice([1, 64, scale.side, 16_383, 1 << 24]))
    canvas = (side - 1).to_bytes(3, "little")
    return body[:24] + canvas + canvas + body[30:]


def webp_of_many_chunks(rng: np.random.Generator, scale: Scale) -> bytes:
    """Return a WebP file with up to a million empty chunks."""
    body = encoded(noise(64, 64), "WEBP", exif=b"Exif\x00\x00" + exif_bomb(scale.size // 10))
    name = [b"abcd", b"EXIF", b"XMP ", b"ANMF", b"ALPH"][int(rng.integers(5))]
    chunks = (name + bytes(4)) * int(rng.integers(10, scale.size // 9))
    return b"RIFF" + struct.pack("<I", len(body) - 8 + len(chunks)) + body[8:] + chunks


# Others


def another_format(rng: np.random.Generator, scale: Scale) -> bytes:
    """Return a file of a format that is not accepted, or of one that begins as another does."""
    kind = str(rng.choice(["AVIF", "BMP", "TIFF", "ICO", "PPM", "JPEG2000"]))
    body = encoded(noise(64, 48), kind)
    heads = [b"", b"\xff\xd8\xff", _PNG_SIGNATURE, b"GIF89a", b"RIFF\x00\x01\x00\x00WEBPVP8X"]
    return (heads[int(rng.integers(len(heads)))] + body)[: scale.size]


def random_bytes(rng: np.random.Generator, scale: Scale) -> bytes:
    """Return random bytes after the first bytes of a format."""
    heads = [b"\xff\xd8\xff\xe0", _PNG_SIGNATURE, b"GIF89a", b"RIFF\x00\x01\x00\x00WEBPVP8 "]
    return heads[int(rng.integers(len(heads)))] + rng.bytes(int(rng.integers(scale.size)))


def tiny_picture(rng: np.random.Generator, scale: Scale) -> bytes:
    """Return a picture of a few pixels, or a thin line."""
    width = int(rng.choice([1, 2, 3, 7, 8, 9]))
    height = int(rng.choice([1, 2, 8, min(scale.side, 16_000)]))
    return encoded(noise(width, height), str(rng.choice(["JPEG", "PNG", "GIF", "WEBP"])))


def damaged_picture(rng: np.random.Generator, scale: Scale) -> bytes:
    """Return a picture of any format with damaged bytes."""
    kind = str(rng.choice(["JPEG", "PNG", "GIF", "WEBP"]))
    image = _picture(rng, scale) if kind == "JPEG" else noise(120, 80, int(rng.integers(1 << 30)))
    options = {"progressive": bool(rng.integers(2))} if kind == "JPEG" else {}
    return _damaged(rng, encoded(image, kind, **options))


KINDS: tuple[Make, ...] = (
    jpeg_of_many_scans,
    jpeg_of_empty_scans,
    jpeg_of_many_segments,
    jpeg_of_junk,
    jpeg_of_another_size,
    jpeg_of_two_frames,
    jpeg_of_restarts,
    jpeg_without_end,
    jpeg_of_four_inks,
    jpeg_of_much_metadata,
    jpeg_of_strange_sampling,
    png_of_one_line,
    png_of_many_pixels,
    png_of_text_bombs,
    png_of_many_chunks,
    png_of_bad_chunks,
    png_animation,
    gif_of_many_blocks,
    gif_of_a_strange_frame,
    gif_of_many_frames,
    gif_of_bad_data,
    webp_of_many_pixels,
    webp_animation,
    webp_of_many_chunks,
    another_format,
    random_bytes,
    tiny_picture,
    damaged_picture,
    damaged_picture,
)
