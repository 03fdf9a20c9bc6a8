"""Colours, foreground and areas of a stack of pictures."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from amlc.arrays import Bools, Floats32, Pixels
from amlc.features.vision import scene as scene_module
from amlc.features.vision.scene import (
    STEPS,
    border_pixels,
    count_areas,
    keep_touching_border,
    make_scene,
    oklab,
)

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
    """White, black and the primary colours have their published coordinates."""
    actual = oklab(np.array(colour, dtype=np.uint8))
    np.testing.assert_allclose(actual, expected, atol=2e-4)


def test_the_table_of_cube_roots_is_exact() -> None:
    """Each entry is the root rounded, by integers: no error of a library's `cbrt` shows in it."""
    roots = (scene_module._CUBE_ROOTS * 2**14).astype(np.int64)  # noqa: SLF001 - what it is made of
    cubes = np.arange(len(roots)) * 2**27
    assert ((2 * roots - 1) ** 3 < cubes)[1:].all()
    assert (cubes < (2 * roots + 1) ** 3).all()
    assert roots[0] == 0


def test_the_table_of_linear_light_is_the_same_for_every_library() -> None:
    """No exact value is so close to the middle between two float32 that rounding could differ."""
    levels = np.arange(11, 256) / 255
    exact = scene_module._CUBES * ((levels + 0.055) / 1.055) ** 2.4  # noqa: SLF001 - as above
    table = scene_module._LINEAR[11:]  # noqa: SLF001 - as above
    above, below = np.nextafter(table, np.float32(np.inf)), np.nextafter(table, np.float32(0))
    for neighbour in (above, below):
        middle = (table.astype(np.float64) + neighbour) / 2
        assert (np.abs(exact / middle - 1) > 1e-12)[:-1].all()
    assert table[-1] == scene_module._CUBES  # noqa: SLF001 - as above


@settings(max_examples=25)
@given(arrays(np.uint8, (1, 16, 16, 3)))
def test_colours_are_multiples_of_a_step(pixels: Pixels) -> None:
    """The colours of any pixels are whole numbers of steps, so that their sums are exact."""
    for plane in make_scene(pixels, _ones(1))[:4]:
        assert (plane * STEPS % 1 == 0).all()


def test_chroma_lies_between_zero_and_one() -> None:
    """The largest chroma of the corners of the sRGB cube is 1."""
    corners = np.indices((2, 2, 2)).reshape(3, 8).T.astype(np.uint8) * 255
    scene = make_scene(corners.reshape(1, 2, 4, 3).repeat(4, axis=1)[:, :8:2, :], _ones(1))
    assert scene.chroma.min() >= 0
    assert scene.chroma.max() == pytest.approx(1, abs=2e-3)


@settings(max_examples=60)
@given(MASKS)
def test_areas_touching_the_border_agree_with_a_flood_fill(mask: Bools) -> None:
    """Exactly the areas with a pixel on the border are kept."""
    expected = [np.zeros_like(picture) for picture in mask]
    for picture, kept in zip(mask, expected, strict=True):
        for area in _areas(picture):
            if any(0 in pixel or 7 in pixel for pixel in area):
                kept[tuple(np.transpose(area))] = True
    assert (keep_touching_border(mask) == np.array(expected)).all()


@settings(max_examples=60)
@given(MASKS, st.integers(1, 6))
def test_count_areas_agrees_with_a_flood_fill(mask: Bools, least: int) -> None:
    """Areas of at least the given number of pixels are counted in each picture."""
    expected = [sum(len(area) >= least for area in _areas(picture)) for picture in mask]
    assert count_areas(mask, least / 64).tolist() == expected


def test_border_pixels_are_returned_once() -> None:
    """A picture of n x n distinct values has 4 (n - 1) of them on its border."""
    picture = np.arange(25).reshape(1, 5, 5)
    inner = {6, 7, 8, 11, 12, 13, 16, 17, 18}
    assert sorted(border_pixels(picture)[0].tolist()) == sorted(set(range(25)) - inner)


def test_white_inside_the_product_is_foreground() -> None:
    """Only white areas that touch the border are background."""
    pixels = np.full((1, 16, 16, 3), 255, dtype=np.uint8)
    pixels[0, 4:12, 4:12] = 20
    pixels[0, 6:10, 6:10] = 255
    foreground = make_scene(pixels, _ones(1)).foreground
    expected = np.zeros((16, 16), dtype=np.bool_)
    expected[4:12, 4:12] = True
    assert (foreground[0] == expected).all()


def _ones(count: int) -> Floats32:
    return np.ones(count, dtype=np.float32)


def _areas(picture: Bools) -> list[list[tuple[int, int]]]:
    """Return the connected areas as lists of pixels, by flood fill."""
    unvisited = {(int(row), int(column)) for row, column in np.argwhere(picture)}
    areas = []
    while unvisited:
        area, queue = [], [unvisited.pop()]
        while queue:
            row, column = queue.pop()
            area.append((row, column))
            near = {(row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)}
            queue += near & unvisited
            unvisited -= near
        areas.append(area)
    return areas
