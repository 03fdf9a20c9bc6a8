"""The network: losses, learning rates by layer, and the place of each row's vectors."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.helpers.deep import skip_without_deep
from tests.helpers.fusion import image_tower, settings, text_tower

skip_without_deep()

import torch

from amlc.errors import ModelError
from amlc.features.encoders.efficientnet import EfficientNetLite
from amlc.features.encoders.image_tower import ImageTower
from amlc.features.encoders.preprocessing import efficientnet_preprocessing
from amlc.features.encoders.sources import Source
from amlc.models.fusion.network import (
    FusionNetwork,
    Head,
    make_network,
    parameter_groups,
    row_losses,
)
from amlc.models.fusion.settings import FusionSettings
from amlc.models.losses import LossName, gradient

COLUMNS = 3
ARCHITECTURE = {"revision": None, "pooling": "model", "architecture": "efficientnet_lite0"}


@pytest.fixture
def chosen(tmp_path: Path) -> FusionSettings:
    """Return the settings of two tiny towers."""
    return settings(
        text=text_tower(tmp_path / "text"), image=image_tower(tmp_path / "image"), layer_decay=0.5
    )


def sources_of(chosen: FusionSettings) -> dict[str, Source]:
    """Return the folders of both towers."""
    assert chosen.text is not None
    assert chosen.image is not None
    folders = {"text": chosen.text.model, "image": chosen.image.model}
    return {name: Source(Path(folder), None) for name, folder in folders.items()}


def network_of(chosen: FusionSettings) -> FusionNetwork:
    """Return a network whose head has random weights everywhere."""
    network = make_network(chosen, sources_of(chosen), COLUMNS, 2.5)
    torch.manual_seed(0)
    with torch.no_grad():
        for value in network.head.parameters():
            value.normal_(0, 0.3)
    network.eval()
    return network


@pytest.mark.parametrize("loss", ["squared", "l1", "huber", "smape"])
def test_losses_have_the_slopes_of_the_other_models(loss: LossName) -> None:
    """Up to a factor, the gradient is that of `amlc.models.losses`."""
    gap = torch.tensor([-1.5, -0.3, 0.2, 0.9], dtype=torch.float64, requires_grad=True)
    row_losses(loss, gap).sum().backward()
    expected = gradient(loss, gap.detach().numpy())
    scale = 100 if loss == "smape" else 1
    np.testing.assert_allclose(gap.grad.numpy() * scale, expected, rtol=1e-9)


def test_lower_layers_learn_more_slowly(chosen: FusionSettings) -> None:
    """From the head downwards, the rates fall; no parameter is left out."""
    network = network_of(chosen)
    groups = parameter_groups(network, chosen)
    assert sorted({group["rate"] for group in groups}) == [2.5e-4, 5e-4, 1e-3, 1e-2]
    count = sum(value.numel() for group in groups for value in group["params"])
    assert count == sum(value.numel() for value in network.parameters())


def test_the_stem_of_efficientnet_learns_most_slowly() -> None:
    """Its norm has the name of other layers' norms."""
    steps = efficientnet_preprocessing(32)
    tower = ImageTower(EfficientNetLite("efficientnet_lite0").eval(), "model", steps, {})
    chosen = settings(image={"model": "lite0"} | ARCHITECTURE, layer_decay=0.5)
    network = FusionNetwork(None, tower, Head({"image": tower.width}, COLUMNS, chosen, 0.0))
    groups = parameter_groups(network, chosen)
    lowest = {
        id(value)
        for group in groups
        if group["rate"] == min(each["rate"] for each in groups)
        for value in group["params"]
    }
    names = [name for name, value in network.named_parameters() if id(value) in lowest]
    stem = ("_conv_stem.weight", "_bn0.weight", "_bn0.bias")
    assert names == [f"image.model.{name}" for name in stem]


@pytest.mark.parametrize("change", [{"gradient_checkpointing": True}, {"lora_rank": 2}])
def test_a_setting_that_a_tower_cannot_follow_is_named(
    change: dict[str, Any], tmp_path: Path
) -> None:
    """The libraries' own errors would be tracebacks."""
    chosen = settings(image=image_tower(tmp_path, "resnet"), **change)
    key = next(iter(change))
    with pytest.raises(ModelError, match=rf"train\.fusion\.{key}: ResNetModel .*: set "):
        make_network(chosen, {"image": Source(tmp_path, None)}, COLUMNS, 2.5)


def test_a_new_head_predicts_the_centre(chosen: FusionSettings) -> None:
    """Training starts from the median price."""
    network = make_network(chosen, sources_of(chosen), COLUMNS, 2.5)
    none = torch.zeros(0, dtype=torch.int64)
    text = (none.reshape(0, 4), none.reshape(0, 4), none)
    image = (torch.zeros(0, 3, 32, 32), none, None)
    predicted = network(torch.randn(5, COLUMNS), text, image)
    assert predicted.tolist() == [2.5] * 5


def test_each_row_gets_its_own_vectors_and_the_others_the_learned_one(
    chosen: FusionSettings,
) -> None:
    """A batch gives each row what the row alone gets, whatever the other rows lack."""
    network = network_of(chosen)
    dense, ids = torch.randn(4, COLUMNS), torch.tensor([[2, 7, 9, 3], [2, 8, 10, 3]])
    pixels, mask = torch.randn(3, 3, 32, 32), torch.ones(2, 4, dtype=torch.int64)
    with_text, with_picture = torch.tensor([3, 1]), torch.tensor([0, 3, 2])
    with torch.no_grad():
        together = network(dense, (ids, mask, with_text), (pixels, with_picture, None))
        for row in range(4):
            own_text, own_picture = with_text == row, with_picture == row
            zero = torch.zeros(1, dtype=torch.int64)
            alone = network(
                dense[row : row + 1],
                (ids[own_text], mask[own_text], zero[: own_text.sum()]),
                (pixels[own_picture], zero[: own_picture.sum()], None),
            )
            torch.testing.assert_close(alone, together[row : row + 1])


def test_the_vectors_of_several_pictures_are_averaged(chosen: FusionSettings) -> None:
    """Those of one row follow one another."""
    network = network_of(chosen)
    assert network.image is not None
    dense, pixels = torch.randn(3, COLUMNS), torch.randn(4, 3, 32, 32)
    none = torch.zeros(0, dtype=torch.int64)
    text = (none.reshape(0, 4), none.reshape(0, 4), none)
    with torch.no_grad():
        image = (pixels, torch.tensor([0, 2]), torch.tensor([3, 1]))
        found = network(dense, text, image)
        missing = network.head.missing
        vectors = network.image(pixels)
        rows = torch.stack([vectors[:3].mean(dim=0), missing["image"], vectors[3]])
        texts = missing["text"].expand(3, -1)
        torch.testing.assert_close(found, network.head({"text": texts, "image": rows}, dense))
