"""Descriptors of pictures: colour, background, layout, edges, texture.

Each of `FUNCTIONS` takes a `Scene` of n pictures and returns n rows, whose columns are named in
`amlc.features.vision.descriptor_names.GROUPS`.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from amlc.arrays import Bools, Floats32
from amlc.features.vision.descriptor_names import DIRECTIONS, GRID, GROUPS, HUES
from amlc.features.vision.scene import Scene, border_pixels, count_areas

# An area of the foreground is an object if it covers at least this share of the picture.
OBJECT_SHARE = 0.004
# A neighbouring pixel is lighter if its lightness is larger by more than this.
LIGHTER = np.float32(0.01)


def colour(scene: Scene) -> Floats32:
    """Return mean and standard deviation of the colour channels over the foreground."""
    weight = _weights(scene.foreground)
    columns = []
    for channel in (scene.lightness, scene.redness, scene.yellowness, scene.chroma):
        mean = (channel * weight).sum(axis=(1, 2))
        square = (channel**2 * weight).sum(axis=(1, 2))
        columns += [mean, np.sqrt(np.maximum(square - mean**2, 0))]
    return np.stack(columns, axis=1)


def tones(scene: Scene) -> Floats32:
    """Return the shares of dark, light, grey and vivid pixels in the foreground."""
    weight = _weights(scene.foreground)
    lightness, chroma = scene.lightness, scene.chroma
    masks = (lightness < 0.3, lightness > 0.85, chroma < 0.08, chroma > 0.45)
    return np.stack([(mask * weight).sum(axis=(1, 2)) for mask in masks], axis=1)


def hues(scene: Scene) -> Floats32:
    """Return the foreground's mean chroma, split by hue."""
    weight = _weights(scene.foreground) * scene.chroma
    turns = np.arctan2(scene.yellowness, scene.redness) / np.float32(2 * np.pi)
    return _histogram(turns % 1 * HUES, weight, HUES)


def background(scene: Scene) -> Floats32:
    """Return how much of the picture and of its border is background, and how the border varies."""
    share = 1 - scene.foreground.mean(axis=(1, 2), dtype=np.float32)
    clear = 1 - border_pixels(scene.foreground).mean(axis=1, dtype=np.float32)
    return np.stack([share, clear, border_pixels(scene.lightness).std(axis=1)], axis=1)


def bounding_box(scene: Scene) -> Floats32:
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
    return np.stack(columns, axis=1).astype(np.float32)


def layout(scene: Scene) -> Floats32:
    """Return the share of the foreground in each cell of the grid, row by row."""
    cuts = np.linspace(0, scene.foreground.shape[1], GRID + 1).astype(int)[:-1]
    weight = _weights(scene.foreground)
    sums = np.add.reduceat(np.add.reduceat(weight, cuts, axis=1), cuts, axis=2)
    return sums.reshape(len(sums), GRID**2)


def edges(scene: Scene) -> Floats32:
    """Return the mean edge strength, and the share of each direction in it."""
    down, across = np.gradient(scene.lightness, axis=(1, 2))
    strength = np.hypot(across, down)
    half_turns = np.arctan2(down, across) / np.float32(np.pi)
    bins = (half_turns * DIRECTIONS + np.float32(0.5)) % DIRECTIONS
    sums = _histogram(bins, strength, DIRECTIONS)
    shares = sums / np.maximum(sums.sum(axis=1, keepdims=True), np.float32(1e-6))
    return np.column_stack([strength.mean(axis=(1, 2)), shares])


def texture(scene: Scene) -> Floats32:
    """Return how much detail is lost by halving the picture once, twice and three times."""
    level, columns = scene.lightness, []
    for _ in range(3):
        coarse = _halved(level)
        lost = level - np.repeat(np.repeat(coarse, 2, axis=1), 2, axis=2)
        columns.append(np.sqrt((lost**2).mean(axis=(1, 2))))
        level = coarse
    return np.stack(columns, axis=1)


def patterns(scene: Scene) -> Floats32:
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
    shares = [(kind == code).mean(axis=(1, 2), dtype=np.float32) for code in range(10)]
    return np.stack(shares, axis=1)


def symmetry(scene: Scene) -> Floats32:
    """Return how similar the picture is to its two mirror images."""
    light = scene.lightness
    gaps = [np.abs(light - np.flip(light, axis)).mean(axis=(1, 2)) for axis in (2, 1)]
    return 1 - np.stack(gaps, axis=1)


def objects(scene: Scene) -> Floats32:
    """Return the number of separate objects, and how regularly the picture repeats."""
    count = np.log2(1 + count_areas(scene.foreground, OBJECT_SHARE)) / 5
    repeats = [_repetition(scene.lightness.mean(axis=axis)) for axis in (1, 2)]
    return np.stack([count, *repeats], axis=1).astype(np.float32)


def log_aspect(ratio: Floats32) -> Floats32:
    """Map width divided by height to 0..1: 0.5 for a square, 1 for eight times as wide.

    Examples
    --------
    >>> log_aspect(np.array([0.125, 1.0, 8.0])).tolist()
    [0.0, 0.5, 1.0]
    """
    return np.clip(0.5 + np.log2(np.maximum(ratio, 1e-3)) / 6, 0, 1).astype(np.float32)


def _weights(mask: Bools) -> Floats32:
    """Return weights that sum to one over each mask, or over the whole picture if it is empty."""
    weight = mask.astype(np.float32)
    weight[~mask.any(axis=(1, 2))] = 1
    weight /= weight.sum(axis=(1, 2), keepdims=True)
    return weight


def _histogram(bins: NDArray[Any], weight: Floats32, count: int) -> Floats32:
    """Sum the weights by floored bin, picture by picture, shape (n, count)."""
    codes = np.minimum(bins.astype(np.intp), count - 1)
    codes += np.arange(len(bins))[:, np.newaxis, np.newaxis] * count
    sums = np.bincount(codes.ravel(), weights=weight.ravel(), minlength=len(bins) * count)
    return sums.reshape(len(bins), count).astype(np.float32)


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


def _repetition(profile: Floats32) -> NDArray[np.float64]:
    """Return each profile's highest autocorrelation after its first dip below zero, or 0."""
    length = profile.shape[1]
    centred = profile - profile.mean(axis=1, keepdims=True, dtype=np.float64)
    power = np.abs(np.fft.rfft(centred, 2 * length, axis=1)) ** 2
    correlation = np.fft.irfft(power, axis=1)[:, : length // 2 + 1]
    correlation /= np.maximum(correlation[:, :1], 1e-9)
    dipped = np.logical_or.accumulate(correlation < 0, axis=1)
    highest: NDArray[np.float64] = np.where(dipped, correlation, 0).max(axis=1)
    return np.maximum(highest, 0)


# The functions by name; `GROUPS` determines their order.
FUNCTIONS: dict[str, Callable[[Scene], Floats32]] = {
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
    columns: Any = [FUNCTIONS[name](scene) for name in GROUPS]
    return np.concatenate(columns, axis=1)
