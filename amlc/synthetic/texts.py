"""The catalogue texts of the synthetic products."""

import html
import random
from collections.abc import Callable, Sequence
from typing import TypeVar

from amlc.synthetic.assortment import SyntheticProducts, brand_name
from amlc.synthetic.draws import Draws
from amlc.synthetic.words import (
    ADJECTIVES,
    BULLETS,
    CATEGORIES,
    FLAVOURS,
    PACK_PHRASES,
    PLACES,
    QUALITIES,
    SENTENCES,
    SIZE_PHRASES,
    UNITS,
    USES,
    SizeKind,
)

T = TypeVar("T")

BULLET_COUNTS = (0, 1, 2, 3, 4, 5, 6, 8, 10)
BULLET_WEIGHTS = (19, 9, 3, 6, 9, 46, 5, 2, 1)
DESCRIPTION_SHARE = 0.43  # of texts that have a description
HTML_SHARE = 0.15  # of descriptions that contain markup
NO_UNIT_SHARE = 0.012  # of texts without value and unit
NO_SIZE_SHARE = 0.06  # of titles that do not state the size
PIECE_VALUE_SHARE = 0.3  # of values that are the size of one piece, not of the whole pack
PACK_VALUE_SHARE = 0.05  # of values that are the number of pieces

# Different spellings of the same title.
RESTYLES: tuple[Callable[[str], str], ...] = (
    str.upper,
    str.lower,
    lambda title: title.replace(",", " -"),
    lambda title: title.replace(",", "").replace("(", "").replace(")", ""),
    lambda title: f"{title}!",
    lambda title: title.replace(" ", "  ", 2),
)


def make_texts(seed: int, products: SyntheticProducts) -> list[str]:
    """Write each product's ``catalog_content``.

    Parameters
    ----------
    seed : int
        The same seed and product give the same text.
    products : SyntheticProducts
        The products.

    Returns
    -------
    list of str
        Lines that start with ``Item Name:``, ``Bullet Point N:``, ``Product Description:``,
        ``Value:`` and ``Unit:``, each ending with a line break.
    """
    titles = Draws(seed, products.origin).generators("title")
    bodies = Draws(seed, products.key).generators("body")
    return [_text(products, row, titles[row], bodies[row]) for row in range(len(products.key))]


def _text(
    products: SyntheticProducts, row: int, title_rng: random.Random, rng: random.Random
) -> str:
    title = _title(products, row, title_rng)
    if products.retitled[row]:
        title = _pick(rng, RESTYLES)(title)
    lines = [f"Item Name: {title}"]
    fill = _template_filler(products, row, rng)
    lines += _bullets(rng, fill)
    if rng.random() < DESCRIPTION_SHARE:
        lines.append(f"Product Description: {_description(rng, fill)}")
    lines += _value_and_unit(products, row, rng)
    return "\n".join(lines) + "\n"


def _title(products: SyntheticProducts, row: int, rng: random.Random) -> str:
    noun = CATEGORIES[products.category[row]].noun
    quality, flavour = QUALITIES[products.quality[row]][0], FLAVOURS[products.flavour[row]][0]
    words = [brand_name(int(products.brand[row])), quality, flavour, noun]
    # In some titles the noun comes first, and in some the brand is in capitals.
    if rng.random() < 0.2:
        words = [words[0], noun, quality, flavour]
    if rng.random() < 0.12:
        words[0] = words[0].upper()
    name = " ".join(word for word in words if word)
    size = _size_phrase(products, row, rng)
    pack = _pack_phrase(products, row, rng)
    mark = _pick(rng, (", ", ", ", ", ", " - ", " | ", " "))
    return (name + (mark + size if size else "") + (" " + pack if pack else "")).strip()


def _size_phrase(products: SyntheticProducts, row: int, rng: random.Random) -> str:
    kind, size = CATEGORIES[products.category[row]].kind, float(products.size[row])
    phrase = _pick(rng, SIZE_PHRASES[kind]).format(f"{size:g}")
    if rng.random() < NO_SIZE_SHARE:
        return ""
    if kind == "mass" and rng.random() < 0.1:
        return f"{phrase} ({size * 28.3495:.0f}g)"
    return phrase


def _pack_phrase(products: SyntheticProducts, row: int, rng: random.Random) -> str:
    phrase = _pick(rng, PACK_PHRASES)
    pack = int(products.pack[row])
    return "" if pack == 1 or products.silent[row] else phrase.format(pack)


def _template_filler(
    products: SyntheticProducts, row: int, rng: random.Random
) -> Callable[[str], str]:
    brand = brand_name(int(products.brand[row]))
    noun = CATEGORIES[products.category[row]].noun.lower()
    flavour = FLAVOURS[products.flavour[row]][0] or "Simple"

    def fill(template: str) -> str:
        adjective, use = int(rng.random() * len(ADJECTIVES)), int(rng.random() * len(USES))
        return template.format(
            brand=brand,
            noun=noun,
            flavour=flavour,
            place=_pick(rng, PLACES),
            adjective=ADJECTIVES[adjective],
            adjective2=ADJECTIVES[adjective - 1],
            use=USES[use],
            use2=USES[use - 1],
        )

    return fill


def _bullets(rng: random.Random, fill: Callable[[str], str]) -> list[str]:
    count = _weighted(rng, BULLET_COUNTS, BULLET_WEIGHTS)
    first = int(rng.random() * len(BULLETS))
    # No template is used twice, because 3 and the number of templates have no common divisor.
    chosen = [BULLETS[(first + 3 * step) % len(BULLETS)] for step in range(count)]
    if count == 1:
        return [f"Bullet Point: {fill(chosen[0])}"]
    return [f"Bullet Point {place}: {fill(line)}" for place, line in enumerate(chosen, 1)]


def _description(rng: random.Random, fill: Callable[[str], str]) -> str:
    count, first = 2 + int(rng.random() * 5), int(rng.random() * len(SENTENCES))
    lines = [fill(SENTENCES[(first + step) % len(SENTENCES)]) for step in range(count)]
    if rng.random() >= HTML_SHARE:
        return " ".join(lines)
    mark = _pick(rng, ("<p>{}</p>", "{}<br />", "<b>{}</b>&nbsp;", "<li>{}</li>"))
    return "".join(mark.format(html.escape(line)) for line in lines)


def _value_and_unit(products: SyntheticProducts, row: int, rng: random.Random) -> list[str]:
    kind: SizeKind = CATEGORIES[products.category[row]].kind
    spelling, factor, _ = _weighted(rng, UNITS[kind], [weight for _, _, weight in UNITS[kind]])
    piece, pack = float(products.size[row]) * factor, int(products.pack[row])
    chance, silent = rng.random(), bool(products.silent[row])
    if chance < NO_UNIT_SHARE:
        return ["Value: None", "Unit: None"]
    if chance > 1 - PACK_VALUE_SHARE and pack > 1 and not silent:
        return [f"Value: {float(pack)}", "Unit: Count"]
    total = piece if silent or chance < PIECE_VALUE_SHARE else piece * pack
    return [f"Value: {round(total, 4)}", f"Unit: {spelling}"]


def _pick(rng: random.Random, values: Sequence[T]) -> T:
    return values[int(rng.random() * len(values))]


def _weighted(rng: random.Random, values: Sequence[T], weights: Sequence[float]) -> T:
    remaining = rng.random() * sum(weights)
    for value, weight in zip(values, weights, strict=True):
        remaining -= weight
        if remaining < 0:
            return value
    return values[-1]
