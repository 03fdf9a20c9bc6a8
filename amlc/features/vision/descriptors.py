"""Descriptors of pictures: colour, background, layout, edges, texture.

Each of `FUNCTIONS` takes a `Scene` of n pictures and returns n rows, whose columns `GROUPS` names.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from amlc.arrays import Bools, Floats32
from amlc.features.vision.scene import Scene, border_pixels, count_areas

# Sectors of the hue circle, sectors of the half turn, cells along each side of the grid.
HUES, DIRECTIONS, GRID = 8, 6, 3

# An area of the foreground is an object if it covers at least this share of the picture.
OBJECT_SHARE = 0.004
# A neighbouring pixel is lighter if its lightness is larger by more than this.
LIGHTER = np.float32(0.01)


def _numbered(name: str, meaning: str, count: int) -> dict[str, str]:
    return {name.format(number): meaning.format(number) for number in range(count)}


# Name and meaning of each column, by the function that computes it.
GROUPS: dict[str, dict[str, str]] = {
    "colour": {
        "lightness_mean": "mean lightness of the foreground, 0 black to 1 white",
        "lightness_std": "standard deviation of the foreground's lightness",
        "redness_mean": "mean redness of the foreground, -1 green to 1 red",
        "redness_std": "standard deviation of the foreground's redness",
        "yellowness_mean": "mean yellowness of the foreground, -1 blue to 1 yellow",
        "yellowness_std": "standard deviation of the foreground's yellowness",
        "chroma_mean": "mean chroma of the foreground, 0 grey to 1 vivid",
        "chroma_std": "standard deviation of the foreground's chroma",
    },
    "tones": {
        "dark_share": "share of the foreground with lightness below 0.3",
        "light_share": "share of the foreground with lightness above 0.85",
        "grey_share": "share of the foreground with chroma below 0.08",
        "vivid_share": "share of the foreground with chroma above 0.45",
    },
    "hues": _numbered(
        "hue_{}",
        "mean chroma of the foreground in octant {} of the hue circle, from red to yellow",
        HUES,
    ),
    "background": {
        "background_share": "share of background: near-white areas that touch the border",
        "border_white": "share of the outermost pixels that are background",
        "border_std": "standard deviation of lightness on the outermost pixels",
    },
    "bounding_box": {
        "box_width": "width of the foreground's bounding box as a share of the picture's",
        "box_height": "height of the foreground's bounding box as a share of the picture's",
        "box_aspect": "0.5 + log2(width / height) / 6 of the box",
        "box_x": "centre of the box, 0 left to 1 right; 0 without foreground",
        "box_y": "centre of the box, 0 top to 1 bottom; 0 without foreground",
        "box_fill": "share of the box that the foreground fills",
        "picture_aspect": "0.5 + log2(width / height) / 6 of the picture",
    },
    "layout": _numbered(
        "mass_{}", "share of the foreground in cell {} of 3 x 3, row by row", GRID**2
    ),
    "edges": {
        "edge_mean": "mean length of the gradient of lightness",
        **_numbered(
            "edge_direction_{}", "share of the gradient in sector {} of the half turn", DIRECTIONS
        ),
    },
    "texture": {
        "detail_fine": "detail lost by halving the picture: sharpness",
        "detail_middle": "detail lost by halving the picture a second time",
        "detail_coarse": "detail lost by halving the picture a third time",
    },
    "patterns": {
        **_numbered("pattern_{}", "share of pixels with {} lighter neighbours in one arc", 9),
        "pattern_mixed": "share of pixels whose lighter neighbours form several arcs",
    },
    "symmetry": {
        "symmetry_across": "1 - mean difference from the picture mirrored left to right",
        "symmetry_down": "1 - mean difference from the picture mirrored top to bottom",
    },
    "objects": {
        "objects": "log2(1 + number of separate areas of foreground) / 5",
        "repeats_across": "autocorrelation of the columns' lightness: objects side by side",
        "repeats_down": "autocorrelation of the rows' lightness: objects stacked up",
    },
}

# Name and meaning of every column of the block, in order.
DESCRIPTORS: dict[str, str] = {
    "placeholder": "1 where there is no picture; every other descriptor is then 0",
    **{name: meaning for columns in GROUPS.values() for name, meaning in columns.items()},
}


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
