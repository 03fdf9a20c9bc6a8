"""How a picture becomes the input of an encoder: resized, cropped and scaled by channel."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from amlc.arrays import Floats32
from amlc.errors import ModelError
from amlc.features.encoders.sources import read_model_json

_IMAGENET_MEAN, _IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_MAX_SIDE = 2048
# From this side on, ConvNeXt and ResNet resize to a square and do not crop.
_NO_CROP_SIDE = 384
# What a longer side may be of the shorter one's: a banner is resized to this many times its height.
_MAX_ASPECT = 16


@dataclass(frozen=True)
class Preprocessing:
    """The steps, in their order.

    Parameters
    ----------
    shortest : int or None
        The side to which the shorter one is resized, with the aspect ratio kept.
    size : (int, int) or None
        Otherwise height and width to which a picture is resized, the aspect ratio ignored.
    crop : (int, int) or None
        Height and width of the centre that is kept; black beyond the picture.
    resample : int
        Pillow's filter: 2 bilinear, 3 bicubic.
    factor : float
        What pixels from 0 to 255 are multiplied with.
    mean, std : tuple of float
        By channel, after the multiplication.
    """

    shortest: int | None
    size: tuple[int, int] | None
    crop: tuple[int, int] | None
    resample: int
    factor: float
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the result."""
        shape = self.crop or self.size
        assert shape is not None
        return shape

    def __call__(self, image: Image.Image) -> Floats32:
        """Return the input for a picture.

        Parameters
        ----------
        image : Image
            Of any mode and size.

        Returns
        -------
        ndarray of float32, shape (3, height, width)
        """
        pixels = np.asarray(self.geometry(image), dtype=np.float32) * np.float32(self.factor)
        pixels -= np.array(self.mean, np.float32)
        pixels /= np.array(self.std, np.float32)
        return np.ascontiguousarray(pixels.transpose(2, 0, 1))

    def geometry(self, image: Image.Image) -> Image.Image:
        """Return the resized and cropped RGB picture."""
        image = image.convert("RGB")
        if self.shortest is not None:
            short, long = sorted(image.size)
            longer = min(round(self.shortest * long / short), self.shortest * _MAX_ASPECT)
            wide = image.width >= image.height
            size = (longer, self.shortest) if wide else (self.shortest, longer)
            image = image.resize(size, Image.Resampling(self.resample))
        elif self.size is not None:
            image = image.resize(self.size[::-1], Image.Resampling(self.resample))
        if self.crop is not None:
            height, width = self.crop
            left, top = (image.width - width) // 2, (image.height - height) // 2
            image = image.crop((left, top, left + width, top + height))
        return image


def efficientnet_preprocessing(side: int) -> Preprocessing:
    """Return the preprocessing of EfficientNet-lite, as its authors published it."""
    mean, std = (127 / 255,) * 3, (128 / 255,) * 3
    bicubic = int(Image.Resampling.BICUBIC)
    return Preprocessing(side + 32, None, (side, side), bicubic, 1 / 255, mean, std)


def read_preprocessing(folder: Path) -> Preprocessing:
    """Read a model's preprocessor_config.json, as transformers' image processors write it.

    Raises
    ------
    ModelError
        The file is missing, or it asks for something that is not known here.
    """
    path = folder / "preprocessor_config.json"
    content = read_model_json(path)
    if content is None:
        path = folder / "processor_config.json"
        content = (read_model_json(path) or {}).get("image_processor")
    if not isinstance(content, dict):
        raise ModelError(f"{folder / 'preprocessor_config.json'}: missing, or not a mapping")
    try:
        return _parse(content)
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise ModelError(f"{path}: not a preprocessing that is known here: {error}") from None


def _parse(content: dict[str, Any]) -> Preprocessing:
    shortest, size, crop = _sizes(content)
    sides = [shortest or 1, *(size or ()), *(crop or ())]
    if not all(1 <= side <= _MAX_SIDE for side in sides):
        raise ValueError(f"expected sides of 1 to {_MAX_SIDE} pixels, got {sides}")
    if crop is None and size is None:
        raise ValueError("pictures would keep different sizes: it crops and resizes to no square")
    normalise = content.get("do_normalize", True)
    mean = tuple(map(float, content.get("image_mean") or _IMAGENET_MEAN))
    std = tuple(map(float, content.get("image_std") or _IMAGENET_STD))
    if len(mean) != 3 or len(std) != 3 or min(std) <= 0:
        raise ValueError(f"expected mean and std of three channels, got {mean} and {std}")
    factor = content.get("rescale_factor") or 1 / 255
    return Preprocessing(
        shortest,
        size,
        crop,
        int(Image.Resampling(content.get("resample", Image.Resampling.BILINEAR))),
        float(factor) if content.get("do_rescale", True) else 1.0,
        mean if normalise else (0.0,) * 3,
        std if normalise else (1.0,) * 3,
    )


def _sizes(
    content: dict[str, Any],
) -> tuple[int | None, tuple[int, int] | None, tuple[int, int] | None]:
    """Return the shortest side, the size and the crop that a configuration asks for."""
    crop = _pair(content["crop_size"]) if content.get("do_center_crop") else None
    if not content.get("do_resize", True):
        return None, None, crop
    size = content["size"]
    shortest = size.get("shortest_edge") if isinstance(size, dict) else None
    if shortest is None and (not isinstance(size, int) or crop is None):
        return None, _pair(size), crop
    side = int(size if shortest is None else shortest)
    # ConvNeXt's and ResNet's processors crop to this share of what they resize to.
    if (share := content.get("crop_pct")) is not None:
        if side >= _NO_CROP_SIDE:
            return None, (side, side), None
        return int(side / float(share)), None, (side, side)
    return side, None, crop


def _pair(size: Any) -> tuple[int, int]:
    if isinstance(size, dict):
        return int(size["height"]), int(size["width"])
    return (int(size), int(size))
