"""The vision block: from image shards to one row per product."""

import io
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.stats import spearmanr

from amlc import params
from amlc.errors import DataError, ParamsError
from amlc.features.vision.block import VisionSettings, describe, describe_products
from amlc.features.vision.descriptor_names import DESCRIPTORS
from amlc.images.fetch_result import FetchResult, Picture
from amlc.images.shards import write_shard
from amlc.synthetic.packshots import Packshot

SETTINGS = VisionSettings(size=32)
NEUTRAL = [1.0] + [0.0] * (len(DESCRIPTORS) - 1)


def encoded(mode: str = "RGB", kind: str = "JPEG", seed: int = 20) -> bytes:
    """Return the file of a picture of smooth noise."""
    noise = np.random.default_rng(seed).integers(0, 256, (6, 4, 3), dtype=np.uint8)
    image = Image.fromarray(noise).resize((80, 120), Image.Resampling.BICUBIC).convert(mode)
    stream = io.BytesIO()
    image.save(stream, kind)
    return stream.getvalue()


PICTURES = [encoded(seed=seed) for seed in range(70)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of two shards: 70 pictures, a placeholder and a broken file."""
    path = tmp_path_factory.mktemp("images")
    grey = Picture(8, 8, b"placeholder")
    pictures = [FetchResult.ok(Picture(80, 120, body)) for body in PICTURES]
    write_shard(path, 0, [f"a{number:02}" for number in range(70)], pictures, grey)
    others = [FetchResult.failed("timeout", 3), FetchResult.ok(Picture(8, 8, b"broken"))]
    write_shard(path, 1, ["b", "c"], others, grey)
    return path


def test_a_row_depends_on_its_picture_alone() -> None:
    """The descriptors are the same one by one, all together and in another order."""
    together = describe(PICTURES, SETTINGS).array
    alone = np.concatenate([describe([body], SETTINGS).array for body in PICTURES])
    assert (together == alone).all()
    assert (describe(PICTURES[::-1], SETTINGS).array[::-1] == alone).all()
    assert together.dtype == np.float32


def test_a_missing_picture_is_flagged() -> None:
    """A row without a picture is 0 but for its flag."""
    assert describe([None], SETTINGS).array.tolist() == [NEUTRAL]
    assert describe([], SETTINGS).shape == (0, len(DESCRIPTORS))


@settings(max_examples=100)
@given(
    st.sampled_from([encoded(), encoded(kind="PNG")]),
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=8),
    st.integers(0, 10_000),
)
def test_a_damaged_file_gives_a_finite_row(
    body: bytes, changes: list[tuple[int, int]], length: int
) -> None:
    """A damaged file is described or counts as a missing picture."""
    damaged = bytearray(body)
    for offset, value in changes:
        damaged[offset % len(damaged)] = value
    row = describe([bytes(damaged[:length])], SETTINGS).array
    assert np.isfinite(row).all()
    assert row[0, 0] == 0 or row[0].tolist() == NEUTRAL


@pytest.mark.parametrize(
    ("mode", "kind"), [("L", "JPEG"), ("CMYK", "JPEG"), ("P", "PNG"), ("RGBA", "PNG"), ("1", "PNG")]
)
def test_other_colour_modes_are_described(mode: str, kind: str) -> None:
    """Grey, CMYK, palette and transparent pictures are converted to RGB."""
    assert describe([encoded(mode, kind)], SETTINGS).array[0, 0] == 0


def test_the_aspect_ratio_is_that_of_the_file() -> None:
    """A picture of 80 x 120 pixels has the aspect ratio 2 / 3."""
    column = list(DESCRIPTORS).index("picture_aspect")
    aspect = describe([PICTURES[0]], SETTINGS).array[0, column]
    assert aspect == pytest.approx(0.5 + np.log2(2 / 3) / 6)


@pytest.mark.parametrize("threads", [1, 3])
def test_products_get_the_rows_of_their_links(folder: Path, threads: int) -> None:
    """Rows are in the order of the products; placeholders and broken files count as missing."""
    links = ["b", "a69", "a00", "", "a69", "c"]
    block = describe_products([[link] for link in links], folder, SETTINGS, threads).array
    expected = describe(
        [None, PICTURES[69], PICTURES[0], None, PICTURES[69], b"broken"], SETTINGS
    ).array
    assert (block == expected).all()
    assert block[:, 0].tolist() == [1, 0, 0, 1, 0, 1]


def test_a_link_without_a_row_is_named(folder: Path) -> None:
    """The message says which links are missing in the shards and which stage to run."""
    with pytest.raises(DataError, match=r"2 links: x, y; run the stage images"):
        describe_products([["a00"], ["y"], ["x"]], folder, SETTINGS, 1)


def test_a_missing_folder_names_its_stage(tmp_path: Path) -> None:
    """The message says which stage writes the shards."""
    with pytest.raises(DataError, match="run the stage images"):
        describe_products([["a"]], tmp_path, SETTINGS, 1)


@pytest.mark.parametrize("size", [8, 60, 512, 64.0])
def test_a_size_that_cannot_be_halved_three_times_is_refused(tmp_path: Path, size: float) -> None:
    """The size is a multiple of 8, from 16 to 256."""
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump({"vision": {"size": size}}), encoding="utf-8")
    with pytest.raises(ParamsError, match=r"vision\.size"):
        params.load(VisionSettings, "vision", path)


def test_synthetic_pictures_show_label_and_number_of_items() -> None:
    """The share of dark pixels grows with the label's tier, and objects with the items."""
    drawings = [
        Packshot(shape="jar", hue=hue, brand_hue=200, tier=tier, items=items, seed=hue)
        for hue in (30, 120, 210)
        for tier in range(4)
        for items in (1, 4, 12)
    ]
    block = describe([drawing.encode() for drawing in drawings], VisionSettings(size=64)).array
    columns = dict(zip(DESCRIPTORS, block.T, strict=True))
    dark = columns["dark_share"]
    assert spearmanr(dark, [drawing.tier for drawing in drawings])[0] > 0.6
    assert spearmanr(columns["objects"], [drawing.items for drawing in drawings])[0] > 0.6


def test_photographs_differ_in_every_descriptor(competition: Path) -> None:
    """Only the flag of missing pictures is constant."""
    paths = sorted((competition / "images").iterdir())[:60]
    block = describe([path.read_bytes() for path in paths], VisionSettings(size=64)).array
    assert block[:, 0].max() == 0
    assert (block[:, 1:].std(axis=0) > 0).all()
