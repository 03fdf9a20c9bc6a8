"""An encoder of pictures: a pretrained network, its pooling and its preprocessing."""

from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from amlc.errors import ModelError
from amlc.features.encoders.efficientnet import VARIANTS, EfficientNetLite, load_state
from amlc.features.encoders.preprocessing import (
    Preprocessing,
    efficientnet_preprocessing,
    read_preprocessing,
)
from amlc.features.encoders.pretrained import copy_state, load_model, loading_errors, save_model
from amlc.features.encoders.settings import Architecture, Pooling
from amlc.features.encoders.sources import Source, read_model_json
from amlc.files import write_json

_WEIGHTS = "model.safetensors"
_PREPROCESSING = ("preprocessor_config.json", "processor_config.json")


class ImageTower(nn.Module):
    """A network whose output is one vector per picture.

    Parameters
    ----------
    model : nn.Module
        A network of transformers, or EfficientNet-lite.
    pooling : str
        "model": its own pooled output; else "mean" or "cls" of its last layer's vectors.
    preprocessing : Preprocessing
        What pictures go through before it.
    configuration : dict of str to Any
        The files that hold the preprocessing, by name, for saving.

    Attributes
    ----------
    width : int
        Length of the vectors.
    """

    def __init__(
        self,
        model: nn.Module,
        pooling: Pooling,
        preprocessing: Preprocessing,
        configuration: dict[str, Any],
    ) -> None:
        super().__init__()
        self.model = model
        self.pooling = pooling
        self.preprocessing = preprocessing
        self._configuration = configuration
        with torch.no_grad():
            self.width = int(self(torch.zeros(1, 3, *preprocessing.shape)).shape[1])

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the pooled vectors.

        Parameters
        ----------
        pixels : Tensor of float32, shape (n, 3, height, width)
            As `preprocessing` returns them.

        Returns
        -------
        Tensor of float32, shape (n, width)
        """
        if isinstance(self.model, EfficientNetLite):
            vectors: Tensor = self.model(pixels)
            return vectors.float()
        output = self.model(pixel_values=pixels)
        if self.pooling == "model":
            return torch.flatten(output.pooler_output.float(), start_dim=1)
        hidden = output.last_hidden_state.float()
        if self.pooling == "cls":
            return hidden[:, 0]
        # Transformers give (n, patches, width), convolutions (n, width, height, width).
        return hidden.mean(dim=1) if hidden.ndim == 3 else hidden.mean(dim=(2, 3))

    def save(self, folder: Path) -> None:
        """Write weights as safetensors, with the configuration.

        `load_image_tower` reads them with the same `pooling` and `architecture`; equal towers give
        equal bytes.
        """
        folder.mkdir(parents=True, exist_ok=True)
        if isinstance(self.model, EfficientNetLite):
            save_file(copy_state(self.model), folder / _WEIGHTS)
        else:
            save_model(self.model, folder)
        for name, content in self._configuration.items():
            write_json(folder / name, content)


def load_image_tower(
    source: Source, pooling: Pooling, architecture: Architecture | None
) -> ImageTower:
    """Load an encoder of pictures.

    Parameters
    ----------
    source : Source
        A folder of transformers with preprocessor_config.json; with an architecture, a state dict
        or a folder with one.
    pooling : str
        "model": the network's own pooled output; "mean" or "cls" of its last layer's vectors.
    architecture : str, optional
        The name of the network that a bare state dict belongs to.

    Raises
    ------
    ModelError
        The files cannot be loaded, do not fit together, or have no such pooling.
    """
    if architecture is not None:
        return _load_efficientnet(source, pooling, architecture)
    if source.path.is_file():
        raise ModelError(f"{source.path}: a bare state dict needs its `architecture`")
    preprocessing = read_preprocessing(source.path)
    model = load_model(source.path, own_pooler=pooling == "model")
    model = getattr(model, "vision_model", model)
    configuration = {
        name: content
        for name in _PREPROCESSING
        if (content := read_model_json(source.path / name)) is not None
    }
    with loading_errors(source.path):
        if pooling == "cls" and getattr(model.config, "num_attention_heads", None) is None:
            raise ValueError("convolutions have no vector cls: take model or mean")
        return ImageTower(model, pooling, preprocessing, configuration)


def _load_efficientnet(source: Source, pooling: Pooling, architecture: Architecture) -> ImageTower:
    if pooling == "cls":
        raise ModelError(f"{architecture}: has no vector cls: set pooling to model")
    weights = source.weights()
    if len(weights) != 1:
        raise ModelError(f"{source.path}: expected one state dict, got {len(weights)} files")
    network = EfficientNetLite(architecture)
    with loading_errors(weights[0]):
        load_state(network, _read_state(weights[0]))
    side = VARIANTS[architecture][2]
    return ImageTower(network.eval(), pooling, efficientnet_preprocessing(side), {})


def _read_state(path: Path) -> dict[str, Tensor]:
    if path.suffix == ".safetensors":
        state: dict[str, Tensor] = load_file(path)
    else:
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
        except UnpicklingError:
            raise ModelError(f"{path}: holds more than tensors, so it is not read") from None
    if not all(isinstance(key, str) for key in state):
        raise TypeError("not a state dict")
    return state
