"""Each descriptor measures what its name says."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from amlc.arrays import Bools, Floats, Floats32, Pixels
from amlc.features.vision.descriptor_names import DESCRIPTORS, GROUPS
from amlc.features.vision.descriptors import (
    FUNCTIONS,
    describe_scene,
    edges,
    hues,
    log_aspect,
    objects,
    patterns,
)
from amlc.features.vision.scene import Scene, make_scene

PIXELS = arrays(np.uint8, (16, 16, 3))
NAMES = [name for names in GROUPS.values() for name in names]
SIZE = 48
WHITE, BLACK, RED, BLUE = (255, 255, 255), (0, 0, 0), (255, 0, 0), (0, 0, 255)


def canvas(colour: tuple[int, int, int] = WHITE) -> Pixels:
    """Return a picture of one colour."""
    return np.full((SIZE, SIZE, 3), colour, dtype=np.uint8)


def scene_of(pixels: Pixels) -> Scene:
    """Return the scene of one square picture."""
    return make_scene(pixels[np.newaxis], np.ones(1, dtype=np.float32))


def near(values: Floats | Floats32, offset: float) -> Bools:
    """Return where values are within 1e-4 of an integer plus an offset."""
    distance = values - offset
    return np.asarray(np.abs(distance - np.rint(distance)) < 1e-4)


def describe(pixels: Pixels, aspect: float = 1.0) -> dict[str, float]:
    """Return the descriptors of a picture by name."""
    scene = make_scene(pixels[np.newaxis], np.array([aspect], dtype=np.float32))
    return dict(zip(NAMES, describe_scene(scene)[0].tolist(), strict=True))


def test_every_column_has_one_name_and_a_meaning() -> None:
    """Each function returns as many columns as it has names, and no name is repeated."""
    scene = make_scene(canvas()[np.newaxis], np.ones(1, dtype=np.float32))
    assert set(FUNCTIONS) == set(GROUPS)
    for group, names in GROUPS.items():
        assert FUNCTIONS[group](scene).shape == (1, len(names)), group
        assert all(names.values())
    assert len(set(NAMES)) == len(NAMES)
    assert 40 <= len(NAMES) < 80
    assert list(DESCRIPTORS) == ["placeholder", *NAMES]


@settings(max_examples=40)
@given(arrays(np.uint8, (16, 16, 3)), st.floats(0.01, 100))
def test_any_pixels_give_finite_numbers_between_minus_one_and_one(
    pixels: Pixels, aspect: float
) -> None:
    """Random pixels stay within the range."""
    values = np.array(list(describe(pixels, aspect).values()))
    assert np.isfinite(values).all()
    assert np.abs(values).max() <= 1.001


@pytest.mark.parametrize("colour", [WHITE, BLACK, (128, 128, 128), RED])
def test_a_picture_of_one_colour_is_described_without_warnings(
    colour: tuple[int, int, int],
) -> None:
    """A picture without edges, variance or foreground does not lead to a division by zero."""
    descriptors = describe(canvas(colour))
    assert np.isfinite(list(descriptors.values())).all()
    assert descriptors["edge_mean"] == descriptors["detail_fine"] == 0


def test_a_white_picture_is_all_background() -> None:
    """Without foreground there is no bounding box and no object."""
    descriptors = describe(canvas())
    assert descriptors["background_share"] == descriptors["border_white"] == 1
    foreground = ("box_width", "box_height", "box_fill", "objects")
    assert [descriptors[name] for name in foreground] == [0, 0, 0, 0]


def test_colour_is_that_of_the_foreground() -> None:
    """White around a red square does not change the means."""
    pixels = canvas()
    pixels[10:20, 10:20] = RED
    descriptors = describe(pixels)
    assert descriptors["lightness_mean"] == pytest.approx(0.628, abs=1e-3)
    assert descriptors["redness_mean"] == pytest.approx(0.2249 / 0.3225, abs=1e-3)
    assert descriptors["chroma_std"] == pytest.approx(0, abs=1e-3)
    assert descriptors["vivid_share"] == pytest.approx(1)


def test_hues_distinguish_red_from_blue() -> None:
    """All chroma of a red picture lies in the first octant, that of a blue one in another."""
    red, blue = describe(canvas(RED)), describe(canvas(BLUE))
    assert red["hue_0"] == pytest.approx(red["chroma_mean"])
    assert blue["hue_0"] == 0
    assert blue["hue_5"] == pytest.approx(blue["chroma_mean"])


def test_tones_distinguish_black_from_light_grey() -> None:
    """A picture of both is half dark, half light and all grey."""
    pixels = canvas(BLACK)
    pixels[:, SIZE // 2 :] = 220
    descriptors = describe(pixels)
    assert descriptors["dark_share"] == pytest.approx(0.5)
    assert descriptors["light_share"] == pytest.approx(0.5)
    assert descriptors["grey_share"] == pytest.approx(1)


def test_the_bounding_box_is_that_of_the_foreground() -> None:
    """The box of a black bar has the bar's width, height and centre."""
    pixels = canvas()
    pixels[12:36, 6:18] = 0
    descriptors = describe(pixels)
    assert descriptors["box_width"] == pytest.approx(0.25)
    assert descriptors["box_height"] == pytest.approx(0.5)
    assert descriptors["box_aspect"] == pytest.approx(0.5 - 1 / 6)
    assert descriptors["box_x"] == pytest.approx(0.25)
    assert descriptors["box_y"] == pytest.approx(0.5)
    assert descriptors["box_fill"] == pytest.approx(1)


def test_the_aspect_of_the_box_is_that_before_resizing() -> None:
    """In a picture twice as wide as high, a square on the canvas is twice as wide as high."""
    pixels = canvas()
    pixels[12:36, 12:36] = 0
    descriptors = describe(pixels, aspect=2.0)
    assert descriptors["box_aspect"] == descriptors["picture_aspect"] == pytest.approx(0.5 + 1 / 6)


@pytest.mark.parametrize("cell", range(9))
def test_mass_lies_in_the_cell_of_the_product(cell: int) -> None:
    """The whole foreground of a square in a single cell is in that cell."""
    top, left = 16 * (cell // 3) + 4, 16 * (cell % 3) + 4
    pixels = canvas()
    pixels[top : top + 8, left : left + 8] = 0
    descriptors = describe(pixels)
    assert [descriptors[f"mass_{number}"] for number in range(9)] == pytest.approx(np.eye(9)[cell])


def test_directions_distinguish_vertical_from_horizontal_bars() -> None:
    """The gradient of vertical bars is horizontal, that of horizontal bars vertical."""
    bars = canvas(BLACK)
    bars[:, (np.arange(SIZE) // 4) % 2 == 0] = 200
    assert describe(bars)["edge_direction_0"] == pytest.approx(1)
    assert describe(bars.transpose(1, 0, 2))["edge_direction_3"] == pytest.approx(1)


def test_detail_is_found_at_its_scale() -> None:
    """A checkerboard of single pixels has only fine detail; one of 4 x 4 pixels only coarse."""
    pixels = np.indices((SIZE, SIZE)).sum(axis=0)
    fine = describe(np.where(pixels[..., np.newaxis] % 2 == 0, 0, 255).repeat(3, 2).astype("uint8"))
    blocks = (np.indices((SIZE, SIZE)) // 4).sum(axis=0)
    coarse = describe(
        np.where(blocks[..., np.newaxis] % 2 == 0, 0, 255).repeat(3, 2).astype("uint8")
    )
    assert fine["detail_fine"] == pytest.approx(0.5)
    assert fine["detail_middle"] == fine["detail_coarse"] == 0
    assert coarse["detail_coarse"] == pytest.approx(0.5)
    assert coarse["detail_fine"] == coarse["detail_middle"] == 0


@settings(max_examples=25)
@given(arrays(np.uint8, (16, 16), elements=st.sampled_from([0, 90, 180, 255])))
def test_patterns_agree_with_counting_pixel_by_pixel(grey: Pixels) -> None:
    """The shares are those of a plain loop over pixels and their neighbours."""
    scene = make_scene(np.stack([grey] * 3, axis=-1)[np.newaxis], np.ones(1, dtype=np.float32))
    counts = np.zeros(10)
    for row in range(1, 15):
        for column in range(1, 15):
            counts[_pattern(scene.lightness[0], row, column)] += 1
    np.testing.assert_allclose(patterns(scene)[0], counts / counts.sum(), atol=1e-6)


@settings(max_examples=25)
@given(PIXELS)
def test_hues_agree_with_angles(pixels: Pixels) -> None:
    """The octants are those of the angle in the plane of redness and yellowness."""
    scene = scene_of(pixels)
    angles = np.arctan2(scene.yellowness, scene.redness) % (2 * np.pi)
    octants = np.minimum(angles / (np.pi / 4), 7.5).astype(int)
    weight = np.where(near(angles / (np.pi / 4), 0), 0, scene.chroma)
    scene = scene._replace(chroma=weight, foreground=np.ones_like(scene.foreground))
    expected = [weight[octants == octant].sum() / octants.size for octant in range(8)]
    np.testing.assert_allclose(hues(scene)[0], expected, atol=1e-6)


@settings(max_examples=25)
@given(PIXELS)
def test_directions_agree_with_angles(pixels: Pixels) -> None:
    """The sectors are those of the angle of the gradient, up to pixels on their limits."""
    scene = scene_of(pixels)
    down, across = np.gradient(scene.lightness[0].astype(np.float64))
    turns = np.arctan2(down, across) / (np.pi / 6)
    sectors, strength = np.rint(turns).astype(int) % 6, np.hypot(across, down)
    unsure = strength[near(turns, 0.5)].sum() / strength.size + 1e-3
    actual = edges(scene)[0]
    assert actual[0] == pytest.approx(strength.mean(), abs=2e-4)
    expected = [strength[sectors == sector].sum() / strength.size for sector in range(6)]
    np.testing.assert_allclose(actual[1:] * actual[0], expected, atol=unsure)


@given(st.floats(0.125, 8, width=32))
def test_log_aspect_is_a_binary_logarithm(ratio: float) -> None:
    """Within its range, it agrees with the library's logarithm to 14 digits."""
    actual = log_aspect(np.array([ratio], dtype=np.float32))
    np.testing.assert_allclose(actual, 0.5 + np.log2(ratio) / 6, rtol=0, atol=1e-14)


@settings(max_examples=25)
@given(PIXELS)
def test_repeats_agree_with_a_fourier_transform(pixels: Pixels) -> None:
    """The highest autocorrelation after the first dip below zero is that of a direct formula."""
    scene = scene_of(pixels)
    actual = objects(scene)[0, 1:]
    for axis, value in enumerate(actual):
        profile = scene.lightness[0].mean(axis=axis, dtype=np.float64)
        power = np.abs(np.fft.rfft(profile - profile.mean(), 32)) ** 2
        correlation = np.fft.irfft(power)[:9]
        if correlation[0] < 1e-9 or np.abs(correlation).min() < 1e-9:
            continue
        dips = np.flatnonzero(correlation < 0)
        expected = correlation[dips[0] :].max() / correlation[0] if len(dips) else 0
        assert value == pytest.approx(max(expected, 0), abs=1e-6)


def test_mirroring_keeps_symmetry_and_swaps_the_sides() -> None:
    """A mirrored picture is as symmetric as before, with its mass on the other side."""
    pixels = np.random.default_rng(20).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    pixels[:, :16] = 255
    original, mirrored = describe(pixels), describe(pixels[:, ::-1])
    assert original["symmetry_across"] == pytest.approx(mirrored["symmetry_across"])
    assert original["symmetry_across"] < 0.95
    assert original["mass_0"] == pytest.approx(mirrored["mass_2"])


def test_a_symmetric_picture_has_symmetry_one() -> None:
    """A picture that equals its mirror image on one axis has symmetry 1 on that axis only."""
    pixels = canvas(BLACK)
    pixels[:8] = 255
    descriptors = describe(pixels)
    assert descriptors["symmetry_across"] == 1
    assert descriptors["symmetry_down"] < 0.8


@pytest.mark.parametrize("count", [1, 3, 7])
def test_objects_counts_separate_areas(count: int) -> None:
    """Each square counts as an object; a single pixel does not."""
    pixels = canvas()
    for square in range(count):
        top, left = 16 * (square // 3), 16 * (square % 3)
        pixels[top + 3 : top + 12, left + 3 : left + 12] = 0
    pixels[47, 47] = 0
    assert describe(pixels)["objects"] == pytest.approx(np.log2(1 + count) / 5)


def test_repeats_distinguish_a_row_of_bars_from_a_single_bar() -> None:
    """Four bars side by side repeat across and not down; a single bar does neither."""
    row, single = canvas(), canvas()
    for bar in range(4):
        row[:, 12 * bar + 3 : 12 * bar + 9] = 0
    single[:, 18:30] = 0
    descriptors = describe(row)
    assert descriptors["repeats_across"] > 0.5
    assert descriptors["repeats_down"] == 0
    assert describe(single)["repeats_across"] < 0.2


def _pattern(light: Floats32, row: int, column: int) -> int:
    ring = ((-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1))
    middle = light[row, column] + np.float32(0.01)
    bits = [bool(light[row + down, column + right] > middle) for down, right in ring]
    turns = sum(bits[step] != bits[step - 1] for step in range(8))
    return sum(bits) if turns <= 2 else 9
