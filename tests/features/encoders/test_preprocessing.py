"""What pictures go through before an encoder."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from amlc.errors import ModelError
from amlc.features.encoders.preprocessing import Preprocessing, read_preprocessing

SQUARE: dict[str, Any] = {
    "size": {"height": 8, "width": 8},
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.25, 0.5, 1.0],
}


def read(folder: Path, content: Any) -> Preprocessing:
    """Read a configuration from a folder."""
    (folder / "preprocessor_config.json").write_text(json.dumps(content))
    return read_preprocessing(folder)


def test_channels_are_scaled_by_mean_and_deviation(tmp_path: Path) -> None:
    """White is (1 - mean) / deviation in each channel."""
    pixels = read(tmp_path, SQUARE)(Image.new("RGB", (20, 10), (255, 255, 255)))
    assert pixels.shape == (3, 8, 8)
    assert pixels.dtype == np.float32
    np.testing.assert_allclose(pixels[:, 0, 0], [2.0, 1.0, 0.5], rtol=1e-6)


@pytest.mark.parametrize("size", [(20, 10), (10, 20), (3, 900), (900, 3), (1, 1)])
def test_the_centre_is_cropped_with_the_aspect_ratio_kept(
    size: tuple[int, int], tmp_path: Path
) -> None:
    """A picture of any shape becomes a full square."""
    content = {**SQUARE, "size": {"shortest_edge": 9}, "do_center_crop": True, "crop_size": 8}
    picture = read(tmp_path, content).geometry(Image.new("RGB", size, (255, 255, 255)))
    assert picture.size == (8, 8)
    assert np.asarray(picture).min() == 255


def test_a_share_to_crop_enlarges_what_is_resized_to(tmp_path: Path) -> None:
    """ConvNeXt's processor resizes the shorter side to 8 / 0.5 and crops 8."""
    steps = read(tmp_path, {**SQUARE, "size": {"shortest_edge": 8}, "crop_pct": 0.5})
    assert (steps.shortest, steps.size, steps.crop) == (16, None, (8, 8))


def test_large_convnext_pictures_are_not_cropped(tmp_path: Path) -> None:
    """From 384 pixels on, its processor resizes to a square."""
    steps = read(tmp_path, {**SQUARE, "size": {"shortest_edge": 384}, "crop_pct": 0.9})
    assert (steps.shortest, steps.size, steps.crop) == (None, (384, 384), None)


def test_steps_that_are_switched_off_are_left_out(tmp_path: Path) -> None:
    """Without scaling, pixels stay what they are."""
    content = {**SQUARE, "do_rescale": False, "do_normalize": False}
    pixels = read(tmp_path, content)(Image.new("L", (8, 8), 7))
    assert (pixels == 7).all()


def test_the_newer_file_is_read_too(tmp_path: Path) -> None:
    """Recent releases of transformers nest the configuration."""
    (tmp_path / "processor_config.json").write_text(json.dumps({"image_processor": SQUARE}))
    assert read_preprocessing(tmp_path).shape == (8, 8)


@pytest.mark.parametrize(
    "content",
    [
        [],
        {},
        {"size": {"shortest_edge": 8}},
        {**SQUARE, "size": {"height": 0, "width": 8}},
        {**SQUARE, "size": {"height": 10**9, "width": 8}},
        {**SQUARE, "image_std": [0.0, 1.0, 1.0]},
        {**SQUARE, "image_mean": [0.5]},
        {**SQUARE, "resample": 99},
        {**SQUARE, "size": {"shortest_edge": 8}, "crop_pct": 0},
    ],
)
def test_other_configurations_are_refused(content: Any, tmp_path: Path) -> None:
    """The error names the file."""
    with pytest.raises(ModelError, match=r"preprocessor_config\.json"):
        read(tmp_path, content)
