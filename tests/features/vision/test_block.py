"""The vision block: from image shards to one row per product."""

import io
import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from scipy.stats import spearmanr

from amlc import params
from amlc.catalog.products import LINK, write_products
from amlc.errors import DataError, ParamsError
from amlc.features.vision.block import DESCRIPTORS, VisionSettings, describe, describe_products
from amlc.images.outcome import FetchResult, Picture
from amlc.images.shards import write_shard
from amlc.synthetic.packshots import Packshot
from stages import vision as stage

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
    """Hold two shards: 70 pictures, a placeholder, and a row whose bytes are no picture."""
    path = tmp_path_factory.mktemp("images")
    grey = Picture(8, 8, b"never looked at")
    found = [FetchResult.ok(Picture(80, 120, body)) for body in PICTURES]
    write_shard(path, 0, [f"a{number:02}" for number in range(70)], found, grey)
    last = [FetchResult.failed("timeout", 3), FetchResult.ok(Picture(8, 8, b"broken"))]
    write_shard(path, 1, ["b", "c"], last, grey)
    return path


def test_a_row_depends_on_its_picture_alone() -> None:
    """One by one, all together and in another order, the bytes are the same."""
    together = describe(PICTURES, SETTINGS)
    alone = np.concatenate([describe([body], SETTINGS) for body in PICTURES])
    assert (together == alone).all()
    assert (describe(PICTURES[::-1], SETTINGS)[::-1] == alone).all()
    assert together.dtype == np.float32


def test_no_picture_is_flagged_and_neutral() -> None:
    """A missing picture has its flag, and 0 everywhere else."""
    assert describe([None], SETTINGS).tolist() == [NEUTRAL]
    assert describe([], SETTINGS).shape == (0, len(DESCRIPTORS))


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from([encoded(), encoded(kind="PNG")]),
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=8),
    st.integers(0, 10_000),
)
def test_damaged_files_do_not_crash(
    body: bytes, changes: list[tuple[int, int]], length: int
) -> None:
    """Whatever happened to a file, its row is finite or neutral."""
    damaged = bytearray(body)
    for place, value in changes:
        damaged[place % len(damaged)] = value
    row = describe([bytes(damaged[:length])], SETTINGS)
    assert np.isfinite(row).all()
    assert row[0, 0] == 0 or row[0].tolist() == NEUTRAL


@pytest.mark.parametrize(
    ("mode", "kind"), [("L", "JPEG"), ("CMYK", "JPEG"), ("P", "PNG"), ("RGBA", "PNG"), ("1", "PNG")]
)
def test_other_colour_modes_are_described(mode: str, kind: str) -> None:
    """Grey, CMYK, palette and transparent pictures count as pictures."""
    assert describe([encoded(mode, kind)], SETTINGS)[0, 0] == 0


def test_the_aspect_is_that_of_the_file() -> None:
    """A picture of 80 x 120 pixels is described as two by three."""
    place = list(DESCRIPTORS).index("picture_aspect")
    found = describe([PICTURES[0]], SETTINGS)[0, place]
    assert found == pytest.approx(0.5 + np.log2(2 / 3) / 6)


@pytest.mark.parametrize("threads", [1, 3])
def test_products_get_the_rows_of_their_links_in_their_own_order(
    folder: Path, threads: int
) -> None:
    """Repeated links repeat their row; placeholders, broken files and no link are neutral."""
    links = ["b", "a69", "a00", "", "a69", "c"]
    block = describe_products(links, folder, SETTINGS, threads)
    expected = describe([None, PICTURES[69], PICTURES[0], None, PICTURES[69], b"broken"], SETTINGS)
    assert (block == expected).all()
    assert block[:, 0].tolist() == [1, 0, 0, 1, 0, 1]


def test_a_link_without_a_row_is_named(folder: Path) -> None:
    """The error says which links the shards do not hold, and which stage to run."""
    with pytest.raises(DataError, match=r"2 links: x, y; run the stage images"):
        describe_products(["a00", "y", "x"], folder, SETTINGS, 1)


def test_a_missing_folder_is_an_error_of_its_own(tmp_path: Path) -> None:
    """Without shards there is nothing to describe."""
    with pytest.raises(DataError, match="run the stage images"):
        describe_products(["a"], tmp_path, SETTINGS, 1)


@pytest.mark.parametrize("size", [8, 60, 512, 64.0])
def test_a_size_that_cannot_be_halved_thrice_is_refused(tmp_path: Path, size: float) -> None:
    """The size is a multiple of 8, from 16 to 256."""
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump({"vision": {"size": size}}), encoding="utf-8")
    with pytest.raises(ParamsError, match=r"vision\.size"):
        params.load(VisionSettings, "vision", path)


def test_synthetic_pictures_show_their_label_and_number() -> None:
    """Lightness falls with the label's tier, and objects rise with the number of pieces."""
    drawings = [
        Packshot(shape="jar", hue=hue, house_hue=200, tier=tier, items=items, jitter=hue)
        for hue in (30, 120, 210)
        for tier in range(4)
        for items in (1, 4, 12)
    ]
    block = describe([drawing.encode() for drawing in drawings], VisionSettings(size=64))
    columns = dict(zip(DESCRIPTORS, block.T, strict=True))
    dark = columns["dark_share"]
    assert spearmanr(dark, [drawing.tier for drawing in drawings])[0] > 0.6
    assert spearmanr(columns["objects"], [drawing.items for drawing in drawings])[0] > 0.6


def test_the_stage_writes_the_block_and_its_names(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One row per product, one name per column, the same bytes every time."""
    monkeypatch.chdir(tmp_path)
    _write_inputs(folder, ["a01", "b", "a01"])
    stage.main()
    first = Path("data/features/vision.npy").read_bytes()
    stage.main()
    assert Path("data/features/vision.npy").read_bytes() == first
    block: NDArray[np.float32] = np.load("data/features/vision.npy", allow_pickle=False)
    assert block.shape == (3, len(DESCRIPTORS))
    names = json.loads(Path("data/features/vision.json").read_text(encoding="utf-8"))
    assert names == list(DESCRIPTORS)


def test_real_pictures_are_described() -> None:
    """Photographs differ from one another in every descriptor but the flag."""
    found = os.environ.get("AMLC_COMPETITION")
    if not found:
        pytest.skip("AMLC_COMPETITION is not set: no real pictures")
    paths = sorted((Path(found) / "images").iterdir())[:60]
    block = describe([path.read_bytes() for path in paths], VisionSettings(size=64))
    assert block[:, 0].max() == 0
    assert (block[:, 1:].std(axis=0) > 0).all()


def _write_inputs(folder: Path, links: list[str]) -> None:
    Path("params.yaml").write_text(
        yaml.safe_dump({"threads": 2, "vision": {"size": 32}}), encoding="utf-8"
    )
    Path("data").mkdir()
    Path("data/images").symlink_to(folder)
    count = len(links)
    products = pd.DataFrame(
        {
            "sample_id": [str(row) for row in range(count)],
            "split": ["train"] * count,
            "catalog_content": ["Item Name: x\n"] * count,
            LINK: links,
            "price": [1.0] * count,
            "group": np.zeros(count, dtype=np.int32),
            "fold": np.zeros(count, dtype=np.int8),
        }
    )
    write_products(Path("data/products.parquet"), products)
