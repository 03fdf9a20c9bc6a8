"""Colours, background and areas of a stack of pictures."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from amlc.features.vision.scene import border, count_areas, make_scene, oklab, touching_border

Mask = NDArray[np.bool_]
MASKS = arrays(np.bool_, (2, 8, 8))


@pytest.mark.parametrize(
    ("colour", "expected"),
    [
        ((255, 255, 255), (1.0, 0.0, 0.0)),
        ((0, 0, 0), (0.0, 0.0, 0.0)),
        ((255, 0, 0), (0.6280, 0.2249, 0.1258)),
        ((0, 255, 0), (0.8664, -0.2339, 0.1795)),
        ((0, 0, 255), (0.4520, -0.0325, -0.3115)),
    ],
)
def test_oklab_agrees_with_published_values(
    colour: tuple[int, int, int], expected: tuple[float, float, float]
) -> None:
    """White, black and the primaries come out as tables have them."""
    found = oklab(np.array(colour, dtype=np.uint8))
    np.testing.assert_allclose(found, expected, atol=2e-4)


def test_chroma_stays_within_zero_and_one() -> None:
    """The corners of the sRGB cube reach 1 and do not leave it."""
    corners = np.indices((2, 2, 2)).reshape(3, 8).T.astype(np.uint8) * 255
    scene = make_scene(corners.reshape(1, 2, 4, 3).repeat(4, axis=1)[:, :8:2, :], _ones(1))
    assert scene.chroma.min() >= 0
    assert scene.chroma.max() == pytest.approx(1, abs=2e-3)


@settings(max_examples=60, deadline=None)
@given(MASKS)
def test_touching_border_agrees_with_a_flood_fill(mask: Mask) -> None:
    """What a flood from the border reaches is kept, nothing else."""
    expected = [np.zeros_like(picture) for picture in mask]
    for picture, kept in zip(mask, expected, strict=True):
        for area in _areas(picture):
            if any(0 in place or 7 in place for place in area):
                kept[tuple(np.transpose(area))] = True
    assert (touching_border(mask) == np.array(expected)).all()


@settings(max_examples=60, deadline=None)
@given(MASKS, st.integers(1, 6))
def test_count_areas_agrees_with_a_flood_fill(mask: Mask, least: int) -> None:
    """Each picture's areas of at least so many pixels are counted."""
    expected = [sum(len(area) >= least for area in _areas(picture)) for picture in mask]
    assert count_areas(mask, least / 64).tolist() == expected


def test_border_returns_each_outermost_pixel_once() -> None:
    """A picture of distinct values has 4 (size - 1) distinct ones on its border."""
    picture = np.arange(25).reshape(1, 5, 5)
    inner = {6, 7, 8, 11, 12, 13, 16, 17, 18}
    assert sorted(border(picture)[0].tolist()) == sorted(set(range(25)) - inner)


def test_white_inside_the_product_is_foreground() -> None:
    """Only white that touches the border is background."""
    pixels = np.full((1, 16, 16, 3), 255, dtype=np.uint8)
    pixels[0, 4:12, 4:12] = 20
    pixels[0, 6:10, 6:10] = 255
    foreground = make_scene(pixels, _ones(1)).foreground
    expected = np.zeros((16, 16), dtype=np.bool_)
    expected[4:12, 4:12] = True
    assert (foreground[0] == expected).all()


def _ones(count: int) -> NDArray[np.float32]:
    return np.ones(count, dtype=np.float32)


def _areas(picture: Mask) -> list[list[tuple[int, int]]]:
    """Return the connected areas, each as its pixels' places, by flooding one after another."""
    left = {(int(row), int(column)) for row, column in np.argwhere(picture)}
    areas = []
    while left:
        area, queue = [], [left.pop()]
        while queue:
            row, column = queue.pop()
            area.append((row, column))
            near = {(row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)}
            queue += near & left
            left -= near
        areas.append(area)
    return areas
