"""The pictures of the synthetic products."""

import hashlib
import io
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from PIL import Image

from amlc.arrays import Ints64
from amlc.synthetic.assortment import SyntheticProducts, make_products
from amlc.synthetic.packshots import (
    BODIES,
    DRAWING_VERSION,
    LONGEST_SIDE,
    MAX_ITEMS,
    Packshot,
    make_packshots,
)
from amlc.synthetic.words import Shape

JAR = Packshot(shape="jar", hue=30, brand_hue=200, tier=1, items=1, seed=20)
DIGESTS = {1: "51c04faad9289bd3"}


def test_a_link_always_has_the_same_picture() -> None:
    """The drawing has not changed under its links.

    If this fails because the drawing was changed on purpose, raise `DRAWING_VERSION` and add the
    new digest: the pictures stored under the old links show the old drawing.
    """
    pictures = [
        replace(JAR, shape=shape, tier=tier, items=1 + 3 * tier)
        for shape, tier in product(BODIES, range(4))
    ]
    pixels = b"".join(picture.draw().tobytes() for picture in pictures)
    assert hashlib.sha256(pixels).hexdigest()[:16] == DIGESTS[DRAWING_VERSION]


def test_the_link_depends_on_everything_that_the_picture_depends_on() -> None:
    """Any change of a `Packshot` changes its link."""
    changed = [
        replace(JAR, shape="can"),
        replace(JAR, hue=31),
        replace(JAR, brand_hue=201),
        replace(JAR, tier=2),
        replace(JAR, items=2),
        replace(JAR, seed=21),
    ]
    assert len({packshot.link() for packshot in [JAR, *changed]}) == 7


def test_links_have_the_form_of_image_links() -> None:
    """Their host can never exist, and each ends in a file name."""
    head, name = JAR.link().rsplit("/", 1)
    assert head == "https://images.amlc.invalid/I"
    assert name.endswith(".jpg")
    assert len(name) == 24


@pytest.mark.parametrize("shape", BODIES)
@pytest.mark.parametrize("items", [1, 2, 5, MAX_ITEMS])
def test_every_shape_and_number_can_be_drawn(shape: Shape, items: int) -> None:
    """The file is an RGB JPEG of the right size that shows more than its backdrop."""
    body = Packshot(shape=shape, hue=30, brand_hue=9, tier=3, items=items, seed=1).encode()
    with Image.open(io.BytesIO(body)) as image:
        assert (image.format, image.mode) == ("JPEG", "RGB")
        assert max(image.size) == LONGEST_SIDE
        assert np.asarray(image).std() > 20


def test_premium_labels_are_darker_than_plain_ones() -> None:
    """The effect of the label on the price is visible."""
    plain, premium = (
        np.asarray(replace(JAR, tier=tier, items=4).draw(), dtype=float).mean() for tier in (1, 3)
    )
    assert premium < plain - 10


def test_a_variant_has_the_link_of_its_origin() -> None:
    """Rows have the same link if, and only if, they have the same picture."""
    keys = np.arange(1, 3_001, dtype=np.int64)
    products = make_products(20, keys, noise=0.4, repeated_titles=0.1, repeated_links=0.1)
    links = np.array([packshot.link() for packshot in make_packshots(20, products)])
    places = {key: place for place, key in enumerate(keys.tolist())}
    variants = [
        (links[row], links[places[origin]])
        for row, origin in enumerate(products.origin.tolist())
        if not products.retitled[row]
        and products.origin[places[origin]] == origin
        and origin != products.key[row]
    ]
    assert len(variants) > 50
    assert all(link == link_of_origin for link, link_of_origin in variants)
    assert len(set(links)) == len(set(zip(products.shot, products.origin, strict=True)))


def test_another_seed_gives_other_links() -> None:
    """Two catalogues have no link in common, as their pictures differ."""
    keys = 2 * np.arange(300, dtype=np.int64) + 1
    links = [
        {packshot.link() for packshot in make_packshots(seed, _products(seed, keys))}
        for seed in (20, 21)
    ]
    assert not links[0] & links[1]


def _products(seed: int, keys: Ints64) -> SyntheticProducts:
    return make_products(seed, keys, noise=0.4, repeated_titles=0.0, repeated_links=0.0)
