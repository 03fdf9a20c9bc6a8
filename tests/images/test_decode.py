"""Every kind of picture becomes a small RGB JPEG; anything else is an error with its reason."""

import contextlib
import io
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from amlc.images.decode import decode, encode_jpeg, placeholder
from amlc.images.fetch_result import FetchError, Picture
from amlc.images.settings import PictureSettings
from tests.helpers.hostile_pictures import segment, with_jpeg_size, with_scans
from tests.helpers.pictures import encoded, jpeg, noise, png, png_bomb

SETTINGS = PictureSettings(
    size=64,
    quality=90,
    max_bytes=5_000_000,
    max_pixels=1_000_000,
    max_side=20_000,
    min_side=8,
)


def _decode(body: bytes, size: int = 64) -> Picture:
    return decode(body, SETTINGS.model_copy(update={"size": size}))


def _pixels(picture: Picture) -> np.ndarray:
    image = Image.open(io.BytesIO(picture.data))
    assert (image.format, image.mode) == ("JPEG", "RGB")
    assert image.size == (picture.width, picture.height)
    return np.asarray(image, dtype=np.int64)


def _close(body: bytes, expected: Image.Image, size: int = 64) -> bool:
    """Return whether a file decodes to about the same as a picture that was only resized."""
    picture = _decode(body, size)
    reference = expected.convert("RGB").resize((picture.width, picture.height))
    difference = np.abs(_pixels(picture) - np.asarray(reference, dtype=np.int64))
    # A wrong channel, a negative or a shift is far above; JPEG and a palette stay below.
    return float(difference.mean()) < 12


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
def test_each_format_keeps_its_appearance(kind: str) -> None:
    """All four formats decode to the picture that was encoded."""
    image = noise(400, 300)
    assert _close(encoded(image, kind), image)


@pytest.mark.parametrize(
    ("width", "height", "expected"),
    [(400, 300, (64, 48)), (300, 400, (48, 64)), (20, 10, (64, 32)), (8, 9_000, (1, 64))],
)
def test_the_longest_side_is_the_size(width: int, height: int, expected: tuple[int, int]) -> None:
    """Larger pictures are reduced, smaller ones enlarged, and each side has at least one pixel."""
    picture = _decode(jpeg(0, width, height))
    assert (picture.width, picture.height) == expected


@pytest.mark.parametrize("mode", ["L", "CMYK", "YCbCr"])
def test_jpeg_modes_become_rgb(mode: str) -> None:
    """Grey and CMYK JPEGs keep their appearance."""
    image = noise(200, 200).convert(mode)
    assert _close(encoded(image), image)


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA", "RGB"])
def test_png_modes_become_rgb(mode: str) -> None:
    """Every PNG mode without transparent parts keeps its appearance."""
    image = noise(64, 64)
    image = image.quantize(64, dither=Image.Dither.NONE) if mode == "P" else image.convert(mode)
    assert _close(encoded(image, "PNG"), image)


def test_sixteen_bits_are_scaled_not_clipped() -> None:
    """A 16-bit grey ramp stays a ramp."""
    ramp = np.tile(np.linspace(0, 65_535, 64).astype(np.uint16), (64, 1))
    pixels = _pixels(_decode(encoded(Image.fromarray(ramp), "PNG")))
    assert np.abs(pixels[32, :, 0] - np.linspace(0, 255, 64)).max() < 6


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparent_parts_are_white(mode: str) -> None:
    """Transparent pixels become white, whatever colour they store."""
    clear = Image.new("RGBA", (64, 64), (200, 0, 0, 0))
    if mode == "P":
        image = Image.new("P", (64, 64), 1)
        image.putpalette([255, 0, 0, 0, 0, 0])
        body = encoded(image, "PNG", transparency=1)
    else:
        body = encoded(clear.convert(mode), "PNG")
    assert _pixels(_decode(body)).min() >= 254


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation: int) -> None:
    """The red corner of a picture moves to where its orientation says."""
    image = Image.new("RGB", (64, 32), "white")
    image.paste("red", (0, 0, 16, 16))
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = _pixels(_decode(encoded(image, exif=exif)))
    red = pixels[:, :, 1] < 100
    rows, columns = np.logical_or.reduce(red, axis=1), np.logical_or.reduce(red, axis=0)
    corner = (rows[0], columns[0], pixels.shape[:2])
    tall, wide = (64, 32), (32, 64)
    assert (
        corner
        == {
            1: (True, True, wide),
            2: (True, False, wide),
            3: (False, False, wide),
            4: (False, True, wide),
            5: (True, True, tall),
            6: (True, False, tall),
            7: (False, False, tall),
            8: (False, True, tall),
        }[orientation]
    )


def test_an_animation_gives_its_first_frame() -> None:
    """A GIF of several frames gives the first one."""
    first, second = Image.new("RGB", (32, 32), "red"), Image.new("RGB", (32, 32), "blue")
    body = encoded(first, "GIF", save_all=True, append_images=[second] * 5)
    red, _, blue = _pixels(_decode(body)).mean(axis=(0, 1))
    assert red > 200
    assert blue < 60


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>no</html>", b"\xff\xd8\xff", b"GIF89a", b"BM" + bytes(100), b"%!PS-Adobe-3.0"],
)
def test_other_content_is_not_an_image(body: bytes) -> None:
    """HTML, fragments and other formats are refused."""
    with pytest.raises(FetchError, match="not an image"):
        _decode(body)


@pytest.mark.parametrize("kind", ["BMP", "TIFF", "PPM", "ICO"])
def test_other_formats_are_not_read(kind: str) -> None:
    """Downloaded bytes reach only four decoders."""
    with pytest.raises(FetchError, match="not an image"):
        _decode(encoded(noise(32, 32), kind))


@pytest.mark.parametrize("side", [1001, 12_000, 30_000])
def test_a_bomb_is_refused_before_it_is_decoded(side: int) -> None:
    """Too many declared pixels, below and above Pillow's own limit, are the same error."""
    with pytest.raises(FetchError, match="too many pixels"):
        _decode(png_bomb(side, side))


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9, 0.99])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_truncated_file_is_never_a_picture(kind: str, share: float) -> None:
    """A file that ends early never gives a half-grey picture."""
    body = encoded(noise(300, 200), kind)
    with pytest.raises(FetchError):
        _decode(body[: int(len(body) * share)])


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"progressive": True},
        {"subsampling": 0, "quality": 95},
        {"restart_marker_blocks": 2},
        {"optimize": True, "quality": 20},
    ],
)
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_jpeg_that_lacks_only_its_end_marker_is_a_picture(
    mode: str, options: dict[str, bool | int]
) -> None:
    """The same one as with it; cut off anywhere before, it is none, or lacks no pixel."""
    rough = np.random.default_rng(0).integers(-30, 30, (32, 40, 3))
    image = Image.fromarray(np.clip(np.asarray(noise(40, 32)) + rough, 0, 255).astype(np.uint8))
    body = encoded(image.convert(mode), "JPEG", **options)
    whole = _decode(body)
    assert _decode(body[:-1]) == _decode(body[:-2]) == whole
    for end in range(len(body) - 2):
        with contextlib.suppress(FetchError):
            # The last bits of a scan may say that nothing follows.
            picture = _decode(body[:end])
            assert picture == whole
            assert end > len(body) - 5


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("JPEG", {"comment": b"c" * 65_533}),
        ("GIF", {"comment": b"c" * 100_000}),
        ("PNG", {"pnginfo": "c" * 100_000}),
        ("JPEG", {"icc_profile": b"i" * 200_000, "xmp": b"x" * 60_000}),
        ("WEBP", {"icc_profile": b"i" * 200_000, "xmp": b"x" * 60_000}),
    ],
)
def test_metadata_do_not_travel(kind: str, options: dict[str, object]) -> None:
    """A picture with a comment is, byte for byte, the picture without it."""
    if kind == "PNG":
        info = PngImagePlugin.PngInfo()
        info.add_text("comment", str(options["pnginfo"]))
        options = {"pnginfo": info}
    image = noise(64, 48)
    assert _decode(encoded(image, kind, **options)) == _decode(encoded(image, kind))


@pytest.mark.parametrize("side", [(1, 1), (2, 2), (7, 300), (300, 7)])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
def test_a_picture_of_a_few_pixels_is_too_small(kind: str, side: tuple[int, int]) -> None:
    """Tracking pixels and lines show no product."""
    with pytest.raises(FetchError, match="too small"):
        _decode(encoded(noise(*side), kind))


def test_the_smallest_picture_is_as_the_settings_say() -> None:
    """A picture of exactly this side is decoded."""
    assert _decode(encoded(noise(8, 8))).width == 64


@pytest.fixture
def no_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail the test if a file reaches Pillow."""

    def opened(*_: object, **__: object) -> None:
        pytest.fail("Pillow was called")

    monkeypatch.setattr(Image, "open", opened)


@pytest.mark.usefixtures("no_decoder")
@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(png(8, 100_000, 0, b""), "too many pixels", id="a long side"),
        pytest.param(png(1, 24_900_000, 0, b""), "too small", id="a line"),
        pytest.param(png_bomb(1_001, 1_000), "too many pixels", id="pixels"),
        pytest.param(with_jpeg_size(jpeg(), 65_500, 65_500), "too many p", id="pixels of a JPEG"),
        pytest.param(encoded(Image.new("L", (800, 800)), "WEBP"), "too many pixels", id="WebP"),
        pytest.param(
            with_scans(encoded(noise(64, 64), progressive=True), 20_000),
            "too many parts",
            id="scans",
        ),
        pytest.param(encoded(noise(64, 64), "AVIF"), "not accepted: AVIF", id="AVIF"),
    ],
)
def test_what_costs_too_much_never_reaches_a_decoder(body: bytes, reason: str) -> None:
    """Sizes and parts are known from a look at the file."""
    with pytest.raises(FetchError, match=reason):
        _decode(body)


def test_two_declared_sizes_are_damage() -> None:
    """Only one of them was checked."""
    frame = struct.pack(">BHHB", 8, 900, 900, 1) + b"\x01\x11\x00"
    body = jpeg()
    scan = body.index(b"\xff\xda")
    with pytest.raises(FetchError, match="damaged image"):
        _decode(body[:scan] + segment(0xC0, frame) + body[scan:])


def test_a_picture_in_strips_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Converting a few rows at a time gives the same bytes as converting all at once."""
    image = noise(90, 70)
    image.putalpha(noise(90, 70, 1).convert("L"))
    bodies = [
        encoded(image, "PNG"),
        encoded(image, "WEBP", lossless=True),
        encoded(image.convert("LA"), "PNG"),
        encoded(image.quantize(32), "GIF", transparency=3),
        encoded(image.convert("RGB").convert("CMYK")),
        encoded(Image.fromarray(np.arange(6300, dtype=np.uint16).reshape(70, 90) * 10), "PNG"),
    ]
    whole = [_decode(body) for body in bodies]
    monkeypatch.setattr("amlc.images.decode._STRIP_PIXELS", 500)
    assert [_decode(body) for body in bodies] == whole


class _OddError(Exception):
    """An error that no decoder is known to raise."""


def test_an_unexpected_error_is_a_reason_and_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The log names the link, so that the picture can be looked at."""

    def fails(_: bytes) -> None:
        raise _OddError("odd")

    monkeypatch.setattr("amlc.images.decode.inspect", fails)
    with pytest.raises(FetchError, match="cannot be decoded"):
        decode(jpeg(), SETTINGS, "https://example.org/odd.jpg")
    assert caplog.messages == ["https://example.org/odd.jpg: cannot be decoded: _OddError: odd"]


@settings(max_examples=150)
@given(st.sampled_from(["JPEG", "PNG", "WEBP", "GIF"]), st.data())
def test_damaged_bytes_give_a_picture_or_an_error(kind: str, data: st.DataObject) -> None:
    """Whatever bytes are changed, the only error is a FetchError."""
    body = bytearray(encoded(noise(40, 30), kind))
    positions = st.integers(0, len(body) - 1)
    changes = st.lists(st.tuples(positions, st.integers(0, 255)), max_size=12)
    for position, value in data.draw(changes):
        body[position] = value
    try:
        picture = _decode(bytes(body), 32)
    except FetchError:
        return
    assert max(picture.width, picture.height) == 32


def test_damaged_exif_data_does_not_matter() -> None:
    """A picture is decoded without its orientation where that cannot be read."""
    exif = b"Exif\x00\x00MM\x00*\xff\xff\xff\xff garbage"
    assert _decode(encoded(noise(64, 64), exif=exif)).width == 64


def test_decoding_gives_the_same_bytes_each_time() -> None:
    """Equal files give equal pictures, byte for byte."""
    assert _decode(jpeg(5)) == _decode(jpeg(5))


def test_the_placeholder_is_exactly_grey() -> None:
    """Every channel of every pixel is 128, also after JPEG encoding."""
    assert (_pixels(placeholder(256, 90)) == 128).all()


def test_optimized_jpegs_have_the_same_pixels_in_fewer_bytes() -> None:
    """Optimised Huffman tables change the size of the file, not the picture."""
    image = noise(96, 64)
    plain = encode_jpeg(image, quality=80)
    optimized = encode_jpeg(image, quality=80, optimize=True)
    assert len(optimized) < len(plain)
    first, second = (np.asarray(Image.open(io.BytesIO(data))) for data in (plain, optimized))
    assert np.array_equal(first, second)
