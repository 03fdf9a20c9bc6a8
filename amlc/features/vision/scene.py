"""Prepare a stack of pictures for the descriptors: colours, foreground and areas.

The result is the same on every processor. Elementary functions such as `cbrt`, and the order of
the terms of a sum, differ between processors; additions, multiplications, divisions and square
roots of single numbers do not. So cube roots are read from a table, and the planes of a `Scene`
hold multiples of 1 / `STEPS`, whose sums are exact in float64, in any order.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from amlc.arrays import Bools, Floats32, Pixels

# A pixel is near white if its lightness is above the one and its chroma below the other.
WHITE_LIGHTNESS, WHITE_CHROMA = 0.93, 0.093
# Chroma in OKLab of the most vivid colour of sRGB; dividing by it gives values from 0 to 1.
VIVID = 0.3225

# Steps of lightness, redness, yellowness and chroma between 0 and 1.
STEPS = np.float32(4096)

# Areas are connected within a picture, not from one picture of the stack to the next.
_WITHIN_PICTURES = np.zeros((3, 3, 3), dtype=np.int_)
_WITHIN_PICTURES[1] = [[0, 1, 0], [1, 1, 1], [0, 1, 0]]

# Cube roots of the multiples of 1 / _CUBES between 0 and 1, rounded to multiples of 1 / 2**14. No
# multiple is so close to the middle between two steps that the error of `cbrt` could matter.
_CUBES = 2**18
_CUBE_ROOTS = np.rint(np.cbrt(np.arange(_CUBES + 1)) * 256).astype(np.float32) / 2**14

# From 8-bit sRGB to linear light, from 0 to _CUBES, and the matrices of OKLab.
_LEVELS = np.arange(256) / 255
_LINEAR = _CUBES * np.where(
    _LEVELS <= 0.04045, _LEVELS / 12.92, ((_LEVELS + 0.055) / 1.055) ** 2.4
).astype(np.float32)
_TO_CONES = (
    (0.4122214708, 0.5363325363, 0.0514459929),
    (0.2119034982, 0.6806995451, 0.1073969566),
    (0.0883024619, 0.2817188376, 0.6299787005),
)
_TO_LAB = (
    (0.2104542553, 0.7936177850, -0.0040720468),
    (1.9779984951, -2.4285922050, 0.4505937099),
    (0.0259040371, 0.7827717662, -0.8086757660),
)


class Scene(NamedTuple):
    """A stack of square pictures in the form that the descriptors share.

    The colours are multiples of 1 / `STEPS`.

    Parameters
    ----------
    lightness : ndarray of float32, shape (n, size, size)
        From 0 (black) to 1 (white).
    redness, yellowness : ndarray of float32, shape (n, size, size)
        Green (-1) to red (1), blue (-1) to yellow (1).
    chroma : ndarray of float32, shape (n, size, size)
        From 0 (grey) to 1 (as vivid as sRGB gets).
    foreground : ndarray of bool, shape (n, size, size)
        Everything but the near-white areas that touch the border.
    aspect : ndarray of float32, shape (n,)
        Width divided by height of each picture before it was resized to a square.
    """

    lightness: Floats32
    redness: Floats32
    yellowness: Floats32
    chroma: Floats32
    foreground: Bools
    aspect: Floats32


def make_scene(pixels: Pixels, aspect: Floats32) -> Scene:
    """Prepare a stack of sRGB pictures.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (n, size, size, 3)
        Square pictures in sRGB.
    aspect : ndarray of float32, shape (n,)
        Width divided by height of each picture before it was resized to a square.
    """
    lightness, green_red, blue_yellow = oklab(pixels)
    lightness, redness, yellowness = (
        in_steps(plane) for plane in (lightness, green_red / VIVID, blue_yellow / VIVID)
    )
    chroma = np.minimum(in_steps(magnitude(redness, yellowness)), 1)
    white = (lightness > WHITE_LIGHTNESS) & (chroma < WHITE_CHROMA)
    return Scene(lightness, redness, yellowness, chroma, ~keep_touching_border(white), aspect)


def oklab(pixels: Pixels) -> tuple[Floats32, Floats32, Floats32]:
    """Convert 8-bit sRGB to OKLab, in which distances roughly match perceived differences.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (..., 3)
        sRGB.

    Returns
    -------
    lightness, green_red, blue_yellow : ndarray of float32, shape (...)
        Lightness from 0 to 1; for greys the other two are 0.

    Notes
    -----
    B. Ottosson, "A perceptual color space for image processing" (2020).
    """
    linear = [_LINEAR[pixels[..., channel]] for channel in range(3)]
    cones = [_CUBE_ROOTS[np.rint(_mixed(row, linear)).astype(np.intp)] for row in _TO_CONES]
    lightness, green_red, blue_yellow = (_mixed(row, cones) for row in _TO_LAB)
    return lightness, green_red, blue_yellow


def in_steps(values: Floats32) -> Floats32:
    """Round values to multiples of 1 / `STEPS`."""
    rounded: Floats32 = np.rint(values * STEPS) / STEPS
    return rounded


def magnitude(across: Floats32, down: Floats32) -> Floats32:
    """Return the length of each vector; `numpy.hypot` differs between processors."""
    return np.sqrt(across * across + down * down)


def border_pixels(values: NDArray[Any]) -> NDArray[Any]:
    """Return each picture's outermost pixels, shape (n, 4 (size - 1))."""
    sides = (values[:, 0, :-1], values[:, :-1, -1], values[:, -1, 1:], values[:, 1:, 0])
    return np.concatenate(sides, axis=1)


def keep_touching_border(mask: Bools) -> Bools:
    """Return each picture's mask reduced to the connected areas that touch the border."""
    labels, count = ndimage.label(mask, structure=_WITHIN_PICTURES)
    reached = np.zeros(count + 1, dtype=np.bool_)
    reached[border_pixels(labels)] = True
    reached[0] = False
    kept: Bools = reached[labels]
    return kept


def count_areas(mask: Bools, share: float) -> NDArray[np.intp]:
    """Count each picture's connected areas that cover at least a share of it, shape (n,)."""
    labels, count = ndimage.label(mask, structure=_WITHIN_PICTURES)
    is_large = np.bincount(labels.ravel(), minlength=count + 1) >= share * mask[0].size
    is_large[0] = False
    picture_of_area = np.zeros(count + 1, dtype=np.intp)
    picture_of_area[labels] = np.arange(len(mask))[:, np.newaxis, np.newaxis]
    return np.bincount(picture_of_area[is_large], minlength=len(mask))


def _mixed(row: tuple[float, float, float], channels: list[Floats32]) -> Floats32:
    """Return the weighted sum of three channels, computed element by element.

    A matrix product would round differently from one stack of pictures to another.
    """
    first, second, third = (
        np.float32(weight) * channel for weight, channel in zip(row, channels, strict=True)
    )
    mixed: Floats32 = first + second + third
    return mixed
