"""Descriptors of pictures: colour, background, layout, edges, texture.

Each of `FUNCTIONS` takes a `Scene` of n pictures and returns n rows, whose columns are named in
`amlc.features.vision.descriptor_names.GROUPS`. They are the same on every processor, for the reason
that `amlc.features.vision.scene` gives: sums are exact, and angles and logarithms are computed by
comparisons and basic arithmetic.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from amlc.arrays import Bools, Floats, Floats32
from amlc.features.vision.descriptor_names import DIRECTIONS, GRID, GROUPS, HUES
from amlc.features.vision.scene import STEPS, Scene, border_pixels, count_areas, in_steps, magnitude

# An area of the foreground is an object if it covers at least this share of the picture.
OBJECT_SHARE = 0.004
# A neighbouring pixel is lighter if its lightness is larger by more than this.
LIGHTER = np.float32(0.01)
# Tangents of the angles between the first DIRECTIONS / 2 + 1 sectors: 15, 45 and 75 degrees.
SECTOR_LIMITS = (2 - math.sqrt(3), 1, 2 + math.sqrt(3))
TWO_BY_LN_2 = 2.885390081777926815
# The octant of the hue circle, by signs of yellowness and redness and by which of them is larger.
OCTANTS = np.array([0, 1, 3, 2, 7, 6, 4, 5])


def colour(scene: Scene) -> Floats:
    """Return mean and standard deviation of the colour channels over the foreground."""
    region = _region(scene.foreground)
    size = _sizes(region)
    columns = []
    for channel in (scene.lightness, scene.redness, scene.yellowness, scene.chroma):
        inside = channel * region
        mean = _sums(inside) / size
        columns += [mean, _deviation(mean, _sums(inside * inside) / size)]
    return np.stack(columns, axis=1)


def tones(scene: Scene) -> Floats:
    """Return the shares of dark, light, grey and vivid pixels in the foreground."""
    region, lightness, chroma = _region(scene.foreground), scene.lightness, scene.chroma
    masks = (lightness < 0.3, lightness > 0.85, chroma < 0.08, chroma > 0.45)
    sizes = [_sizes(mask & region) for mask in masks]
    return np.stack(sizes, axis=1) / _sizes(region)[:, np.newaxis]


def hues(scene: Scene) -> Floats:
    """Return the foreground's mean chroma, split by hue."""
    region, red, yellow = _region(scene.foreground), scene.redness, scene.yellowness
    codes = 4 * (yellow < 0) + 2 * (red < 0) + (np.abs(yellow) > np.abs(red))
    sums = _histogram(OCTANTS[codes], scene.chroma * region, HUES)
    return sums / _sizes(region)[:, np.newaxis]


def background(scene: Scene) -> Floats:
    """Return how much of the picture and of its border is background, and how the border varies."""
    share = 1 - scene.foreground.mean(axis=(1, 2))
    clear = 1 - border_pixels(scene.foreground).mean(axis=1)
    border = border_pixels(scene.lightness).astype(np.float64)
    variation = _deviation(border.mean(axis=1), (border * border).mean(axis=1))
    return np.stack([share, clear, variation], axis=1)


def bounding_box(scene: Scene) -> Floats:
    """Return size, shape and position of the foreground's bounding box."""
    left, right = _extent(np.any(scene.foreground, axis=1))
    top, bottom = _extent(np.any(scene.foreground, axis=2))
    width, height = right - left, bottom - top
    area = scene.foreground.mean(axis=(1, 2), dtype=np.float32)
    # An empty foreground has neither width nor height.
    safe = np.where(width > 0, width * height, 1)
    aspect = np.where(width > 0, width * scene.aspect / np.where(height > 0, height, 1), 1)
    centre = ((left + right) / 2, (top + bottom) / 2)
    columns = (width, height, log_aspect(aspect), *centre, area / safe, log_aspect(scene.aspect))
    return np.stack(columns, axis=1)


def layout(scene: Scene) -> Floats:
    """Return the share of the foreground in each cell of the grid, row by row."""
    cuts = np.linspace(0, scene.foreground.shape[1], GRID + 1).astype(int)[:-1]
    region = _region(scene.foreground)
    sums = np.add.reduceat(np.add.reduceat(region.astype(np.float64), cuts, axis=1), cuts, axis=2)
    shares: Floats = sums.reshape(len(sums), GRID**2) / _sizes(region)[:, np.newaxis]
    return shares


def edges(scene: Scene) -> Floats:
    """Return the mean edge strength, and the share of each direction in it."""
    down, across = (np.gradient(scene.lightness, axis=axis) for axis in (1, 2))
    strength = in_steps(magnitude(across, down))
    falling = (across < 0) != (down < 0)
    across, down = np.abs(across), np.abs(down)
    sectors = sum((down > limit * across).view(np.uint8) for limit in SECTOR_LIMITS)
    sectors = np.where(falling, (DIRECTIONS - sectors) % DIRECTIONS, sectors)
    sums = _histogram(sectors, strength, DIRECTIONS)
    total = sums.sum(axis=1, keepdims=True)
    return np.column_stack([total / strength[0].size, sums / np.maximum(total, 1e-6)])


def texture(scene: Scene) -> Floats:
    """Return how much detail is lost by halving the picture once, twice and three times."""
    level, columns = scene.lightness, []
    for _ in range(3):
        coarse = _halved(level)
        lost = level - np.repeat(np.repeat(coarse, 2, axis=1), 2, axis=2)
        columns.append(np.sqrt(_sums(lost * lost) / lost[0].size))
        level = coarse
    return np.stack(columns, axis=1)


def patterns(scene: Scene) -> Floats:
    """Return the shares of local binary patterns: the number of lighter neighbours in one arc.

    Notes
    -----
    The rotation-invariant uniform patterns of Ojala, Pietikäinen and Mäenpää, IEEE
    Transactions on Pattern Analysis and Machine Intelligence 24 (2002), with a threshold.
    """
    light, size = scene.lightness, scene.lightness.shape[1]
    middle = light[:, 1:-1, 1:-1] + LIGHTER
    ring = ((0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0))
    lighter = [light[:, y : size - 2 + y, x : size - 2 + x] > middle for y, x in ring]
    turns = sum((lighter[step] ^ lighter[step - 1]).view(np.uint8) for step in range(8))
    count = sum(bits.view(np.uint8) for bits in lighter)
    kind = np.where(np.asarray(turns) <= 2, count, 9)
    shares = [(kind == code).mean(axis=(1, 2)) for code in range(10)]
    return np.stack(shares, axis=1)


def symmetry(scene: Scene) -> Floats:
    """Return how similar the picture is to its two mirror images."""
    light = scene.lightness
    gaps = [_sums(np.abs(light - np.flip(light, axis))) / light[0].size for axis in (2, 1)]
    return 1 - np.stack(gaps, axis=1)


def objects(scene: Scene) -> Floats:
    """Return the number of separate objects, and how regularly the picture repeats."""
    count = _log2(1 + count_areas(scene.foreground, OBJECT_SHARE)) / 5
    steps = (scene.lightness * STEPS).astype(np.int64)
    repeats = [_repetition(steps.sum(axis=axis)) for axis in (1, 2)]
    return np.stack([count, *repeats], axis=1)


def log_aspect(ratio: Floats32) -> Floats:
    """Map width divided by height to 0..1: 0.5 for a square, 1 for eight times as wide.

    Examples
    --------
    >>> log_aspect(np.array([0.125, 1.0, 8.0])).tolist()
    [0.0, 0.5, 1.0]
    """
    mapped: Floats = (0.5 + _log2(np.maximum(ratio, 1e-3)) / 6).clip(0, 1)
    return mapped


def _region(mask: Bools) -> Bools:
    """Return each mask, or the whole picture if it is empty."""
    return mask | ~mask.any(axis=(1, 2), keepdims=True)


def _sizes(mask: Bools) -> Floats:
    """Return the number of each mask's pixels."""
    sizes: Floats = mask.sum(axis=(1, 2), dtype=np.float64)
    return sizes


def _sums(values: Floats32) -> Floats:
    """Return each picture's sum, exact for multiples of 1 / `STEPS` and for their squares."""
    sums: Floats = values.sum(axis=(1, 2), dtype=np.float64)
    return sums


def _deviation(mean: Floats, mean_square: Floats) -> Floats:
    """Return the standard deviation."""
    variance: Floats = (mean_square - mean * mean).clip(0)
    return np.sqrt(variance)


def _log2(values: NDArray[Any]) -> Floats:
    """Return binary logarithms; those of `numpy.log2` differ between processors.

    The series of the inverse hyperbolic tangent, exact to 14 digits.
    """
    fraction, exponent = np.frexp(values.astype(np.float64))
    # From between 1/2 and 1 to between the square roots of 1/2 and of 2.
    is_small = fraction < math.sqrt(0.5)
    fraction = np.where(is_small, 2 * fraction, fraction)
    ratio = (fraction - 1) / (fraction + 1)
    square, total = ratio * ratio, np.zeros_like(ratio)
    for power in range(17, 0, -2):
        total = total * square + 1 / power
    logarithm: Floats = exponent - is_small + TWO_BY_LN_2 * ratio * total
    return logarithm


def _histogram(bins: NDArray[np.integer[Any]], weight: Floats32, count: int) -> Floats:
    """Sum the weights by bin, picture by picture, shape (n, count)."""
    codes = bins + np.arange(len(bins))[:, np.newaxis, np.newaxis] * count
    sums = np.bincount(codes.ravel(), weights=weight.ravel(), minlength=len(bins) * count)
    return sums.reshape(len(bins), count).astype(np.float64)


def _extent(hits: Bools) -> tuple[Floats32, Floats32]:
    """Return where each row's hits start and end, as shares of its length."""
    length, any_hit = hits.shape[1], hits.any(axis=1)
    start = np.where(any_hit, hits.argmax(axis=1), 0) / length
    end = np.where(any_hit, length - hits[:, ::-1].argmax(axis=1), 0) / length
    return start.astype(np.float32), end.astype(np.float32)


def _halved(values: Floats32) -> Floats32:
    left, right = values[:, :, ::2], values[:, :, 1::2]
    sums: Floats32 = left[:, ::2] + left[:, 1::2] + right[:, ::2] + right[:, 1::2]
    return sums / np.float32(4)


def _repetition(profile: NDArray[np.int64]) -> Floats:
    """Return each profile's highest autocorrelation after its first dip below zero, or 0."""
    size = profile.shape[1]
    # Each value's distance from the mean, times the number of values. Up to a size of 256, the sums
    # of products of these integers stay within 64 bits.
    centred = size * profile - profile.sum(axis=1, keepdims=True)
    products = [
        (centred[:, lag:] * centred[:, : size - lag]).sum(axis=1) for lag in range(size // 2 + 1)
    ]
    correlation = np.stack(products, axis=1) / np.maximum(products[0], 1)[:, np.newaxis]
    dipped = np.logical_or.accumulate(correlation < 0, axis=1)
    highest: Floats = np.where(dipped, correlation, 0).max(axis=1)
    return highest.clip(0)


# The functions by name; `GROUPS` determines their order.
FUNCTIONS: dict[str, Callable[[Scene], Floats]] = {
    function.__name__: function
    for function in (
        colour,
        tones,
        hues,
        background,
        bounding_box,
        layout,
        edges,
        texture,
        patterns,
        symmetry,
        objects,
    )
}


def describe_scene(scene: Scene) -> Floats32:
    """Return the descriptors of each picture, in the order of `GROUPS`, shape (n, columns)."""
    columns = [FUNCTIONS[name](scene) for name in GROUPS]
    return np.concatenate(columns, axis=1, dtype=np.float32)
