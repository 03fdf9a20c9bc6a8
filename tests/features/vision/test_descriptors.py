"""Each descriptor says what its name says."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from amlc.features.vision.descriptors import GROUPS, describe_scene, patterns
from amlc.features.vision.scene import make_scene

NAMES = [name for _, names in GROUPS for name in names]
SIZE = 48
WHITE, BLACK, RED, BLUE = (255, 255, 255), (0, 0, 0), (255, 0, 0), (0, 0, 255)


def canvas(colour: tuple[int, int, int] = WHITE) -> NDArray[np.uint8]:
    """Return a picture of one colour."""
    return np.full((SIZE, SIZE, 3), colour, dtype=np.uint8)


def describe(pixels: NDArray[np.uint8], aspect: float = 1.0) -> dict[str, float]:
    """Describe one picture, by name."""
    scene = make_scene(pixels[np.newaxis], np.array([aspect], dtype=np.float32))
    return dict(zip(NAMES, describe_scene(scene)[0].tolist(), strict=True))


def test_every_column_has_one_name_and_a_meaning() -> None:
    """Each function returns as many columns as it has names, and no name comes twice."""
    scene = make_scene(canvas()[np.newaxis], np.ones(1, dtype=np.float32))
    for function, names in GROUPS:
        assert function(scene).shape == (1, len(names)), function.__name__
        assert all(names.values())
    assert len(set(NAMES)) == len(NAMES)
    assert 40 <= len(NAMES) < 80


@settings(max_examples=40, deadline=None)
@given(arrays(np.uint8, (16, 16, 3)), st.floats(0.01, 100))
def test_any_pixels_give_finite_numbers_between_minus_one_and_one(
    pixels: NDArray[np.uint8], aspect: float
) -> None:
    """No picture, however odd, leaves the range."""
    values = np.array(list(describe(pixels, aspect).values()))
    assert np.isfinite(values).all()
    assert np.abs(values).max() <= 1.001


@pytest.mark.parametrize("colour", [WHITE, BLACK, (128, 128, 128), RED])
def test_a_picture_of_one_colour_is_described_without_warnings(
    colour: tuple[int, int, int],
) -> None:
    """Nothing divides by zero where there is no edge, no spread or no foreground."""
    found = describe(canvas(colour))
    assert np.isfinite(list(found.values())).all()
    assert found["edge_mean"] == found["detail_fine"] == 0


def test_white_alone_is_background_alone() -> None:
    """An empty picture has no box."""
    found = describe(canvas())
    assert found["background_share"] == found["border_white"] == 1
    assert found["box_width"] == found["box_height"] == found["box_fill"] == found["objects"] == 0


def test_colour_is_that_of_the_foreground() -> None:
    """White around a red square does not dilute it."""
    pixels = canvas()
    pixels[10:20, 10:20] = RED
    found = describe(pixels)
    assert found["lightness_mean"] == pytest.approx(0.628, abs=1e-3)
    assert found["redness_mean"] == pytest.approx(0.2249 / 0.3225, abs=1e-3)
    assert found["chroma_std"] == pytest.approx(0, abs=1e-3)
    assert found["vivid_share"] == pytest.approx(1)


def test_hues_tell_red_from_blue() -> None:
    """All chroma of a red picture lies in the first octant, of a blue one in another."""
    red, blue = describe(canvas(RED)), describe(canvas(BLUE))
    assert red["hue_0"] == pytest.approx(red["chroma_mean"])
    assert blue["hue_0"] == 0
    assert blue["hue_5"] == pytest.approx(blue["chroma_mean"])


def test_tones_split_black_from_light_grey() -> None:
    """Half black, half light grey: half dark, half light, all grey."""
    pixels = canvas(BLACK)
    pixels[:, SIZE // 2 :] = 220
    found = describe(pixels)
    assert found["dark_share"] == pytest.approx(0.5)
    assert found["light_share"] == pytest.approx(0.5)
    assert found["grey_share"] == pytest.approx(1)


def test_the_box_surrounds_the_foreground() -> None:
    """A black bar has its own width, height, place and fill."""
    pixels = canvas()
    pixels[12:36, 6:18] = 0
    found = describe(pixels)
    assert found["box_width"] == pytest.approx(0.25)
    assert found["box_height"] == pytest.approx(0.5)
    assert found["box_aspect"] == pytest.approx(0.5 - 1 / 6)
    assert found["box_x"] == pytest.approx(0.25)
    assert found["box_y"] == pytest.approx(0.5)
    assert found["box_fill"] == pytest.approx(1)


def test_the_boxs_aspect_is_that_before_squeezing() -> None:
    """In a picture twice as wide as high, a square of the canvas is twice as wide as high."""
    pixels = canvas()
    pixels[12:36, 12:36] = 0
    found = describe(pixels, aspect=2.0)
    assert found["box_aspect"] == found["picture_aspect"] == pytest.approx(0.5 + 1 / 6)


@pytest.mark.parametrize("cell", range(9))
def test_mass_lies_in_the_cell_where_the_product_is(cell: int) -> None:
    """A square in one cell of the grid is all in that cell."""
    top, left = 16 * (cell // 3) + 4, 16 * (cell % 3) + 4
    pixels = canvas()
    pixels[top : top + 8, left : left + 8] = 0
    found = describe(pixels)
    assert [found[f"mass_{number}"] for number in range(9)] == pytest.approx(np.eye(9)[cell])


def test_directions_tell_bars_from_beams() -> None:
    """Bars change from left to right, beams from top to bottom."""
    bars = canvas(BLACK)
    bars[:, (np.arange(SIZE) // 4) % 2 == 0] = 200
    assert describe(bars)["edge_direction_0"] == pytest.approx(1)
    assert describe(bars.transpose(1, 0, 2))["edge_direction_3"] == pytest.approx(1)


def test_detail_is_found_at_its_scale() -> None:
    """A board of single pixels is fine detail only; one of 4 x 4 pixels is coarse only."""
    places = np.indices((SIZE, SIZE)).sum(axis=0)
    fine = describe(np.where(places[..., np.newaxis] % 2 == 0, 0, 255).repeat(3, 2).astype("uint8"))
    blocks = (np.indices((SIZE, SIZE)) // 4).sum(axis=0)
    coarse = describe(
        np.where(blocks[..., np.newaxis] % 2 == 0, 0, 255).repeat(3, 2).astype("uint8")
    )
    assert fine["detail_fine"] == pytest.approx(0.5)
    assert fine["detail_middle"] == fine["detail_coarse"] == 0
    assert coarse["detail_coarse"] == pytest.approx(0.5)
    assert coarse["detail_fine"] == coarse["detail_middle"] == 0


@settings(max_examples=25, deadline=None)
@given(arrays(np.uint8, (16, 16), elements=st.sampled_from([0, 90, 180, 255])))
def test_patterns_agree_with_counting_pixel_by_pixel(grey: NDArray[np.uint8]) -> None:
    """The shares are those of a loop over pixels and their neighbours."""
    scene = make_scene(np.stack([grey] * 3, axis=-1)[np.newaxis], np.ones(1, dtype=np.float32))
    counts = np.zeros(10)
    for row in range(1, 15):
        for column in range(1, 15):
            counts[_pattern(scene.lightness[0], row, column)] += 1
    np.testing.assert_allclose(patterns(scene)[0], counts / counts.sum(), atol=1e-6)


def test_mirroring_keeps_symmetry_and_swaps_the_sides() -> None:
    """A mirrored picture is as symmetric as before, with its mass on the other side."""
    pixels = np.random.default_rng(20).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    pixels[:, :16] = 255
    one, two = describe(pixels), describe(pixels[:, ::-1])
    assert one["symmetry_across"] == pytest.approx(two["symmetry_across"])
    assert one["symmetry_across"] < 0.95
    assert one["mass_0"] == pytest.approx(two["mass_2"])


def test_a_palindrome_is_fully_symmetric() -> None:
    """A picture that equals its mirror image has symmetry 1 on that axis only."""
    pixels = canvas(BLACK)
    pixels[:8] = 255
    found = describe(pixels)
    assert found["symmetry_across"] == 1
    assert found["symmetry_down"] < 0.8


@pytest.mark.parametrize("count", [1, 3, 7])
def test_objects_counts_separate_things(count: int) -> None:
    """So many squares are so many objects; a speck is none."""
    pixels = canvas()
    for thing in range(count):
        top, left = 16 * (thing // 3), 16 * (thing % 3)
        pixels[top + 3 : top + 12, left + 3 : left + 12] = 0
    pixels[47, 47] = 0
    assert describe(pixels)["objects"] == pytest.approx(np.log2(1 + count) / 5)


def test_repeats_tell_a_row_from_a_single_thing() -> None:
    """Four bars side by side repeat across and not down; one bar does neither."""
    row, single = canvas(), canvas()
    for bar in range(4):
        row[:, 12 * bar + 3 : 12 * bar + 9] = 0
    single[:, 18:30] = 0
    found = describe(row)
    assert found["repeats_across"] > 0.5
    assert found["repeats_down"] == 0
    assert describe(single)["repeats_across"] < 0.2


def _pattern(light: NDArray[np.float32], row: int, column: int) -> int:
    ring = ((-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1))
    middle = light[row, column] + np.float32(0.01)
    bits = [bool(light[row + down, column + right] > middle) for down, right in ring]
    turns = sum(bits[step] != bits[step - 1] for step in range(8))
    return sum(bits) if turns <= 2 else 9
