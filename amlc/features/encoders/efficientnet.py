"""EfficientNet-lite in plain PyTorch, for state dicts that no configuration accompanies.

The architecture is that of M. Tan and Q. Le, arXiv:1905.11946, without squeeze-and-excitation and
with ReLU6, as published for small devices. Parameters have the names of the published state dicts.
"""

import math

import torch
import torch.nn.functional as F  # noqa: N812 - PyTorch's own convention
from torch import Tensor, nn

# Width, depth and side of the pictures, by architecture.
VARIANTS = {
    "efficientnet_lite0": (1.0, 1.0, 224),
    "efficientnet_lite1": (1.0, 1.1, 240),
    "efficientnet_lite2": (1.1, 1.2, 260),
    "efficientnet_lite3": (1.2, 1.4, 280),
    "efficientnet_lite4": (1.4, 1.8, 300),
}
# Expansion, channels, repeats, stride and kernel of each group of blocks.
_GROUPS = (
    (1, 16, 1, 1, 3),
    (6, 24, 2, 2, 3),
    (6, 40, 2, 2, 5),
    (6, 80, 3, 2, 3),
    (6, 112, 3, 1, 5),
    (6, 192, 4, 2, 5),
    (6, 320, 1, 1, 3),
)
_STEM, _HEAD = 32, 1280


class EfficientNetLite(nn.Module):
    """The network up to its pooled features.

    Parameters
    ----------
    architecture : str
        A key of `VARIANTS`.
    """

    def __init__(self, architecture: str) -> None:
        super().__init__()
        width, depth, _ = VARIANTS[architecture]
        self._conv_stem = _SameConv2d(3, _STEM, 3, stride=2, bias=False)
        self._bn0 = _norm(_STEM)
        self._blocks, channels = nn.ModuleList(), _STEM
        for group, (expansion, out, repeats, stride, kernel) in enumerate(_GROUPS):
            scaled = _rounded(out * width)
            # The first and the last group are not repeated more often in deeper variants.
            count = repeats if group in {0, len(_GROUPS) - 1} else math.ceil(repeats * depth)
            for index in range(count):
                step = stride if index == 0 else 1
                self._blocks.append(_Block(channels, scaled, expansion, step, kernel))
                channels = scaled
        self._conv_head = _SameConv2d(channels, _HEAD, 1, bias=False)
        self._bn1 = _norm(_HEAD)
        self.width = _HEAD

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the pooled features, shape (n, 1280), of pictures, shape (n, 3, side, side)."""
        values = F.relu6(self._bn0(self._conv_stem(pixels)))
        for block in self._blocks:
            values = block(values)
        return F.relu6(self._bn1(self._conv_head(values))).mean(dim=(2, 3))


class _Block(nn.Module):
    """An inverted residual: expand, filter each channel, project."""

    def __init__(self, channels: int, out: int, expansion: int, stride: int, kernel: int) -> None:
        super().__init__()
        inner = channels * expansion
        self.skips = stride == 1 and channels == out
        self.expands = expansion != 1
        if self.expands:
            self._expand_conv = _SameConv2d(channels, inner, 1, bias=False)
            self._bn0 = _norm(inner)
        self._depthwise_conv = _SameConv2d(
            inner, inner, kernel, stride=stride, groups=inner, bias=False
        )
        self._bn1 = _norm(inner)
        self._project_conv = _SameConv2d(inner, out, 1, bias=False)
        self._bn2 = _norm(out)

    def forward(self, values: Tensor) -> Tensor:
        inner = F.relu6(self._bn0(self._expand_conv(values))) if self.expands else values
        inner = F.relu6(self._bn1(self._depthwise_conv(inner)))
        inner = self._bn2(self._project_conv(inner))
        return values + inner if self.skips else inner


class _SameConv2d(nn.Conv2d):
    """A convolution with TensorFlow's padding: outputs are inputs / stride, rounded up."""

    def forward(self, values: Tensor) -> Tensor:
        pads: list[int] = []
        # `F.pad` takes the last dimension first.
        for size, kernel, stride in zip(
            values.shape[:1:-1], self.kernel_size[::-1], self.stride[::-1], strict=True
        ):
            total = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
            pads += [total // 2, total - total // 2]
        return super().forward(F.pad(values, pads))


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


def _rounded(channels: float) -> int:
    """Return the nearest multiple of 8 that is not more than a tenth smaller."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * channels else rounded + 8


def load_state(network: EfficientNetLite, state: dict[str, torch.Tensor]) -> None:
    """Load a published state dict, whose classifier is left out.

    Raises
    ------
    RuntimeError
        It is that of another architecture.
    """
    network.load_state_dict({key: value for key, value in state.items() if key[:3] != "_fc"})
