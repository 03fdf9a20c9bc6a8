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
# Shares of texts with a description; of descriptions in HTML; of texts without a value and unit; of
# titles without the size; of values that are those of one piece; of values that count the pieces.
DESCRIBED, HTML, UNITLESS, SIZELESS, PIECE_VALUE, PACK_VALUE = 0.43, 0.15, 0.012, 0.06, 0.3, 0.05

# Ways to write the same title differently.
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
        ``Value:`` and ``Unit:``, each with a line break at its end.
    """
    titles = Draws(seed, products.origin).dice("title")
    bodies = Draws(seed, products.key).dice("body")
    return [_text(products, row, titles[row], bodies[row]) for row in range(len(products.key))]


def _text(
    products: SyntheticProducts, row: int, title_dice: random.Random, dice: random.Random
) -> str:
    title = _title(products, row, title_dice)
    if products.retitled[row]:
        title = _pick(dice, RESTYLES)(title)
    lines = [f"Item Name: {title}"]
    fill = _slots(products, row, dice)
    lines += _bullets(dice, fill)
    if dice.random() < DESCRIBED:
        lines.append(f"Product Description: {_description(dice, fill)}")
    lines += _value_and_unit(products, row, dice)
    return "\n".join(lines) + "\n"


def _title(products: SyntheticProducts, row: int, dice: random.Random) -> str:
    noun = CATEGORIES[products.category[row]].noun
    quality, flavour = QUALITIES[products.quality[row]][0], FLAVOURS[products.flavour[row]][0]
    words = [brand_name(int(products.brand[row])), quality, flavour, noun]
    if dice.random() < 0.2:
        words = [words[0], noun, quality, flavour]
    if dice.random() < 0.12:
        words[0] = words[0].upper()
    name = " ".join(word for word in words if word)
    size = _size_phrase(products, row, dice)
    pack = _pack_phrase(products, row, dice)
    mark = _pick(dice, (", ", ", ", ", ", " - ", " | ", " "))
    return (name + (mark + size if size else "") + (" " + pack if pack else "")).strip()


def _size_phrase(products: SyntheticProducts, row: int, dice: random.Random) -> str:
    kind, size = CATEGORIES[products.category[row]].kind, float(products.size[row])
    phrase = _pick(dice, SIZE_PHRASES[kind]).format(f"{size:g}")
    if dice.random() < SIZELESS:
        return ""
    if kind == "mass" and dice.random() < 0.1:
        return f"{phrase} ({size * 28.3495:.0f}g)"
    return phrase


def _pack_phrase(products: SyntheticProducts, row: int, dice: random.Random) -> str:
    phrase = _pick(dice, PACK_PHRASES)
    pack = int(products.pack[row])
    return "" if pack == 1 or products.silent[row] else phrase.format(pack)


def _slots(products: SyntheticProducts, row: int, dice: random.Random) -> Callable[[str], str]:
    brand = brand_name(int(products.brand[row]))
    noun = CATEGORIES[products.category[row]].noun.lower()
    flavour = FLAVOURS[products.flavour[row]][0] or "Simple"

    def fill(template: str) -> str:
        adjective, use = int(dice.random() * len(ADJECTIVES)), int(dice.random() * len(USES))
        return template.format(
            brand=brand,
            noun=noun,
            flavour=flavour,
            place=_pick(dice, PLACES),
            adjective=ADJECTIVES[adjective],
            adjective2=ADJECTIVES[adjective - 1],
            use=USES[use],
            use2=USES[use - 1],
        )

    return fill


def _bullets(dice: random.Random, fill: Callable[[str], str]) -> list[str]:
    count = _weighted(dice, BULLET_COUNTS, BULLET_WEIGHTS)
    first = int(dice.random() * len(BULLETS))
    # Three is coprime to the number of templates, so none is used twice.
    chosen = [BULLETS[(first + 3 * step) % len(BULLETS)] for step in range(count)]
    if count == 1:
        return [f"Bullet Point: {fill(chosen[0])}"]
    return [f"Bullet Point {place}: {fill(line)}" for place, line in enumerate(chosen, 1)]


def _description(dice: random.Random, fill: Callable[[str], str]) -> str:
    count, first = 2 + int(dice.random() * 5), int(dice.random() * len(SENTENCES))
    lines = [fill(SENTENCES[(first + step) % len(SENTENCES)]) for step in range(count)]
    if dice.random() >= HTML:
        return " ".join(lines)
    mark = _pick(dice, ("<p>{}</p>", "{}<br />", "<b>{}</b>&nbsp;", "<li>{}</li>"))
    return "".join(mark.format(html.escape(line)) for line in lines)


def _value_and_unit(products: SyntheticProducts, row: int, dice: random.Random) -> list[str]:
    kind: SizeKind = CATEGORIES[products.category[row]].kind
    spelling, factor, _ = _weighted(dice, UNITS[kind], [weight for _, _, weight in UNITS[kind]])
    piece, pack = float(products.size[row]) * factor, int(products.pack[row])
    chance, silent = dice.random(), bool(products.silent[row])
    if chance < UNITLESS:
        return ["Value: None", "Unit: None"]
    if chance > 1 - PACK_VALUE and pack > 1 and not silent:
        return [f"Value: {float(pack)}", "Unit: Count"]
    total = piece if silent or chance < PIECE_VALUE else piece * pack
    return [f"Value: {round(total, 4)}", f"Unit: {spelling}"]


def _pick(dice: random.Random, values: Sequence[T]) -> T:
    return values[int(dice.random() * len(values))]


def _weighted(dice: random.Random, values: Sequence[T], weights: Sequence[float]) -> T:
    left = dice.random() * sum(weights)
    for value, weight in zip(values, weights, strict=True):
        left -= weight
        if left < 0:
            return value
    return values[-1]
