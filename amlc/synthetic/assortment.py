"""What the made-up products are, and what they cost."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from amlc.arrays import Floats, Ints64, Rows
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
BRAND_SPREAD = 0.32
SIZE_FACTORS = (0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0)
SIZE_WEIGHTS = (1.5, 1.0, 6.0, 1.5, 1.5, 0.7, 0.3)
PACKS = (1, 2, 3, 4, 6, 8, 10, 12, 24, 48)
PACK_WEIGHTS = (56, 7, 5, 5, 9, 3, 2, 8, 3, 1)
# Two pieces cost less than twice as much as one.
SIZE_POWER, PACK_POWER = 0.62, 0.66
# The look of the label says which line of a brand it is; no word does.
TIER_EFFECTS = (-0.20, 0.05, 0.25, 0.60)
TIER_WEIGHTS = (3, 4, 3, 2)
# Share of multipacks whose text does not say how many; the picture does.
SILENT_PACKS = 0.15
LOWEST_PRICE = 0.5
# Share of other multipacks of which the picture shows one piece.
LONELY_PACKS = 0.5
# Furthest that a row looks back, in keys, for a product that it repeats.
REACH = 400


@dataclass(frozen=True)
class Products:
    """Made-up products, as columns of one length.

    Parameters
    ----------
    key, origin : ndarray of int64
        The row, and the row whose product it repeats; the row itself for most.
    shot : ndarray of int64
        The row whose photograph is shown; `origin` where only size or pack differ from it.
    retitled : ndarray of bool
        The row is `origin`'s product under the same title, written another way, photographed
        anew.
    category, brand, quality, flavour, tier : ndarray of int
        Positions in the tables of `amlc.synthetic.words` and in `TIER_EFFECTS`.
    size : ndarray of float64
        Of one piece, in ounces, fluid ounces, pieces or feet.
    pack, shown_pack : ndarray of int
        Number of pieces, and number that the picture shows.
    silent : ndarray of bool
        The text does not say the number of pieces.
    median : ndarray of float64
        The price without its noise, which is also the median of its distribution.
    price : ndarray of float64
        In cents' steps.
    """

    key: Ints64
    origin: Ints64
    shot: Ints64
    retitled: NDArray[np.bool_]
    category: Rows
    brand: Rows
    quality: Rows
    flavour: Rows
    tier: Rows
    size: Floats
    pack: Rows
    shown_pack: Rows
    silent: NDArray[np.bool_]
    median: Floats
    price: Floats


def make_products(
    seed: int, keys: Ints64, *, noise: float, repeated_titles: float, repeated_links: float
) -> Products:
    """Draw the products of some rows.

    Parameters
    ----------
    seed : int
        Same seed and key, same product.
    keys : ndarray of int64, shape (n,)
        Positive.
    noise : float
        Standard deviation of log price around its median.
    repeated_titles, repeated_links : float
        Shares of rows that repeat an earlier row's title, or its picture.
    """
    own = Draws(seed, keys)
    kind = own.uniform("repeat")
    retitled = kind < repeated_titles
    variant = (kind >= repeated_titles) & (kind < repeated_titles + repeated_links)
    back = 1 + np.floor(own.uniform("reach") * REACH).astype(np.int64)
    origin = np.where((retitled | variant) & (back < keys), keys - back, keys)
    same = Draws(seed, origin)
    sized = Draws(seed, np.where(variant, keys, origin))
    category = same.pick("category", _falling(len(CATEGORIES), 6.0))
    size, pack = _sizes(sized, category), _packs(sized)
    looks = {
        "category": category,
        "brand": same.pick("brand", _falling(BRANDS, 4.0)),
        "quality": same.pick("quality", [weight for _, _, weight in QUALITIES]),
        "flavour": same.pick("flavour", [weight for _, _, weight in FLAVOURS]),
        "tier": same.pick("tier", TIER_WEIGHTS),
    }
    median = np.maximum(np.exp(_log_price(seed, **looks, size=size, pack=pack)), LOWEST_PRICE)
    noisy = np.maximum(median * np.exp(noise * own.normal("noise")), LOWEST_PRICE)
    return Products(
        key=keys,
        origin=origin,
        shot=np.where(retitled, keys, origin),
        retitled=retitled,
        **looks,
        size=size,
        pack=pack,
        shown_pack=_shown_packs(same),
        silent=(pack > 1) & (sized.uniform("silent") < SILENT_PACKS),
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
    # Coprime steps: neighbours in rank share neither head, end nor tail.
    name = BRAND_HEADS[head] + BRAND_ENDS[(end + head) % len(BRAND_ENDS)]
    return f"{name} {BRAND_TAILS[brand % len(BRAND_TAILS)]}".strip()


def _falling(count: int, flat: float) -> Floats:
    """Return Zipf-Mandelbrot weights: many rows for the first few, few rows for most."""
    return 1.0 / (np.arange(count, dtype=np.float64) + flat)


def _sizes(draws: Draws, category: Rows) -> Floats:
    usual = np.array([row.size for row in CATEGORIES])[category]
    whole = np.array([row.kind in {"count", "length"} for row in CATEGORIES])[category]
    size = usual * np.array(SIZE_FACTORS)[draws.pick("size", SIZE_WEIGHTS)]
    rounded: Floats = np.where(whole, np.maximum(np.round(size), 1.0), np.round(size, 3))
    return rounded


def _packs(draws: Draws) -> Rows:
    packs: Rows = np.array(PACKS, dtype=np.intp)[draws.pick("pack", PACK_WEIGHTS)]
    return packs


def _shown_packs(draws: Draws) -> Rows:
    alone = (draws.uniform("silent") >= SILENT_PACKS) & (draws.uniform("alone") < LONELY_PACKS)
    return np.where(alone, 1, _packs(draws))


def _log_price(
    seed: int,
    *,
    category: Rows,
    brand: Rows,
    quality: Rows,
    flavour: Rows,
    tier: Rows,
    size: Floats,
    pack: Rows,
) -> Floats:
    base = np.log([row.price for row in CATEGORIES])[category]
    usual = np.array([row.size for row in CATEGORIES])[category]
    brands = BRAND_SPREAD * Draws(seed, np.arange(BRANDS, dtype=np.int64)).normal("brand effect")
    effects: Floats = (
        base
        + brands[brand]
        + np.array([effect for _, effect, _ in QUALITIES])[quality]
        + np.array([effect for _, effect, _ in FLAVOURS])[flavour]
        + np.array(TIER_EFFECTS)[tier]
        + SIZE_POWER * np.log(size / usual)
        + PACK_POWER * np.log(pack)
    )
    return effects
