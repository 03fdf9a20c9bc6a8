"""Pictures decoded and changed at random."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from PIL import Image

from amlc.features.encoders.preprocessing import efficientnet_preprocessing
from amlc.models.fusion.pictures import PictureBatch, changed, picture_batch
from amlc.models.fusion.settings import AugmentSettings
from tests.helpers.pictures import jpeg, noise

STEPS = efficientnet_preprocessing(32)
FILES = [(jpeg(0),), (), (b"not a picture",), (jpeg(1),)]
# Both usable ones, and one that is not.
SEVERAL = (jpeg(0), b"not a picture", jpeg(1))
NOTHING = {"drop_bullets": 0, "mask_words": 0, "crop": 0, "flip": 0, "colour": 0, "erase": 0}


def augment(**shares: float) -> AugmentSettings:
    """Return settings with only these changes."""
    values: dict[str, Any] = {name: float(share) for name, share in (NOTHING | shares).items()}
    return AugmentSettings.model_validate(values)


def batch(settings: AugmentSettings | None, seed: int = 1, threads: int = 1) -> PictureBatch:
    """Return a batch of all files."""
    with ThreadPoolExecutor(threads) as pool:
        return picture_batch(FILES, np.arange(4), STEPS, pool, settings, (seed,))


def test_rows_without_a_usable_picture_are_left_out() -> None:
    """A missing picture and a damaged one are the same."""
    pictures = batch(None)
    assert pictures.rows.tolist() == [0, 3]
    assert pictures.pixels.shape == (2, 3, 32, 32)


def test_a_batch_without_pictures_is_empty() -> None:
    """Its shape is that of no picture."""
    with ThreadPoolExecutor(1) as pool:
        pictures = picture_batch([()], np.array([0]), STEPS, pool)
    assert pictures.pixels.shape == (0, 3, 32, 32)


def test_all_pictures_of_a_row_are_read() -> None:
    """One after another; those that cannot be decoded are left out."""
    with ThreadPoolExecutor(2) as pool:
        pictures = picture_batch([(), SEVERAL], np.arange(2), STEPS, pool)
    assert (pictures.rows.tolist(), pictures.counts.tolist()) == ([1], [2])
    np.testing.assert_array_equal(pictures.pixels, batch(None).pixels)


def test_training_takes_one_picture_of_a_row_at_random() -> None:
    """Another one with another seed, never the one that cannot be decoded."""
    with ThreadPoolExecutor(1) as pool:
        taken = [
            picture_batch([SEVERAL], np.array([0]), STEPS, pool, augment(), (seed,))
            for seed in range(8)
        ]
    assert all(each.counts.tolist() == [1] for each in taken)
    known = [pixels.tobytes() for pixels in batch(None).pixels]
    assert {known.index(each.pixels[0].tobytes()) for each in taken} == {0, 1}


def test_changes_of_nothing_change_nothing() -> None:
    """All shares are 0."""
    np.testing.assert_array_equal(batch(augment()).pixels, batch(None).pixels)


def test_the_seed_and_not_the_threads_decides_the_changes() -> None:
    """Each picture has a generator of its own."""
    settings = augment(crop=0.5, flip=0.5, colour=0.5, erase=0.5)
    first = batch(settings).pixels
    np.testing.assert_array_equal(first, batch(settings, threads=3).pixels)
    assert not np.array_equal(first, batch(settings, seed=2).pixels)


def test_each_change_by_itself() -> None:
    """Cropping makes a picture smaller, mirroring reverses it, other colours keep its size."""
    image, rng = noise(60, 40), np.random.default_rng(0)
    assert changed(image, augment(crop=0.5), rng).size < (60, 40)
    mirrored = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    assert changed(image, augment(flip=1.0), rng).tobytes() == mirrored.tobytes()
    coloured = changed(image, augment(colour=0.5), rng)
    assert coloured.size == image.size
    assert coloured.tobytes() != image.tobytes()


def test_a_part_of_a_picture_is_erased() -> None:
    """Between a hundredth and a sixth of its pixels become the mean, in all channels alike."""
    before, after = batch(None).pixels, batch(augment(erase=1.0)).pixels
    differs = before != after
    assert (after[differs] == 0).all()
    share = differs.any(axis=1).mean(axis=(1, 2))
    assert ((share > 0.005) & (share < 0.2)).all()
