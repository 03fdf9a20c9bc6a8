"""Files are inspected before they are decoded: metadata stay out, too costly ones are refused."""

import struct
import tracemalloc
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from amlc.images import inspection
from amlc.images.fetch_result import FetchError
from amlc.images.inspection import MAX_PARTS, MAX_SCANNED_SAMPLES, MAX_SCANS, inspect
from tests.helpers.hostile_pictures import exif_bomb, segment, with_scans, with_segments
from tests.helpers.pictures import encoded, jpeg, noise, png, png_chunk

XMP = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
KINDS = ("JPEG", "PNG", "WEBP", "GIF")
SMALL = {kind: encoded(noise(24, 16), kind) for kind in KINDS}


def _exif(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x010F] = "A maker"
    exif[0x0112] = orientation
    return exif


def _plain_png(*extra: bytes) -> bytes:
    """Return a PNG file of 64 by 64 pixels with further chunks before its data."""
    rows = np.asarray(noise(64, 64)).reshape(64, 192)
    data = b"".join(b"\x00" + row.tobytes() for row in rows)
    return png(64, 64, 2, data, extra=extra)


@pytest.mark.parametrize("kind", KINDS)
def test_format_and_size_are_known_before_decoding(kind: str) -> None:
    """They are read from the header of every format."""
    inspected = inspect(encoded(noise(300, 200), kind))
    assert (inspected.format, inspected.size, inspected.orientation) == (kind, (300, 200), 1)
    assert inspected.ended


@pytest.mark.parametrize("options", [{"lossless": True}, {"quality": 50}, {"exif": _exif(3)}])
def test_each_kind_of_webp_says_its_size(options: dict[str, object]) -> None:
    """Lossy, lossless and extended files have it in different places."""
    assert inspect(encoded(noise(301, 7), "WEBP", **options)).size == (301, 7)


@pytest.mark.parametrize("kind", KINDS)
@given(st.data())
def test_any_bytes_are_inspected_or_refused(kind: str, data: st.DataObject) -> None:
    """The only error of damaged or cut files is a FetchError."""
    body = bytearray(SMALL[kind])
    for position in data.draw(st.lists(st.integers(0, len(body) - 1), max_size=8)):
        body[position] = data.draw(st.integers(0, 255))
    try:
        inspected = inspect(bytes(body[: data.draw(st.integers(0, len(body)))]))
    except FetchError:
        return
    assert inspected.format in KINDS


# Metadata


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_orientation_is_all_that_metadata_give(kind: str, orientation: int) -> None:
    """It is read from EXIF, of which a JPEG or PNG then has nothing left."""
    inspected = inspect(encoded(noise(40, 30), kind, exif=_exif(orientation)))
    assert inspected.orientation == orientation
    assert kind == "WEBP" or b"A maker" not in inspected.body


def _imagemagick(exif: Image.Exif) -> bytes:
    data = b"Exif\x00\x00" + exif.tobytes().removeprefix(b"Exif\x00\x00")
    return zlib.compress(b"\nexif\n%8d\n%s\n" % (len(data), data.hex().encode()))


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(encoded(noise(40, 30), xmp=XMP), id="JPEG, XMP"),
        pytest.param(encoded(noise(40, 30), "WEBP", xmp=XMP), id="WebP, XMP"),
        pytest.param(
            _plain_png(png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP)), id="PNG, XMP"
        ),
        pytest.param(
            _plain_png(
                png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(XMP)),
            ),
            id="compressed XMP",
        ),
        pytest.param(
            _plain_png(png_chunk(b"zTXt", b"Raw profile type exif\0\0" + _imagemagick(_exif(6)))),
            id="EXIF as text",
        ),
        pytest.param(
            encoded(noise(40, 30), exif=b"Exif\0\0Exif\0\0MM\0*\0\0\0\x08" + bytes.fromhex(
                "0001 0112 0004 00000001 00000006")),
            id="a long integer, and the header twice",
        ),
    ],
)  # fmt: skip
def test_orientation_is_found_wherever_writers_put_it(body: bytes) -> None:
    """XMP counts where there is no EXIF, and so does EXIF that ImageMagick wrote as text."""
    assert inspect(body).orientation == 6


@pytest.mark.parametrize(
    "exif",
    [
        b"",
        b"MM",
        b"II*\x00",
        b"MM\x00*\xff\xff\xff\xff garbage",
        b"II*\x00\x08\x00\x00\x00\xff\xff",
        struct.pack("<4sIHHHIHH", b"II*\x00", 8, 1, 0x0112, 3, 2, 6, 6),
        struct.pack("<4sIHHHII", b"II*\x00", 8, 1, 0x0112, 2, 1, 6),
    ],
)
def test_unreadable_exif_is_upright(exif: bytes) -> None:
    """Cut-off directories, offsets that lead nowhere and other types say nothing."""
    body = with_segments(jpeg(), segment(0xE1, b"Exif\x00\x00" + exif))
    assert inspect(body).orientation == 1


def test_exif_of_many_large_entries_is_not_copied() -> None:
    """5,000 entries that are each 60,000 bytes would be 300 MB."""
    body = with_segments(jpeg(), segment(0xE1, b"Exif\x00\x00" + exif_bomb(60_000)))
    tracemalloc.start()
    inspect(body)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


BOMB = zlib.compress(bytes(3_000_000))
UNREADABLE = {
    "large profile": png_chunk(b"iCCP", b"name\0\0" + BOMB),
    "profile of another method": png_chunk(b"iCCP", b"name\0\x07" + BOMB),
    "large compressed text": png_chunk(b"zTXt", b"comment\0\0" + BOMB),
    "text of another method": png_chunk(b"zTXt", b"comment\0\x07" + BOMB),
    "large XMP": png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + BOMB),
    "cut XMP": png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + BOMB[:100]),
    "EXIF as text, without digits": png_chunk(b"tEXt", b"Raw profile type exif\0\n\n\n\nzz"),
    "much text": png_chunk(b"tEXt", b"comment\0" + bytes(900_000)) * 2,
    "short gamma": png_chunk(b"gAMA", b"\0"),
    "short resolution": png_chunk(b"pHYs", b"\0"),
    "short colours": png_chunk(b"cHRM", b"\0"),
    "short animation": png_chunk(b"acTL", b"\0"),
    "short frame": png_chunk(b"fcTL", b"\0"),
    "short transparency": png_chunk(b"tRNS", b"\0"),
    "large private chunk": png_chunk(b"prIv", bytes(900_000)),
} | {
    f"wrong checksum of {name.decode()}": png_chunk(name, content)[:-4] + b"oops"
    for name, content in {
        b"gAMA": b"\0\0\xb1\x8f",
        b"pHYs": bytes(9),
        b"iCCP": b"name\0\0" + BOMB,
        b"tEXt": b"comment\0text",
        b"tRNS": bytes(6),
        b"eXIf": b"MM\0*" + bytes(4),
        b"tIME": bytes(7),
    }.items()
}


@pytest.mark.parametrize("chunk", UNREADABLE.values(), ids=UNREADABLE)
def test_metadata_of_a_png_that_cannot_be_read_are_left_out(chunk: bytes) -> None:
    """The picture is the same as without them."""
    assert inspect(_plain_png(chunk)) == inspect(_plain_png())


def test_colours_of_a_png_stay() -> None:
    """Palette and transparency belong to the picture."""
    image = noise(64, 64).quantize(16)
    inspected = inspect(encoded(image, "PNG", transparency=bytes(range(16))))
    assert b"PLTE" in inspected.body
    assert b"tRNS" in inspected.body


def test_a_wrong_checksum_of_the_header_is_kept_for_the_decoder() -> None:
    """What the picture depends on is not repaired."""
    body = _plain_png()
    damaged = body.replace(body[29:33], b"oops")
    assert b"oops" in inspect(damaged).body


@pytest.mark.parametrize(
    "extra",
    [
        segment(0xFE, b"comment" * 9_000) * 20,
        segment(0xE2, b"ICC_PROFILE\0\1\1" + bytes(60_000)),
        segment(0xE2, b"MPF\0MM\0*" + bytes(100)),
        segment(0xED, b"Photoshop 3.0\x008BIM" + bytes(60_000)),
        segment(0xE0, b"JFIF\0"),
        segment(0xEE, b"Adobe"),
        b"\xff\xe1\x00\x01",
        b"\xff\xe1\xff\xff",
        b"\xff" * 1_000,
        segment(0xFE, b"") + b"neither a marker nor a segment",
    ],
)
def test_metadata_of_a_jpeg_are_left_out(extra: bytes) -> None:
    """Comments, profiles, the index of an MPO, malformed ones too, and bytes between segments."""
    assert inspect(with_segments(jpeg(), extra)) == inspect(jpeg())


def test_what_follows_the_end_of_a_jpeg_is_left_out() -> None:
    """Such as the further pictures of an MPO."""
    assert inspect(jpeg(1) + jpeg(2)) == inspect(jpeg(1))


def test_only_the_transparency_of_a_gif_is_kept() -> None:
    """Comments and other extensions before the first frame are left out."""
    image = noise(64, 64).quantize(16)
    plain = encoded(image, "GIF", transparency=3)
    start = plain.index(b"!\xf9")
    extra = b"!\xfe" + (b"\xff" + bytes(255)) * 300 + b"\0" + b"!\xff\x0bNETSCAPE2.0\3\1\0\0\0"
    assert inspect(plain[:start] + extra + plain[start:]) == inspect(plain)


# Bounds


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(with_segments(jpeg(), segment(0xFE, b"") * MAX_PARTS), id="segments"),
        pytest.param(_plain_png(png_chunk(b"abCd", b"") * MAX_PARTS), id="chunks"),
        pytest.param(_plain_png(png_chunk(b"IDAT", b"") * MAX_PARTS), id="empty data"),
        pytest.param(b"GIF89a" + bytes(7) + b"!\xfe\0" * MAX_PARTS, id="blocks"),
        pytest.param(
            encoded(noise(9, 9), "WEBP", exif=_exif(1)) + b"abcd\0\0\0\0" * MAX_PARTS,
            id="WebP chunks",
        ),
        pytest.param(
            with_scans(encoded(noise(32, 32), progressive=True), MAX_SCANS), id="many scans"
        ),
        pytest.param(with_scans(encoded(noise(32, 32), progressive=True), 20_000), id="scans"),
    ],
)
def test_too_many_parts_are_refused(body: bytes) -> None:
    """A file is given up in the middle, long before its end."""
    with pytest.raises(FetchError, match="too many parts"):
        inspect(body)


def test_scans_of_many_pixels_are_fewer() -> None:
    """Each scan visits every sample: their product is bounded, too."""
    side = 5_000
    scans = MAX_SCANNED_SAMPLES // side**2
    body = encoded(Image.new("L", (side, side)), progressive=True)
    own = body.count(b"\xff\xda")
    assert inspect(with_scans(body, scans - own + 1)).size == (side, side)
    with pytest.raises(FetchError, match="too many parts"):
        inspect(with_scans(body, scans - own + 2))


def test_scans_that_encoders_write_are_enough() -> None:
    """The largest picture of default settings with the most scans of an encoder is accepted."""
    body = encoded(noise(64, 64).convert("CMYK"), progressive=True)
    scans = [body[at + 4] for at in range(len(body) - 4) if body[at : at + 2] == b"\xff\xda"]
    assert len(scans) < MAX_SCANS / 2
    assert sum(scans) * 25_000_000 < MAX_SCANNED_SAMPLES


def test_a_jpeg_is_searched_once() -> None:
    """Neither fill bytes nor restart markers nor stuffed bytes make the search start again."""
    searches = 0

    class Counted:
        def search(self, body: bytes, position: int) -> object:
            nonlocal searches
            searches += 1
            return pattern.search(body, position)

    pattern = inspection.JPEG_MARKER
    body = jpeg()
    scan = body.index(b"\xff\xda") + 20
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inspection, "JPEG_MARKER", Counted())
        inspect(body)
        few, searches = searches, 0
        for piece in (b"\xff", b"\xff\x00", b"\xff\xd0", b"\x00"):
            inspect(body[:scan] + piece * 100_000 + body[scan:])
            assert searches == few
            searches = 0


# A JPEG without its end


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("end", [b"", b"\xff", b"\0" * 500, b"\xff" + b"\0" * 500])
def test_a_missing_end_marker_is_added(end: bytes, *, progressive: bool) -> None:
    """A half of it, or zeros in its place, are left out."""
    whole = encoded(noise(64, 48), progressive=progressive)
    inspected = inspect(whole[:-2] + end)
    assert not inspected.ended
    assert inspected.body[-2:] == b"\xff\xd9"
    if not end.startswith(b"\xff\0"):
        assert inspected.body == inspect(whole).body


def test_a_progressive_jpeg_without_its_last_scan_is_cut_off() -> None:
    """All the scans that are there are complete, but some bits are in none."""
    whole = encoded(noise(64, 48), progressive=True)
    with pytest.raises(FetchError, match="truncated body"):
        inspect(whole[: whole.rindex(b"\xff\xc4")])


# Formats


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (encoded(noise(32, 32), "AVIF"), "AVIF"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf" + bytes(50), "AVIF"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(50), "HEIC"),
    ],
)
def test_a_format_that_is_not_accepted_is_named(body: bytes, name: str) -> None:
    """What a browser shows is not called something else than an image."""
    with pytest.raises(FetchError, match=f"^image format not accepted: {name}$"):
        inspect(body)


Change = Callable[[bytes], bytes]


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body[: body.index(b"IDAT") - 4],
        lambda body: body[:20],
        lambda body: body[:8] + png_chunk(b"CgBI", b"\0\0\0\0") + body[8:],
        lambda body: body.replace(b"IDAT", b"iDAT"),
    ],
)
def test_a_png_without_header_or_data_is_not_an_image(change: Change) -> None:
    """Nor is Apple's variant, which begins with another chunk."""
    with pytest.raises(FetchError, match="not an image"):
        inspect(change(_plain_png()))


def test_text_after_the_data_of_a_png_counts() -> None:
    """Writers put metadata there, too."""
    text = PngImagePlugin.PngInfo()
    text.add(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP, after_idat=True)
    assert inspect(encoded(noise(40, 30), "PNG", pnginfo=text)).orientation == 6
