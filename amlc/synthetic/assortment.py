"""The synthetic products: their properties and their prices."""

from dataclasses import dataclass

import numpy as np

from amlc.arrays import Bools, Floats, Ints64, Rows
from amlc.synthetic.draws import Draws
from amlc.synthetic.words import (
    BRAND_ENDS,
    BRAND_HEADS,
    BRAND_TAILS,
    CATEGORIES,
    FLAVOURS,
    QUALITIES,
)

BRANDS = len(BRAND_HEADS) * len(BRAND_ENDS)
# Standard deviation of the effects of brands on log price.
BRAND_SPREAD = 0.32
USUAL_SIZES = np.array([category.size for category in CATEGORIES])
# Sizes as multiples of the category's usual size.
SIZE_FACTORS = (0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0)
SIZE_WEIGHTS = (1.5, 1.0, 6.0, 1.5, 1.5, 0.7, 0.3)
PACKS = (1, 2, 3, 4, 6, 8, 10, 12, 24, 48)
PACK_WEIGHTS = (56, 7, 5, 5, 9, 3, 2, 8, 3, 1)
# The price grows with these powers of size and pack: two pieces cost less than twice one piece.
SIZE_POWER, PACK_POWER = 0.62, 0.66
# Effects on log price of a product's tier within its brand, which the style of the label shows and
# the text does not.
TIER_EFFECTS = (-0.20, 0.05, 0.25, 0.60)
TIER_WEIGHTS = (3, 4, 3, 2)
# Share of multipacks whose text does not state the number of pieces; the picture shows it.
SILENT_PACKS = 0.15
LOWEST_PRICE = 0.5
# Share of the other multipacks whose picture shows a single piece.
SINGLE_PIECE_SHOTS = 0.5
# Largest distance, in keys, from a row to the earlier row whose product it repeats.
MAX_LOOKBACK = 400


@dataclass(frozen=True)
class SyntheticProducts:
    """Synthetic products, as columns of one length.

    Parameters
    ----------
    key, origin : ndarray of int64
        Key of the row, and of the row whose product it repeats; for most rows, its own key.
    shot : ndarray of int64
        Key of the row whose picture the row has: `origin` for a variant, which is the product of
        `origin` in another size or pack.
    retitled : ndarray of bool
        Whether the row is the product of `origin` with the title spelled differently and another
        picture.
    category, brand, quality, flavour, tier : ndarray of int
        Positions in the tables of `amlc.synthetic.words` and in `TIER_EFFECTS`.
    size : ndarray of float64
        Size of one piece, in ounces, fluid ounces, pieces or feet.
    pack, shown_pack : ndarray of int
        Number of pieces, and number that the picture shows.
    silent : ndarray of bool
        Whether the text leaves out the number of pieces.
    median : ndarray of float64
        The price without noise, which is the median of its distribution.
    price : ndarray of float64
        The price, rounded to cents.
    """

    key: Ints64
    origin: Ints64
    shot: Ints64
    retitled: Bools
    category: Rows
    brand: Rows
    quality: Rows
    flavour: Rows
    tier: Rows
    size: Floats
    pack: Rows
    shown_pack: Rows
    silent: Bools
    median: Floats
    price: Floats


def make_products(
    seed: int, keys: Ints64, *, noise: float, repeated_titles: float, repeated_links: float
) -> SyntheticProducts:
    """Draw the products of rows.

    Parameters
    ----------
    seed : int
        The same seed and key give the same product.
    keys : ndarray of int64, shape (n,)
        Keys of the rows; positive.
    noise : float
        Standard deviation of log price around its median.
    repeated_titles, repeated_links : float
        Shares of rows that repeat the title, or the picture, of an earlier row.
    """
    row_draws = Draws(seed, keys)
    repeat = row_draws.uniform("repeat")
    retitled = repeat < repeated_titles
    variant = (repeat >= repeated_titles) & (repeat < repeated_titles + repeated_links)
    back = 1 + np.floor(row_draws.uniform("reach") * MAX_LOOKBACK).astype(np.int64)
    origin = np.where((retitled | variant) & (back < keys), keys - back, keys)
    # A variant looks like its origin, but has another size and pack.
    look_draws = Draws(seed, origin)
    size_draws = Draws(seed, np.where(variant, keys, origin))
    category = look_draws.pick("category", _zipf_weights(len(CATEGORIES), 6.0))
    size, pack = _sizes(size_draws, category), _packs(size_draws)
    looks = {
        "category": category,
        "brand": look_draws.pick("brand", _zipf_weights(BRANDS, 4.0)),
        "quality": look_draws.pick("quality", [weight for _, _, weight in QUALITIES]),
        "flavour": look_draws.pick("flavour", [weight for _, _, weight in FLAVOURS]),
        "tier": look_draws.pick("tier", TIER_WEIGHTS),
    }
    median = np.maximum(np.exp(_log_price(seed, looks, size, pack)), LOWEST_PRICE)
    noisy = np.maximum(median * np.exp(noise * row_draws.normal("noise")), LOWEST_PRICE)
    return SyntheticProducts(
        key=keys,
        origin=origin,
        shot=np.where(retitled, keys, origin),
        retitled=retitled,
        **looks,
        size=size,
        pack=pack,
        shown_pack=_shown_packs(look_draws),
        silent=(pack > 1) & (size_draws.uniform("silent") < SILENT_PACKS),
        median=median,
        price=np.round(noisy, 2),
    )


def brand_name(brand: int) -> str:
    """Return the name of a brand.

    Examples
    --------
    >>> brand_name(0), brand_name(4)
    ('Vornela', 'Brinenko Foods')
    """
    end, head = divmod(brand, len(BRAND_HEADS))
    # Brands that are next to each other in rank share neither head, end nor tail.
    name = BRAND_HEADS[head] + BRAND_ENDS[(end + head) % len(BRAND_ENDS)]
    return f"{name} {BRAND_TAILS[brand % len(BRAND_TAILS)]}".strip()


def _zipf_weights(count: int, offset: float) -> Floats:
    """Return Zipf-Mandelbrot weights: a few categories or brands get most rows."""
    return 1.0 / (np.arange(count, dtype=np.float64) + offset)


def _sizes(draws: Draws, category: Rows) -> Floats:
    is_whole = np.array([entry.kind in {"count", "length"} for entry in CATEGORIES])[category]
    size = USUAL_SIZES[category] * np.array(SIZE_FACTORS)[draws.pick("size", SIZE_WEIGHTS)]
    rounded: Floats = np.where(is_whole, np.maximum(np.round(size), 1.0), np.round(size, 3))
    return rounded


def _packs(draws: Draws) -> Rows:
    packs: Rows = np.array(PACKS, dtype=np.intp)[draws.pick("pack", PACK_WEIGHTS)]
    return packs


def _shown_packs(draws: Draws) -> Rows:
    # With the draw that makes a text silent: the picture then shows what the text leaves out.
    single = (draws.uniform("silent") >= SILENT_PACKS) & (
        draws.uniform("alone") < SINGLE_PIECE_SHOTS
    )
    return np.where(single, 1, _packs(draws))


def _log_price(seed: int, looks: dict[str, Rows], size: Floats, pack: Rows) -> Floats:
    brand_effects = BRAND_SPREAD * Draws(seed, np.arange(BRANDS)).normal("brand effect")
    log_price: Floats = (
        np.log([entry.price for entry in CATEGORIES])[looks["category"]]
        + brand_effects[looks["brand"]]
        + np.array([effect for _, effect, _ in QUALITIES])[looks["quality"]]
        + np.array([effect for _, effect, _ in FLAVOURS])[looks["flavour"]]
        + np.array(TIER_EFFECTS)[looks["tier"]]
        + SIZE_POWER * np.log(size / USUAL_SIZES[looks["category"]])
        + PACK_POWER * np.log(pack)
    )
    return log_price
