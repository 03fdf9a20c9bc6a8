"""Encoders of pictures: loading, pooling, saving."""

import re
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from PIL import Image

from tests.helpers.deep import IMAGE_MODELS, make_image_model, skip_without_deep

skip_without_deep()

import torch

from amlc.errors import ModelError
from amlc.features.encoders.efficientnet import VARIANTS, EfficientNetLite
from amlc.features.encoders.image_tower import ImageTower, load_image_tower
from amlc.features.encoders.settings import Architecture, Pooling
from amlc.features.encoders.sources import find_source

TRANSFORMERS = ["vit", "clip", "clip-vision", "siglip", "dinov2"]


def load(
    path: Path, pooling: Pooling = "model", architecture: Architecture | None = None
) -> ImageTower:
    """Load a tower."""
    return load_image_tower(find_source(str(path), None), pooling, architecture)


def vectors(tower: ImageTower) -> torch.Tensor:
    """Return the vectors of two pictures of noise."""
    rng = np.random.default_rng(1)
    pictures = [
        Image.fromarray(rng.integers(0, 256, (height, 50, 3), dtype=np.uint8))
        for height in (40, 64)
    ]
    pixels = torch.tensor(np.stack([tower.preprocessing(picture) for picture in pictures]))
    with torch.inference_mode():
        pooled: torch.Tensor = tower(pixels)
    return pooled


@pytest.mark.parametrize("name", IMAGE_MODELS)
@pytest.mark.parametrize("pooling", ["model", "mean"])
def test_every_architecture_gives_one_vector_per_picture(
    name: str, pooling: Pooling, tmp_path: Path
) -> None:
    """Saved and loaded again, a tower gives the same vectors."""
    tower = load(make_image_model(tmp_path / "made", name), pooling)
    pooled = vectors(tower)
    assert pooled.shape == (2, tower.width) == (2, 16)
    assert (pooled[0] - pooled[1]).abs().max() > 1e-5
    tower.save(tmp_path / "saved")
    assert torch.equal(vectors(load(tmp_path / "saved", pooling)), pooled)


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_cls_is_the_first_vector(name: str, tmp_path: Path) -> None:
    """It differs from the mean of all."""
    folder = make_image_model(tmp_path, name)
    assert not torch.equal(vectors(load(folder, "cls")), vectors(load(folder, "mean")))


@pytest.mark.parametrize("name", ["resnet", "convnext"])
def test_convolutions_have_no_cls(name: str, tmp_path: Path) -> None:
    """The error names the other poolings."""
    folder = make_image_model(tmp_path, name)
    with pytest.raises(ModelError, match="take model or mean"):
        load(folder, "cls")


@pytest.mark.parametrize(
    ("architecture", "millions"), [("efficientnet_lite0", 3.4), ("efficientnet_lite2", 4.8)]
)
def test_efficientnet_has_the_published_size(architecture: str, millions: float) -> None:
    """Without the classifier's 1.3 million weights, of 4.7 and 6.1 million."""
    network = EfficientNetLite(architecture)
    count = sum(weights.numel() for weights in network.parameters())
    assert count / 1e6 == pytest.approx(millions, abs=0.06)


def test_efficientnet_is_read_from_a_bare_state_dict(tmp_path: Path) -> None:
    """A saved tower holds safetensors and gives the same vectors; the classifier is left out."""
    torch.manual_seed(2)
    state = EfficientNetLite("efficientnet_lite0").state_dict()
    path = tmp_path / "weights.pth"
    torch.save({**state, "_fc.weight": torch.zeros(3, 1280)}, path)
    tower = load(path, architecture="efficientnet_lite0")
    assert (tower.width, tower.preprocessing.shape) == (1280, (224, 224))
    tower.save(tmp_path / "saved")
    assert [file.name for file in (tmp_path / "saved").iterdir()] == ["model.safetensors"]
    again = load(tmp_path / "saved", architecture="efficientnet_lite0")
    assert torch.equal(vectors(again), vectors(tower))


def test_a_state_dict_of_another_architecture_is_refused(tmp_path: Path) -> None:
    """The message is one sentence."""
    path = tmp_path / "weights.pth"
    torch.save(EfficientNetLite("efficientnet_lite0").state_dict(), path)
    with pytest.raises(ModelError, match=re.escape("cannot be loaded as an encoder")):
        load(path, architecture="efficientnet_lite1")


def test_a_pickle_of_code_is_refused(tmp_path: Path) -> None:
    """Only tensors are unpickled."""
    path = tmp_path / "weights.pth"
    torch.save({"_conv_stem.weight": print}, path)
    with pytest.raises(ModelError, match="holds more than tensors"):
        load(path, architecture="efficientnet_lite0")


def test_a_state_dict_needs_its_architecture(tmp_path: Path) -> None:
    """The error names the key of params.yaml."""
    path = tmp_path / "weights.pth"
    torch.save({}, path)
    with pytest.raises(ModelError, match="needs its `architecture`"):
        load(path)


def test_every_architecture_of_the_settings_is_known() -> None:
    """The names in params.yaml are those of the networks."""
    assert set(VARIANTS) == set(get_args(Architecture))
