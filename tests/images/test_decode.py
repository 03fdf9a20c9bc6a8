"""Every kind of picture becomes a small RGB JPEG; anything else is an error with its reason."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from amlc.images.decode import decode, encode_jpeg, placeholder
from amlc.images.fetch_result import FetchError, Picture
from amlc.images.settings import PictureSettings
from tests.helpers.pictures import encoded, jpeg, noise, png_bomb


def _decode(body: bytes, size: int = 64) -> Picture:
    settings = PictureSettings(size=size, quality=90, max_bytes=1_000_000, max_pixels=1_000_000)
    return decode(body, settings)


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
    [(400, 300, (64, 48)), (300, 400, (48, 64)), (20, 10, (64, 32)), (1, 900, (1, 64))],
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


@settings(max_examples=150, deadline=None)
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
