"""Groups of duplicates, and the cross-validation folds that keep each group together."""

import heapq
from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from amlc.arrays import Rows
from amlc.catalog.content import normalised_title, title_of
from amlc.catalog.products import ID, LINK, PRICE, TEXT, train_rows
from amlc.errors import DataError


def with_groups_and_folds(products: pd.DataFrame, folds: int, seed: int) -> pd.DataFrame:
    """Return the products with the columns ``group`` and ``fold``.

    Parameters
    ----------
    products : DataFrame
        Of both splits, with their texts, links and prices.
    folds : int
        Number of folds.
    seed : int
        Of the random draws.

    Returns
    -------
    DataFrame
        Added: ``group`` (int32), see `product_groups`; ``fold`` (int8), see `grouped_folds`, -1 in
        test rows.

    Raises
    ------
    DataError
        There are fewer groups than folds.
    """
    groups = product_groups(products[TEXT], products[LINK])
    train = train_rows(products)
    fold = np.full(len(products), -1, dtype=np.int8)
    fold[train] = grouped_folds(
        products[ID].iloc[train].tolist(),
        products[PRICE].to_numpy()[train],
        groups[train],
        folds=folds,
        seed=seed,
    )
    return products.assign(group=groups, fold=fold)


def product_groups(texts: Iterable[str], links: Iterable[str]) -> NDArray[np.int32]:
    """Return the group of each product.

    Parameters
    ----------
    texts : iterable of str, n values
        catalog_content.
    links : iterable of str, n values
        Image links.

    Returns
    -------
    ndarray of int32, shape (n,)
        Products that share a link or a normalised title are in one group, and so are those that
        a chain of such pairs connects. Groups are numbered from 0 by their first product.

    Examples
    --------
    >>> product_groups(["Item Name: Tea", "Item Name: TEA!", "Item Name: Oil"], ["a", "b", "b"])
    array([0, 0, 0], dtype=int32)
    """
    titles = [normalised_title(title_of(text)) for text in texts]
    return linked_groups([titles, list(links)])


def linked_groups(keys: list[list[str]]) -> NDArray[np.int32]:
    """Return the connected components of rows that have a key in common.

    Parameters
    ----------
    keys : list of list of str
        Several kinds of key, each with one value per row; an empty key joins nothing.

    Returns
    -------
    ndarray of int32, shape (n,)
        Numbered from 0 by first row.
    """
    rows, nodes = [], []
    size = count = len(keys[0])
    for values in keys:
        # Rows and keys are the two sides of one graph; a key's node comes after all rows.
        codes, known = pd.factorize(np.asarray(values, dtype=object))
        filled = np.flatnonzero(np.array([value != "" for value in values], dtype=np.bool_))
        rows.append(filled)
        nodes.append(codes[filled] + size)
        size += len(known)
    edges = (np.concatenate(rows), np.concatenate(nodes))
    graph = sparse.coo_array((np.ones(len(edges[0]), dtype=np.int8), edges), shape=(size, size))
    _, labels = connected_components(graph, directed=False)
    return pd.factorize(labels[:count])[0].astype(np.int32)


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
    sizes: Rows, level: NDArray[np.float64], folds: int, rng: np.random.Generator
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
