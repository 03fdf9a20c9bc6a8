"""The network: the towers' vectors and the dense columns, joined by a small head."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - PyTorch's own convention
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from amlc.errors import MissingExtraError, ModelError
from amlc.features.encoders.image_tower import ImageTower, load_image_tower
from amlc.features.encoders.sources import Source
from amlc.features.encoders.text_tower import TextTower, load_text_tower
from amlc.models.fusion.settings import FusionSettings
from amlc.models.losses import HUBER_DELTA, LossName

TEXT, IMAGE, HEAD = "text", "image", "head.safetensors"
# The number of a layer in the name of a parameter.
_LAYER = re.compile(r"\.(?:layers?|blocks?|_blocks|h|stages)\.(\d+)\.")


class Head(nn.Module):
    """From the towers' vectors and the dense columns to the log price.

    Parameters
    ----------
    widths : dict of str to int
        The length of each tower's vector.
    columns : int
        Number of dense columns.
    settings : FusionSettings
        Size of the hidden layers, and dropout.
    center : float
        The log price that training starts from.
    """

    def __init__(
        self, widths: dict[str, int], columns: int, settings: FusionSettings, center: float
    ) -> None:
        super().__init__()
        hidden = settings.hidden_size
        # The vectors of products without a text or without a picture.
        self.missing = nn.ParameterDict(
            {name: nn.Parameter(torch.zeros(width)) for name, width in widths.items()}
        )
        self.norms = nn.ModuleDict({name: nn.LayerNorm(width) for name, width in widths.items()})
        self.dense = nn.Linear(columns, hidden)
        self.joined = nn.Linear(sum(widths.values()) + hidden, hidden)
        self.dropout = nn.Dropout(settings.dropout)
        self.output = nn.Linear(hidden, 1)
        # Log prices of neighbours and of brands need no hidden layer.
        self.direct = nn.Linear(columns, 1, bias=False)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)
        nn.init.zeros_(self.direct.weight)
        self.register_buffer("center", torch.tensor(float(center)))

    def forward(self, vectors: dict[str, Tensor], dense: Tensor) -> Tensor:
        """Return log prices, shape (n,)."""
        parts = [self.norms[name](vectors[name]) for name in self.norms]
        parts.append(F.gelu(self.dense(dense)))
        hidden = F.gelu(self.joined(self.dropout(torch.cat(parts, dim=1))))
        deviation = self.output(self.dropout(hidden)) + self.direct(dense)
        log_price: Tensor = self.center + deviation[:, 0]
        return log_price


class FusionNetwork(nn.Module):
    """Towers and head.

    Parameters
    ----------
    text, image : nn.Module or None
        The towers.
    head : Head
    """

    def __init__(self, text: TextTower | None, image: ImageTower | None, head: Head) -> None:
        super().__init__()
        self.text = text
        self.image = image
        self.head = head

    def forward(
        self,
        dense: Tensor,
        text: tuple[Tensor, Tensor, Tensor] | None,
        image: tuple[Tensor, Tensor, Tensor | None] | None,
    ) -> Tensor:
        """Return log prices.

        Parameters
        ----------
        dense : Tensor of float32, shape (n, columns)
            Standardised columns.
        text : tuple of Tensor
            Tokens, mask and the positions in the batch of the rows that have a text.
        image : tuple of Tensor
            Pixels, the positions in the batch of the rows that have a picture, and the number of
            pictures of each of them, whose vectors are averaged; None: one of each.

        Returns
        -------
        Tensor of float32, shape (n,)
        """
        vectors = {}
        if self.text is not None and text is not None:
            ids, mask, rows = text
            of_texts = self.text(ids, mask) if len(rows) else None
            vectors[TEXT] = self._placed(of_texts, TEXT, rows, len(dense))
        if self.image is not None and image is not None:
            pixels, rows, counts = image
            of_pictures = self.image(pixels) if len(rows) else None
            if of_pictures is not None and counts is not None:
                of_pictures = _means(of_pictures, counts)
            vectors[IMAGE] = self._placed(of_pictures, IMAGE, rows, len(dense))
        # The head is small, and rounded to bfloat16 a log price would lose its third digit.
        with torch.autocast(dense.device.type, enabled=False):
            log_price: Tensor = self.head(vectors, dense)
        return log_price

    def _placed(self, vectors: Tensor | None, name: str, rows: Tensor, count: int) -> Tensor:
        """Return a vector for each row of the batch: the tower's, or that for a missing input."""
        missing = self.head.missing[name].float()
        if vectors is None:
            return missing.expand(count, -1)
        if len(rows) == count:
            return vectors
        # Each row takes its own vector, or the last one.
        source = torch.full((count,), len(rows), device=rows.device)
        source[rows] = torch.arange(len(rows), device=rows.device)
        return torch.cat([vectors, missing[None, :]])[source]

    def save(self, folder: Path) -> None:
        """Write towers and head; equal networks give equal bytes."""
        if self.text is not None:
            self.text.save(folder / TEXT)
        if self.image is not None:
            self.image.save(folder / IMAGE)
        folder.mkdir(parents=True, exist_ok=True)
        state = {key: value.detach().cpu() for key, value in self.head.state_dict().items()}
        save_file({key: value.contiguous() for key, value in state.items()}, folder / HEAD)

    @classmethod
    def load(cls, folder: Path, settings: FusionSettings) -> "FusionNetwork":
        """Read what `save` wrote."""
        sources = {name: Source(folder / name, None) for name in (TEXT, IMAGE)}
        text, image = load_towers(settings, sources)
        state = load_file(folder / HEAD)
        head = Head(widths(text, image), state["dense.weight"].shape[1], settings, 0.0)
        head.load_state_dict(state)
        network = cls(text, image, head)
        network.eval()
        return network


def _means(vectors: Tensor, counts: Tensor) -> Tensor:
    """Return the mean of each row's vectors, which follow one another."""
    row = torch.repeat_interleave(torch.arange(len(counts), device=counts.device), counts)
    total = vectors.new_zeros(len(counts), vectors.shape[1]).index_add_(0, row, vectors)
    return total / counts[:, None]


def load_towers(
    settings: FusionSettings, sources: dict[str, Source]
) -> tuple[TextTower | None, ImageTower | None]:
    """Load the towers of the settings from their files."""
    text, image = settings.text, settings.image
    return (
        None if text is None else load_text_tower(sources[TEXT], text.pooling, text.tokens),
        None
        if image is None
        else load_image_tower(sources[IMAGE], image.pooling, image.architecture),
    )


def widths(text: TextTower | None, image: ImageTower | None) -> dict[str, int]:
    """Return the length of each tower's vectors."""
    towers = {TEXT: text, IMAGE: image}
    return {name: tower.width for name, tower in towers.items() if tower is not None}


def make_network(
    settings: FusionSettings, sources: dict[str, Source], columns: int, center: float
) -> FusionNetwork:
    """Return a network with pretrained towers and a new head, ready for training.

    Notes
    -----
    The weights of the head are drawn from PyTorch's global generator.
    """
    text, image = load_towers(settings, sources)
    head = Head(widths(text, image), columns, settings, center)
    for tower in (text, image):
        if tower is not None:
            _prepare(tower, settings)
    return FusionNetwork(text, image, head)


def _prepare(tower: Any, settings: FusionSettings) -> None:
    for module in tower.modules():
        if isinstance(module, nn.Dropout):
            module.p = settings.dropout
    if settings.gradient_checkpointing:
        if not getattr(tower.model, "supports_gradient_checkpointing", False):
            raise ModelError(
                f"train.fusion.gradient_checkpointing: {_class(tower)} cannot compute its "
                "activations again: set false"
            )
        # Its name in the releases of transformers 5, and in those before.
        names = ("activation_checkpointing_enable", "gradient_checkpointing_enable")
        enable = next(getattr(tower.model, name) for name in names if hasattr(tower.model, name))
        enable({"use_reentrant": False})
    if settings.lora_rank is not None:
        if not any(isinstance(module, nn.Linear) for module in tower.modules()):
            raise ModelError(
                f"train.fusion.lora_rank: {_class(tower)} has no linear layers: set null"
            )
        tower.model = _with_lora(tower.model, settings.lora_rank)


def _class(tower: Any) -> str:
    return type(tower.model).__name__


def _with_lora(model: Any, rank: int) -> Any:
    try:
        import peft  # noqa: PLC0415 - only LoRA needs it
    except ModuleNotFoundError:
        raise MissingExtraError("train.fusion.lora_rank, which uses peft,", "lora") from None
    return peft.get_peft_model(
        model, peft.LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear")
    )


def merge_lora(network: FusionNetwork) -> None:
    """Add low-rank updates to the weights that they belong to; without LoRA nothing changes."""
    for tower in (network.text, network.image):
        if tower is not None and hasattr(tower.model, "merge_and_unload"):
            tower.model = tower.model.merge_and_unload()


def set_training(network: FusionNetwork, *, training: bool) -> None:
    """Switch dropout; batch normalisation keeps its pretrained statistics.

    A batch has few pictures, and statistics of a few would be noise.
    """
    network.train(training)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d):
            module.eval()


def trainable(network: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Yield the names of the parameters that are trained, and the parameters."""
    return ((name, value) for name, value in network.named_parameters() if value.requires_grad)


def parameter_groups(network: FusionNetwork, settings: FusionSettings) -> list[dict[str, Any]]:
    """Return AdamW's groups of parameters, whose learning rates fall from the head downwards.

    Each layer of a tower learns at `layer_decay` times the rate of the one above it. Biases and
    norms are not decayed.
    """
    depths = {name: _depth(name) for name, _ in trainable(network)}
    tops = {
        tower: max((depths[name] or 0 for name in depths if _tower(name) == tower), default=0)
        for tower in (TEXT, IMAGE)
    }
    groups: dict[tuple[float, float], list[Tensor]] = {}
    for name, value in trainable(network):
        if (tower := _tower(name)) in tops:
            depth = depths[name]
            below = 0 if depth is None else tops[tower] - depth
            rate = settings.learning_rate * settings.layer_decay**below
        else:
            rate = settings.head_learning_rate
        decay = settings.weight_decay if value.ndim > 1 else 0.0
        groups.setdefault((rate, decay), []).append(value)
    return [
        {"params": values, "lr": rate, "rate": rate, "weight_decay": decay}
        for (rate, decay), values in groups.items()
    ]


def _tower(name: str) -> str:
    return name.partition(".")[0]


def _depth(name: str) -> int | None:
    """Return 0 for embeddings, 1 for the first layer, and so on; None for what follows the last."""
    if match := _LAYER.search(name):
        return int(match[1]) + 1
    return 0 if re.search(r"embed|stem|patch|model\._bn0", name) else None


def row_losses(loss: LossName, gap: Tensor) -> Tensor:
    """Return each row's loss, on a scale on which its slope is at most about 1.

    Parameters
    ----------
    loss : str
        As in `amlc.models.losses.gradient`.
    gap : Tensor of float32, shape (n,)
        Predicted minus actual log price.
    """
    if loss == "squared":
        return gap.square() / 2
    if loss == "l1":
        return gap.abs()
    if loss == "huber":
        return F.huber_loss(gap, torch.zeros_like(gap), reduction="none", delta=HUBER_DELTA)
    return 2 * torch.tanh(gap.abs() / 2)
