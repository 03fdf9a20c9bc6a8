"""Inspect an image file without decoding it: its format, its size, and the parts that matter.

Metadata that a decoder would stumble over, or copy many times, never reaches it: only the parts of
the first picture do. A file of too many parts, which cost time before any pixel does, is refused.
"""

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from amlc.images.fetch_result import (
    AVIF_NOT_ACCEPTED,
    HEIC_NOT_ACCEPTED,
    NOT_AN_IMAGE,
    TOO_MANY_PARTS,
    TRUNCATED,
    FetchError,
    Retry,
)
from amlc.images.orientation import EXIF_HEADER, stated_orientation

# Chunks of a PNG or WebP file, segments of a JPEG file, blocks of a GIF file. Honest files have
# a few thousand at most.
MAX_PARTS = 100_000
# Scans of a JPEG file. Encoders write 18 at most.
MAX_SCANS = 100
# A scan takes time for every sample of its components, whatever its number of bytes. A CMYK picture
# of 25 million pixels has 600 million samples in its 18 scans, which take about a second.
MAX_SCANNED_SAMPLES = 800_000_000
# An EXIF or XMP text of a PNG file is read up to this size, in bytes.
_MAX_TEXT = 1_000_000

_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_CHUNK = struct.Struct(">I4s")
# Shortest transparency chunk by type of colours: a grey value, a colour, an entry of a palette.
_PNG_TRANSPARENCY = {0: 2, 2: 6, 3: 1}
_PNG_TEXTS = frozenset({b"tEXt", b"zTXt", b"iTXt"})
_XMP_KEYWORD, _EXIF_KEYWORD = b"XML:com.adobe.xmp", b"Raw profile type exif"

# Markers with a segment, and the end marker; not stuffed bytes, restart markers or fill bytes.
JPEG_MARKER = re.compile(rb"\xff[\xc0-\xcf\xd9-\xfe]")
# So many zeros are padding, not data: those of a file that was only begun would become pixels.
_ZEROS = bytes(8)
_JPEG_START, _JPEG_END = b"\xff\xd8", b"\xff\xd9"
_SOS, _EOI, _APP0, _APP1, _APP14 = 0xDA, 0xD9, 0xE0, 0xE1, 0xEE
_SOF = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# Definitions of quantization tables, Huffman tables, arithmetic conditioning, restart intervals.
_JPEG_TABLES = frozenset({0xDB, 0xC4, 0xCC, 0xDD})
# Shortest segments by which a decoder tells the colour space: those of JFIF and of Adobe.
_JPEG_COLOURS = {_APP0: 16, _APP14: 14}
_XMP_HEADER = b"http://ns.adobe.com/xap/1.0/\x00"

_GIF_BLOCK = re.compile(rb"[!,;]")
# A graphic control block of four bytes.
_GIF_CONTROL = b"\xf9\x04"


@dataclass(frozen=True, slots=True)
class Inspected:
    """What is known of an image file before it is decoded.

    Parameters
    ----------
    format : str
        ``"JPEG"``, ``"PNG"``, ``"WEBP"`` or ``"GIF"``.
    size : tuple of int
        Width and height in pixels.
    body : bytes
        A file of the first picture alone, without metadata; of WebP, the file as it was.
    orientation : int
        According to EXIF, or else XMP: 1 to 8; 1 is upright.
    ended : bool
        False for a JPEG file without its end marker, which `body` has. It has all its scans; the
        last one may be cut off.
    """

    format: str
    size: tuple[int, int]
    body: bytes
    orientation: int = 1
    ended: bool = True


def inspect(body: bytes) -> Inspected:
    """Inspect an image file.

    Raises
    ------
    FetchError
        `NOT_AN_IMAGE`, `TRUNCATED`, `TOO_MANY_PARTS`, or the name of a format that is not accepted.
    """
    if body.startswith(_JPEG_START + b"\xff"):
        return _inspect_jpeg(body)
    if body.startswith(_PNG):
        return _inspect_png(body)
    if body.startswith((b"GIF87a", b"GIF89a")):
        return _inspect_gif(body)
    if body.startswith(b"RIFF") and body[8:12] == b"WEBP":
        return _inspect_webp(body)
    # In the file type box: the brand, then its version and the compatible brands.
    brands = body[8 : min(int.from_bytes(body[:4]), 200)] if body[4:8] == b"ftyp" else b""
    # AVIF is not decoded: its data need not have the size that its header says, 2 KB of them may be
    # 256 million pixels, and Pillow cannot set the decoder's limit.
    if b"avif" in brands or b"avis" in brands:
        raise _refused(AVIF_NOT_ACCEPTED)
    if b"heic" in brands or b"heix" in brands or b"mif1" in brands:
        raise _refused(HEIC_NOT_ACCEPTED)
    raise _refused(NOT_AN_IMAGE)


def _refused(reason: str) -> FetchError:
    return FetchError(reason, Retry.AFTER_EXPIRY)


class _Jpeg:
    """The parts of a JPEG file that matter, as they are found."""

    def __init__(self) -> None:
        self.size: tuple[int, int] | None = None
        self.kept = [_JPEG_START]
        self.exif = self.xmp = b""
        self.scans = self.samples = 0
        self._components = 0
        # Coefficients that were given to their last bit, by component.
        self._coefficients: dict[int, set[int]] = {}

    def add(self, marker: int, segment: bytes, data: bytes) -> None:
        """Add a segment, and the data that follow if it is the header of a scan."""
        if marker == _SOS:
            self._add_scan(segment)
            self.kept += (segment, data)
        elif marker in _SOF:
            if self.size is None and len(segment) >= 10:
                self.size = int.from_bytes(segment[7:9]), int.from_bytes(segment[5:7])
                self._components = segment[9]
            self.kept.append(segment)
        elif marker in _JPEG_TABLES or len(segment) >= _JPEG_COLOURS.get(marker, 1 << 17):
            self.kept.append(segment)
        elif marker == _APP1 and segment[4:].startswith(EXIF_HEADER):
            self.exif = self.exif or segment[4:]
        elif marker == _APP1 and segment[4:].startswith(_XMP_HEADER):
            self.xmp = self.xmp or segment[4:]

    def _add_scan(self, header: bytes) -> None:
        if self.size is None or len(header) < 10:
            raise _refused(NOT_AN_IMAGE)
        components = header[4]
        self.scans += 1
        self.samples += self.size[0] * self.size[1] * components
        if self.scans > MAX_SCANS or self.samples > MAX_SCANNED_SAMPLES:
            raise _refused(TOO_MANY_PARTS)
        first, last, precision = header[-3:]
        if precision & 15 == 0:
            for component in header[5 : 5 + 2 * components : 2]:
                self._coefficients.setdefault(component, set()).update(range(first, last + 1))

    def has_all_scans(self) -> bool:
        """Return whether every coefficient of every component is in some scan."""
        given = self._coefficients.values()
        return len(given) == self._components and all(len(each) >= 64 for each in given)


def _inspect_jpeg(body: bytes) -> Inspected:
    jpeg, marker = _Jpeg(), 0
    for marker, segment, data in _jpeg_segments(body):
        jpeg.add(marker, segment, data)
    if jpeg.size is None or not jpeg.scans:
        raise _refused(NOT_AN_IMAGE)
    ended = marker == _EOI
    if not ended:
        # Finding out whether the last scan is complete takes two more decodings.
        if not jpeg.has_all_scans() or 3 * jpeg.samples > MAX_SCANNED_SAMPLES:
            raise _refused(TRUNCATED)
        jpeg.kept[-1] = _without_padding(jpeg.kept[-1])
    whole = b"".join((*jpeg.kept, _JPEG_END))
    return Inspected("JPEG", jpeg.size, whole, stated_orientation(jpeg.exif, jpeg.xmp), ended)


def _jpeg_segments(body: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield each segment with its marker and, of a scan, the data; the end marker comes last."""
    position = len(_JPEG_START)
    for _ in range(MAX_PARTS):
        found = JPEG_MARKER.search(body, position)
        if found is None:
            return
        start, marker = found.start(), body[found.end() - 1]
        if marker == _EOI:
            yield marker, b"", b""
            return
        position = start + 2 + int.from_bytes(body[start + 2 : start + 4])
        if not start + 4 <= position <= len(body):
            # Not a segment, or a malformed one: look for the next.
            position = start + 2
            continue
        segment, data = body[start:position], b""
        if marker == _SOS:
            following = JPEG_MARKER.search(body, position)
            end = following.start() if following is not None else len(body)
            data, position = body[position:end], end
        yield marker, segment, data
    raise _refused(TOO_MANY_PARTS)


def _without_padding(scan: bytes) -> bytes:
    """Return a last scan without the zeros, or the first half of an end marker, after its data."""
    if scan.endswith(_ZEROS):
        # A zero after 255 belongs to the data.
        data = scan.rstrip(b"\x00")
        return data + b"\x00" if data.endswith(b"\xff") else data
    return scan.rstrip(b"\xff")


class _Png:
    """The parts of a PNG file that matter, as they are found."""

    def __init__(self) -> None:
        self.header = b""
        self.colours: list[bytes] = []
        self.data: list[memoryview] = []
        self.exif = self.xmp = self.exif_text = b""

    def add(self, name: bytes, chunk: memoryview, *, follows: bool) -> None:
        """Add a chunk; `follows` says whether the one before it has the same name."""
        # Shorter than it declares where the file is cut off.
        content = chunk[8 : 8 + int.from_bytes(chunk[:4])]
        if name == b"IDAT":
            # Data after another chunk are not the picture's.
            if follows or not self.data:
                self.data.append(content)
        elif name == b"PLTE":
            self.colours.append(bytes(chunk))
        elif zlib.crc32(chunk[4:-4]).to_bytes(4) != chunk[-4:]:
            # A picture does not depend on other chunks.
            return
        elif name == b"tRNS" and len(content) >= _PNG_TRANSPARENCY.get(self.header[25], 1 << 32):
            self.colours.append(bytes(chunk))
        elif name == b"eXIf":
            self.exif = bytes(content)
        elif name in _PNG_TEXTS:
            self._add_text(name, bytes(content))

    def _add_text(self, name: bytes, content: bytes) -> None:
        keyword, _, text = content.partition(b"\x00")
        if keyword not in {_XMP_KEYWORD, _EXIF_KEYWORD}:
            return
        compressed = name == b"zTXt"
        if name == b"iTXt":
            compressed = text[:1] != b"\x00"
            # Two flags, then language and translated keyword, which end with a zero byte.
            text = text[2:].split(b"\x00", 2)[-1]
        elif compressed:
            text = text[1:]
        if compressed:
            text = _decompressed(text)
        if keyword == _XMP_KEYWORD:
            self.xmp = text
        else:
            self.exif_text = text

    def orientation(self) -> int:
        """Return the orientation that its metadata state."""
        return stated_orientation(self.exif or _from_hexadecimal(self.exif_text), self.xmp)


def _inspect_png(body: bytes) -> Inspected:
    png, previous = _Png(), b""
    for name, chunk in _png_chunks(body):
        if previous:
            png.add(name, chunk, follows=name == previous)
        elif name == b"IHDR" and len(chunk) >= 25:
            png.header = _PNG + bytes(chunk)
        else:
            break
        previous = name
    if not png.data:
        raise _refused(NOT_AN_IMAGE)
    parts = (*_png_chunk(b"IDAT", png.data), *_png_chunk(b"IEND", []))
    whole = b"".join((png.header, *png.colours, *parts))
    width, height = struct.unpack_from(">II", png.header, 16)
    return Inspected("PNG", (width, height), whole, png.orientation())


def _png_chunks(body: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Yield the name of each chunk and the whole chunk; the last one may be cut off."""
    view, position = memoryview(body), len(_PNG)
    for _ in range(MAX_PARTS):
        if len(body) < position + _PNG_CHUNK.size:
            return
        length, name = _PNG_CHUNK.unpack_from(body, position)
        if name == b"IEND" or not name.isalpha():
            return
        chunk = view[position : position + 12 + length]
        yield name, chunk
        position += 12 + length
    raise _refused(TOO_MANY_PARTS)


def _png_chunk(name: bytes, contents: list[memoryview]) -> Iterator[bytes | memoryview]:
    checksum = zlib.crc32(name)
    for content in contents:
        checksum = zlib.crc32(content, checksum)
    yield _PNG_CHUNK.pack(sum(map(len, contents)), name)
    yield from contents
    yield checksum.to_bytes(4)


def _decompressed(text: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(text, _MAX_TEXT)
    except zlib.error:
        return b""


def _from_hexadecimal(text: bytes) -> bytes:
    """Return the EXIF data that ImageMagick writes as text, after three lines."""
    try:
        return bytes.fromhex(b"".join(text.split(b"\n")[3:]).decode("ascii"))
    except ValueError:
        return b""


def _inspect_gif(body: bytes) -> Inspected:
    if len(body) < 13:
        raise _refused(NOT_AN_IMAGE)
    width, height, flags = struct.unpack_from("<HHB", body, 6)
    position = 13 + (6 << (flags & 7) if flags & 128 else 0)
    kept = [body[:position]]
    for _ in range(MAX_PARTS):
        found = _GIF_BLOCK.search(body, position)
        if found is None or found.group() == b";":
            raise _refused(NOT_AN_IMAGE)
        start = found.start()
        if found.group() == b",":
            break
        position = start + 2
        while position < len(body) and body[position]:
            position += 1 + body[position]
        position += 1
        if body[start + 1 : start + 3] == _GIF_CONTROL:
            kept.append(body[start:position])
    else:
        raise _refused(TOO_MANY_PARTS)
    if len(body) < start + 10:
        raise _refused(NOT_AN_IMAGE)
    left, top, columns, rows = struct.unpack_from("<4H", body, start + 1)
    # A decoder enlarges the canvas to a frame that does not fit.
    size = max(width, left + columns), max(height, top + rows)
    return Inspected("GIF", size, b"".join((*kept, body[start:])))


def _inspect_webp(body: bytes) -> Inspected:
    kind = body[12:16]
    if kind == b"VP8X":
        width, height = (1 + _little(body[start : start + 3]) for start in (24, 27))
        chunks = _webp_metadata(body)
        orientation = stated_orientation(chunks.get(b"EXIF", b""), chunks.get(b"XMP ", b""))
        return Inspected("WEBP", (width, height), body, orientation)
    if kind == b"VP8L":
        bits = _little(body[21:25])
        return Inspected("WEBP", (1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)), body)
    width, height = (_little(body[start : start + 2]) & 0x3FFF for start in (26, 28))
    return Inspected("WEBP", (width, height), body)


def _little(number: bytes) -> int:
    return int.from_bytes(number, "little")


def _webp_metadata(body: bytes) -> dict[bytes, bytes]:
    """Return the chunks of EXIF and XMP, the first of each."""
    chunks: dict[bytes, bytes] = {}
    position = 12
    for _ in range(MAX_PARTS):
        if len(body) < position + 8:
            return chunks
        name, length = struct.unpack_from("<4sI", body, position)
        if name in {b"EXIF", b"XMP "}:
            chunks.setdefault(name, body[position + 8 : position + 8 + length])
        position += 8 + length + length % 2
    raise _refused(TOO_MANY_PARTS)
