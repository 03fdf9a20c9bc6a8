"""Hundreds of pictures that attack a decoder: each is a picture or has a reason, and is bounded."""

import io
from collections import Counter

import pytest
from PIL import Image

from amlc.images.decode import decode
from amlc.images.fetch_result import FetchError
from amlc.images.inspection import MAX_SCANNED_SAMPLES, MAX_SCANS, inspect
from amlc.images.settings import PictureSettings
from tests.helpers.hostile_pictures import KINDS, Scale, hostile_pictures

COUNT = 200
SCALE = Scale(pixels=160_000, size=200_000)
SETTINGS = PictureSettings(
    size=64,
    quality=90,
    max_bytes=400_000,
    max_pixels=SCALE.pixels,
    max_side=20_000,
    min_side=8,
)


@pytest.fixture(scope="module")
def pictures() -> list[tuple[str, bytes]]:
    """Return the pictures and the names of their kinds."""
    return list(hostile_pictures(COUNT, 0, SCALE))


def test_hostile_pictures_are_the_same_each_time(pictures: list[tuple[str, bytes]]) -> None:
    """They are a function of the seed alone."""
    again = list(hostile_pictures(len(KINDS), 0, SCALE))
    assert again == pictures[: len(KINDS)]


def test_every_hostile_picture_is_a_picture_or_has_a_reason(
    pictures: list[tuple[str, bytes]], caplog: pytest.LogCaptureFixture
) -> None:
    """No other error gets out, and none is unexpected."""
    outcomes: Counter[str] = Counter()
    for kind, body in pictures:
        try:
            picture = decode(body, SETTINGS, kind)
        except FetchError as error:
            outcomes[error.reason] += 1
            continue
        outcomes["picture"] += 1
        image = Image.open(io.BytesIO(picture.data))
        assert (image.format, image.mode, max(image.size)) == ("JPEG", "RGB", SETTINGS.size)
        assert set(image.info) == {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    assert caplog.messages == []
    assert outcomes["picture"] > COUNT // 10
    assert len(outcomes) > 6


def test_what_reaches_a_decoder_is_bounded(pictures: list[tuple[str, bytes]]) -> None:
    """Its bytes, its scans and the samples that they visit have limits."""
    for _, body in pictures:
        try:
            inspected = inspect(body)
        except FetchError:
            continue
        # Checksums and an end marker may be added.
        assert len(inspected.body) <= len(body) + 20
        if inspected.format == "JPEG":
            scans = inspected.body.count(b"\xff\xda")
            assert scans <= MAX_SCANS
            assert scans * inspected.size[0] * inspected.size[1] <= MAX_SCANNED_SAMPLES
