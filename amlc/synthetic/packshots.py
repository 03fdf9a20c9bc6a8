"""Pictures of the synthetic products: drawn packages whose look carries part of the price.

A link contains a digest of everything that determines its picture, so that it has the same picture
in every synthetic catalogue, whatever the seed.
"""

import colorsys
import hashlib
import math
import random
from collections.abc import Callable
from dataclasses import astuple, dataclass

import numpy as np
from PIL import Image, ImageDraw

from amlc.images.decode import encode_jpeg
from amlc.synthetic.assortment import SyntheticProducts
from amlc.synthetic.draws import Draws
from amlc.synthetic.words import CATEGORIES, Shape

# Increase it when the code below draws another picture for the same `Packshot`: the store keeps
# pictures by their links.
DRAWING_VERSION = 1
LINK_HEAD, LINK_TAIL = "https://images.amlc.invalid/I/", ".jpg"
LONGEST_SIDE = 160
MAX_ITEMS = 12

Colour = tuple[int, int, int]
GOLD: Colour = (205, 164, 62)

# Width of one package divided by its height.
ASPECTS: dict[Shape, float] = {
    "jar": 0.72,
    "bottle": 0.36,
    "can": 0.68,
    "box": 0.8,
    "bag": 0.68,
    "tub": 0.95,
    "roll": 1.9,
}


@dataclass(frozen=True)
class Packshot:
    """Everything that determines a picture.

    Parameters
    ----------
    shape : str
        Shape of the package.
    hue, brand_hue : int
        Colour of the content and of the brand, in degrees.
    tier : int
        Style of the label: 0 with a bright sticker, 1 plain paper, 2 a dark band, 3 black and gold.
    items : int
        Number of packages in the picture.
    seed : int
        Seed of all other details.
    """

    shape: Shape
    hue: int
    brand_hue: int
    tier: int
    items: int
    seed: int

    def link(self) -> str:
        """Return the link of this picture."""
        content = repr((DRAWING_VERSION, *astuple(self))).encode()
        return LINK_HEAD + hashlib.blake2b(content, digest_size=10).hexdigest() + LINK_TAIL

    def draw(self) -> Image.Image:
        """Draw the picture, RGB, `LONGEST_SIDE` pixels along its longest side."""
        rng = random.Random(self.seed)  # noqa: S311 - not cryptography
        columns, rows = _grid(self.items, ASPECTS[self.shape])
        aspect = columns * ASPECTS[self.shape] / rows
        width = round(LONGEST_SIDE * min(aspect, 1.0))
        height = round(LONGEST_SIDE * min(1 / aspect, 1.0))
        canvas = Image.new("RGB", (width, height), _backdrop(rng))
        margin = 0.02 + 0.08 * rng.random()
        cell = (width * (1 - 2 * margin) / columns, height * (1 - 2 * margin) / rows)
        package = self._package(rng, (max(int(cell[0] * 0.84), 6), max(int(cell[1] * 0.84), 6)))
        for item in range(self.items):
            left = width * margin + cell[0] * (item % columns + 0.08)
            top = height * margin + cell[1] * (item // columns + 0.08)
            canvas.paste(package, (int(left), int(top)), package)
        return canvas

    def encode(self) -> bytes:
        """Return the picture as the bytes of a JPEG file."""
        return encode_jpeg(self.draw(), quality=80)

    def _package(self, rng: random.Random, size: tuple[int, int]) -> Image.Image:
        """Draw one package on a transparent background, at twice its size for smooth edges."""
        width, height = 2 * size[0], 2 * size[1]
        package = Image.new("RGBA", (width, height), (0, 0, 0, 0))
        draw = ImageDraw.Draw(package)
        body = _rgb(self.hue + rng.uniform(-25, 25), 0.62, 0.55 + 0.2 * rng.random())
        lid = GOLD if self.tier == 3 else _rgb(self.brand_hue, 0.3, 0.35 + 0.4 * rng.random())
        BODIES[self.shape](draw, width, height, body, lid)
        _label(draw, rng, self, width, height)
        shine = tuple(min(channel + 28, 255) for channel in body)
        draw.rectangle((width * 0.1, height * 0.32, width * 0.15, height * 0.9), fill=shine)
        return package.reduce(2)


def make_packshots(seed: int, products: SyntheticProducts) -> list[Packshot]:
    """Return the picture of each product; a variant shares its origin's."""
    seeds = Draws(seed, products.shot).bits("picture") >> np.uint64(16)
    columns = (products.category, products.brand, products.tier, products.shown_pack, seeds)
    return [
        Packshot(
            shape=CATEGORIES[category].shape,
            hue=CATEGORIES[category].hue,
            brand_hue=brand * 67 % 360,
            tier=tier,
            items=min(shown, MAX_ITEMS),
            seed=picture_seed,
        )
        for category, brand, tier, shown, picture_seed in zip(
            *(column.tolist() for column in columns), strict=True
        )
    ]


def _grid(items: int, aspect: float) -> tuple[int, int]:
    """Return the columns and rows of a roughly square grid for the items."""
    columns = min(max(round(math.sqrt(items / aspect)), 1), items)
    return columns, math.ceil(items / columns)


def _rgb(hue: float, saturation: float, value: float) -> Colour:
    red, green, blue = colorsys.hsv_to_rgb(hue % 360 / 360, saturation, min(value, 1.0))
    return int(255 * red), int(255 * green), int(255 * blue)


def _backdrop(rng: random.Random) -> Colour:
    """Return the colour of the background: white for most pictures, a warm tone for a few."""
    chance, hue, value = rng.random(), rng.uniform(20, 60), rng.uniform(0.6, 0.95)
    return _rgb(hue, 0.25, value) if chance < 0.08 else (255, 255, 255)


def _label(
    draw: ImageDraw.ImageDraw, rng: random.Random, packshot: Packshot, width: int, height: int
) -> None:
    box = (width * 0.16, height * 0.44, width * 0.84, height * 0.82)
    paper, ink, rim = _label_colours(packshot)
    draw.rectangle(box, fill=paper, outline=rim, width=max(width // 24, 1))
    step = (box[3] - box[1]) / 5
    for line in range(3):
        top = box[1] + step * (line + 1)
        right = box[2] - (box[2] - box[0]) * rng.uniform(0.12, 0.4)
        draw.rectangle((box[0] + width * 0.07, top, right, top + step * 0.4), fill=ink)
    if packshot.tier == 0:
        side = width * 0.42
        draw.ellipse((width - side, height * 0.3, width, height * 0.3 + side), fill=(250, 220, 20))


def _label_colours(packshot: Packshot) -> tuple[Colour, Colour, Colour]:
    """Return the colours of paper, ink and rim."""
    house = _rgb(packshot.brand_hue, 0.7, 0.75)
    dark = _rgb(packshot.brand_hue, 0.6, 0.32)
    return (
        (_rgb(52, 0.45, 1.0), (200, 30, 30), (200, 30, 30)),
        ((245, 243, 236), house, (245, 243, 236)),
        (dark, (240, 240, 240), (240, 240, 240)),
        ((22, 20, 24), GOLD, GOLD),
    )[packshot.tier]


def _jar(draw: ImageDraw.ImageDraw, width: int, height: int, body: Colour, lid: Colour) -> None:
    draw.rounded_rectangle((0, height * 0.14, width - 1, height - 1), width * 0.14, fill=body)
    draw.rectangle((width * 0.08, 0, width * 0.92, height * 0.18), fill=lid)


def _bottle(draw: ImageDraw.ImageDraw, width: int, height: int, body: Colour, lid: Colour) -> None:
    draw.rounded_rectangle((0, height * 0.34, width - 1, height - 1), width * 0.12, fill=body)
    shoulders = ((width * 0.3, height * 0.1), (width * 0.7, height * 0.1))
    draw.polygon((*shoulders, (width - 1, height * 0.4), (0, height * 0.4)), fill=body)
    draw.rectangle((width * 0.28, 0, width * 0.72, height * 0.1), fill=lid)


def _can(draw: ImageDraw.ImageDraw, width: int, height: int, body: Colour, lid: Colour) -> None:
    draw.ellipse((0, height * 0.86, width - 1, height - 1), fill=body)
    draw.rectangle((0, height * 0.07, width - 1, height * 0.93), fill=body)
    draw.ellipse((0, 0, width - 1, height * 0.14), fill=lid, outline=(150, 150, 150))


def _box(draw: ImageDraw.ImageDraw, width: int, height: int, body: Colour, lid: Colour) -> None:
    draw.rectangle((0, height * 0.1, width * 0.88, height - 1), fill=body)
    top = ((0, height * 0.1), (width * 0.12, 0), (width - 1, 0), (width * 0.88, height * 0.1))
    draw.polygon(top, fill=lid)
    side = ((width * 0.88, height * 0.1), (width - 1, 0), (width - 1, height * 0.9))
    dark = (body[0] * 2 // 3, body[1] * 2 // 3, body[2] * 2 // 3)
    draw.polygon((*side, (width * 0.88, height - 1)), fill=dark)


def _bag(draw: ImageDraw.ImageDraw, width: int, height: int, body: Colour, lid: Colour) -> None:
    draw.rounded_rectangle((0, height * 0.08, width - 1, height - 1), width * 0.2, fill=body)
    draw.rectangle((width * 0.04, 0, width * 0.96, height * 0.12), fill=lid)
    for tooth in range(8):
        left = width * (0.04 + 0.115 * tooth)
        draw.polygon(((left, 0), (left + width * 0.06, height * 0.03), (left + width * 0.115, 0)))


def _tub(draw: ImageDraw.ImageDraw, width: int, height: int, body: Colour, lid: Colour) -> None:
    bottom = ((width * 0.92, height - 1), (width * 0.08, height - 1))
    draw.polygon(((0, height * 0.12), (width - 1, height * 0.12), *bottom), fill=body)
    draw.rounded_rectangle((0, 0, width - 1, height * 0.16), height * 0.05, fill=lid)


def _roll(draw: ImageDraw.ImageDraw, width: int, height: int, body: Colour, lid: Colour) -> None:
    draw.rectangle((width * 0.1, 0, width * 0.9, height - 1), fill=body)
    draw.ellipse((0, 0, width * 0.2, height - 1), fill=body)
    draw.ellipse((width * 0.8, 0, width - 1, height - 1), fill=lid, outline=body)


BODIES: dict[Shape, Callable[[ImageDraw.ImageDraw, int, int, Colour, Colour], None]] = {
    "jar": _jar,
    "bottle": _bottle,
    "can": _can,
    "box": _box,
    "bag": _bag,
    "tub": _tub,
    "roll": _roll,
}
