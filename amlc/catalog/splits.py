"""Groups of duplicates, and cross-validation folds that keep each group together."""

import heapq
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from amlc.arrays import Floats, Ints8, Ints32, Ints64, Objects, Rows
from amlc.catalog.content import normalised_title, title_of
from amlc.catalog.products import ID, PRICE, TEST, TEXT, links_of, train_rows
from amlc.errors import DataError

# Titles that share at least this part of the words of the shorter one may be variants of a product.
ALIKE = 0.5


def add_groups_and_folds(
    products: pd.DataFrame,
    placeholders: Collection[str],
    folds: int,
    seed: int,
    holdout: float = 0.0,
) -> pd.DataFrame:
    """Return the products with the columns ``group`` and ``fold``.

    Parameters
    ----------
    products : DataFrame
        The products of both splits, with their texts, links and prices.
    placeholders
        As in `product_groups`.
    folds, seed
        As in `grouped_folds`.
    holdout : float
        Share of the train rows to hold out: in whole groups, at random, they become test rows with
        a price, which come last.

    Returns
    -------
    DataFrame
        With the columns ``group`` (int32) of `product_groups` and ``fold`` (int8) of
        `grouped_folds`, -1 in test rows.

    Raises
    ------
    DataError
        There are fewer groups than folds.
    """
    groups = product_groups(products[TEXT], links_of(products), placeholders)
    train = train_rows(products)
    if holdout:
        held_out = _held_out_rows(products[ID].to_numpy()[train], groups[train], holdout, seed)
        rest = np.setdiff1d(np.arange(len(products)), train[held_out])
        order = np.concatenate([rest, train[held_out]])
        split = products["split"].to_numpy(dtype=object)
        split[train[held_out]] = TEST
        products = products.assign(split=split).iloc[order].reset_index(drop=True)
        products["split"] = products["split"].astype("str")
        groups, train = groups[order], train_rows(products)
    fold = np.full(len(products), -1, dtype=np.int8)
    fold[train] = grouped_folds(
        products[ID].iloc[train].tolist(),
        products[PRICE].to_numpy()[train],
        groups[train],
        folds=folds,
        seed=seed,
    )
    return products.assign(group=groups, fold=fold)


def _held_out_rows(ids: Objects, groups: Ints32, share: float, seed: int) -> Rows:
    """Return positions of rows in whole groups, drawn at random whatever the order of the rows."""
    order = np.argsort(ids, kind="stable")
    codes, distinct = pd.factorize(groups[order])
    drawn = np.random.default_rng([seed, len(ids)]).permutation(len(distinct))
    rows = np.cumsum(np.bincount(codes)[drawn])
    chosen = drawn[: np.searchsorted(rows, share * len(ids), side="right")]
    return np.sort(order[np.isin(codes, chosen)])


# Groups.


def placeholder_links(
    texts: Iterable[str], links: Iterable[Sequence[str]], least: int
) -> dict[str, int]:
    """Return the links that say nothing about sameness, each with its number of rows.

    Such a link most likely leads to a picture that says "no image": products that have it in common
    are not one product. Variants of one product share a picture, too, and most of a title's words.

    Parameters
    ----------
    texts, links
        As in `product_groups`.
    least : int
        A link is a placeholder if it stands beside this many titles of which no two are alike.

    Returns
    -------
    dict of str to int
        The link with the most rows comes first.

    Examples
    --------
    >>> titles = ["Green Tea", "Green Tea Bags", "Oil", "Olive Oil", "Salt"]
    >>> texts = [f"Item Name: {title}" for title in titles]
    >>> placeholder_links(texts, [("a",)] * 5, 3), placeholder_links(texts, [("a",)] * 5, 4)
    ({'a': 5}, {})
    """
    links = list(links)
    counts = Counter(link for each in links for link in each)
    # No title is parsed of a link that has too few rows.
    often = {link: rows for link, rows in counts.most_common() if link and rows >= least}
    titles: dict[str, set[str]] = defaultdict(set)
    for text, each in zip(texts, links, strict=True):
        if common := often.keys() & set(each):
            title = normalised_title(title_of(text))
            for link in common:
                titles[link].add(title)
    return {link: rows for link, rows in often.items() if _has_unlike(titles[link], least)}


def _has_unlike(titles: set[str], least: int) -> bool:
    """Return whether there are so many titles of which no two are alike."""
    unlike: list[set[str]] = []
    for title in sorted(titles):
        words = set(title.split())
        if words and not any(_alike(words, other) for other in unlike):
            unlike.append(words)
            if len(unlike) == least:
                return True
    return False


def _alike(words: set[str], others: set[str]) -> bool:
    return len(words & others) >= ALIKE * min(len(words), len(others))


def product_groups(
    texts: Iterable[str], links: Iterable[Sequence[str]], placeholders: Collection[str] = ()
) -> Ints32:
    """Return the group of each product.

    Parameters
    ----------
    texts : iterable of str, n values
        catalog_content.
    links : iterable of sequence of str, n values
        The links of each product's pictures; an empty one where there is none.
    placeholders : collection of str
        Links that connect nothing, as `placeholder_links` returns them.

    Returns
    -------
    ndarray of int32, shape (n,)
        Products that share a link or a normalised title are in one group, and so are products that
        are connected by a chain of such pairs. Groups are numbered from 0 in the order of their
        first products.

    Examples
    --------
    >>> texts = ["Item Name: Tea", "Item Name: TEA!", "Item Name: Oil"]
    >>> product_groups(texts, [("a",), ("b",), ("c", "b")])
    array([0, 0, 0], dtype=int32)
    """
    titles = [(normalised_title(title_of(text)),) for text in texts]
    used = list(links)
    if placeholders:
        used = [["" if link in placeholders else link for link in each] for each in used]
    return linked_groups([titles, used])


def linked_groups(keys: Sequence[Sequence[Sequence[str]]]) -> Ints32:
    """Return the connected components of rows that have a key in common.

    Parameters
    ----------
    keys : sequence of sequence of sequence of str
        Several kinds of key, each with some values per row; an empty key connects nothing.

    Returns
    -------
    ndarray of int32, shape (n,)
        Numbered from 0 in the order of their first rows.
    """
    rows, nodes = [], []
    size = count = len(keys[0])
    for values in keys:
        # Rows and keys are the two sides of one graph; the nodes of keys follow those of rows.
        row = np.repeat(np.arange(count), [len(each) for each in values])
        flat = np.array([value for each in values for value in each], dtype=object)
        codes, distinct = pd.factorize(flat)
        filled = np.flatnonzero(flat != "")
        rows.append(row[filled])
        nodes.append(codes[filled] + size)
        size += len(distinct)
    edges = (np.concatenate(rows), np.concatenate(nodes))
    graph = sparse.coo_array((np.ones(len(edges[0]), dtype=np.int8), edges), shape=(size, size))
    _, labels = connected_components(graph, directed=False)
    return pd.factorize(labels[:count])[0].astype(np.int32)


# Folds.


def grouped_folds(
    ids: list[str], prices: Floats, groups: Ints32, *, folds: int, seed: int
) -> Ints8:
    """Assign each train row to a fold.

    The folds depend neither on the order of the rows nor on how the groups are numbered.

    Parameters
    ----------
    ids : list of str, n values
        Distinct; they break ties.
    prices : ndarray of float64, shape (n,)
        Positive.
    groups : ndarray of int32, shape (n,)
        All rows of a group are in one fold.
    folds : int
        Number of folds.
    seed : int
        Seed of the random draws.

    Returns
    -------
    ndarray of int8, shape (n,)
        Folds from 0 to `folds` - 1. The sizes of two folds differ by at most the size of the
        largest group, and by at most 1 if there are enough groups of one row.

    Raises
    ------
    DataError
        There are fewer groups than folds.

    Notes
    -----
    The number of groups of each size that a fold gets follows Graham's rule for even loads (SIAM
    Journal on Applied Mathematics 17, 1969): from the largest group to the smallest, each goes to
    the fold with the fewest rows. Which groups a fold gets is then drawn along their order of mean
    log price, as in systematic sampling, so that each fold has an even share of every price range.
    """
    order = np.argsort(np.asarray(ids, dtype=object), kind="stable")
    codes, distinct = pd.factorize(groups[order])
    if len(distinct) < folds:
        raise DataError(
            f"train.csv: {len(ids):,} valid rows make {len(distinct):,} groups (rows that share an "
            f"image link or a title are one group), too few for {folds} folds: add products, or "
            "lower data.folds"
        )
    sizes = np.bincount(codes)
    # The digits of float32, because the last ones of float64 differ between processors.
    log_prices = np.log(prices[order]).astype(np.float32)
    mean_log_prices = np.bincount(codes, weights=log_prices) / sizes
    fold_of_group = _assign(sizes, mean_log_prices, folds, np.random.default_rng(seed))
    fold_of_row = np.empty(len(ids), dtype=np.int8)
    fold_of_row[order] = fold_of_group[codes]
    return fold_of_row


def _assign(sizes: Ints64, mean_log_prices: Floats, folds: int, rng: np.random.Generator) -> Ints8:
    """Return the fold of each group."""
    assigned = np.empty(len(sizes), dtype=np.int8)
    # Number of rows, random tie-break and fold: the emptiest fold comes first.
    heap = [(0, int(tie), fold) for fold, tie in enumerate(rng.permutation(folds))]
    for size in np.unique(sizes)[::-1]:
        members = np.flatnonzero(sizes == size)
        counts = [0] * folds
        for _ in members:
            rows, tie, fold = heap[0]
            heapq.heapreplace(heap, (rows + int(size), tie, fold))
            counts[fold] += 1
        by_price = members[np.argsort(mean_log_prices[members], kind="stable")]
        assigned[by_price] = _spread(counts, rng)
    return assigned


def _spread(counts: list[int], rng: np.random.Generator) -> Ints8:
    """Return a sequence in which each fold occurs as often as its count, spread evenly."""
    positions = [(np.arange(count) + rng.random(count)) / max(count, 1) for count in counts]
    labels = np.repeat(np.arange(len(counts), dtype=np.int8), counts)
    return labels[np.argsort(np.concatenate(positions), kind="stable")]
