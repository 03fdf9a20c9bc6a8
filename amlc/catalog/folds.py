"""Cross-validation folds: whole groups, of even size, each with the same mix of prices."""

import heapq

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from amlc.errors import DataError

Ints = NDArray[np.intp]


def grouped_folds(
    ids: list[str],
    prices: NDArray[np.float64],
    groups: NDArray[np.int32],
    *,
    folds: int,
    seed: int,
) -> NDArray[np.int8]:
    """Return the fold of each train row.

    The result does not depend on the order of the rows, nor on the numbers of the groups.

    Parameters
    ----------
    ids : list of str, n values
        Distinct; they settle ties.
    prices : ndarray of float64, shape (n,)
        Positive.
    groups : ndarray of int, shape (n,)
        Rows of one group get one fold.
    folds : int
        Number of folds.
    seed : int
        Of the random draws.

    Returns
    -------
    ndarray of int8, shape (n,)
        From 0 to `folds` - 1. The sizes of two folds differ by at most the size of the largest
        group, and by at most 1 where there are enough groups of one row.

    Raises
    ------
    DataError
        There are fewer groups than folds.

    Notes
    -----
    Groups are dealt out from the largest to the smallest, each to the fold with the fewest rows:
    Graham's rule for even loads (SIAM Journal on Applied Mathematics 17, 1969). That decides how
    many groups of each size a fold gets. Which ones is then drawn along their order of mean log
    price, as in systematic sampling, so that each fold takes an even share of every price range.
    """
    order = np.argsort(np.asarray(ids, dtype=object), kind="stable")
    codes, found = pd.factorize(groups[order])
    if len(found) < folds:
        raise DataError(
            f"train.csv: {len(ids):,} valid rows make {len(found):,} groups (rows that share an "
            f"image link or a title are one group), too few for {folds} folds: add products, or "
            "lower data.folds"
        )
    sizes = np.bincount(codes)
    level = np.bincount(codes, weights=np.log(prices[order])) / sizes
    fold_of_group = _deal(sizes, level, folds, np.random.default_rng(seed))
    fold_of_row = np.empty(len(ids), dtype=np.int8)
    fold_of_row[order] = fold_of_group[codes]
    return fold_of_row


def _deal(
    sizes: Ints, level: NDArray[np.float64], folds: int, rng: np.random.Generator
) -> NDArray[np.int8]:
    dealt = np.empty(len(sizes), dtype=np.int8)
    heap = [(0, int(tie), fold) for fold, tie in enumerate(rng.permutation(folds))]
    for size in np.unique(sizes)[::-1]:
        members = np.flatnonzero(sizes == size)
        quotas = _quotas(heap, int(size), len(members), folds)
        by_price = members[np.argsort(level[members], kind="stable")]
        dealt[by_price] = _interleaved(quotas, rng)
    return dealt


def _quotas(heap: list[tuple[int, int, int]], size: int, count: int, folds: int) -> list[int]:
    """Give `count` groups of one size to the emptiest folds; return how many each fold gets."""
    quotas = [0] * folds
    for _ in range(count):
        rows, tie, fold = heap[0]
        heapq.heapreplace(heap, (rows + size, tie, fold))
        quotas[fold] += 1
    return quotas


def _interleaved(quotas: list[int], rng: np.random.Generator) -> NDArray[np.int8]:
    """Return each fold as often as its quota says, spread evenly over the whole length."""
    places = [(np.arange(quota) + rng.random(quota)) / max(quota, 1) for quota in quotas]
    labels = np.repeat(np.arange(len(quotas), dtype=np.int8), quotas)
    return labels[np.argsort(np.concatenate(places), kind="stable")]
