"""Slices of the products, and how much of the error each of them accounts for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from amlc.arrays import Bools, Floats, Ints64, Objects, Rows
from amlc.features.block_names import CATEGORICAL, HIGH_CARDINALITY
from amlc.features.blocks import Tabular
from amlc.features.neighbour_block import NO_NEIGHBOUR, NeighbourBlock, Neighbours

# A slice has at least this many products, and at least this share of all.
MIN_ROWS = 15
MIN_SHARE = 0.004
# Products whose neighbours are in memory at a time.
_ROWS_AT_ONCE = 2**14
# Two slices with a larger overlap than this share of their union are one.
MAX_OVERLAP = 0.7
# Names of slices by columns of the tabular block; another column has its own name.
_NAMES = {
    "kind": "kind of unit",
    "first_1": "first word",
    "first_2": "first two words",
    "first_3": "first three words",
}
_FIFTHS = (
    "least similar fifth",
    "second fifth",
    "middle fifth",
    "fourth fifth",
    "most similar fifth",
)


@dataclass(frozen=True)
class SliceCost:
    """The error of a slice of the train products.

    Parameters
    ----------
    kind, label : str
        What the slice is by, and its value, such as ``"brand"`` and ``"acme"``.
    rows : int
        Number of products.
    smape, smape_se : float
        SMAPE in percent, and its standard error, which assumes that products are independent.
    cost : float
        By how many points the SMAPE of all products would be lower if the slice had the mean of the
        other products.
    """

    kind: str
    label: str
    rows: int
    smape: float
    smape_se: float
    cost: float


def slice_labels(tabular: Tabular, neighbours: NeighbourBlock, outside: Rows) -> dict[str, Objects]:
    """Return the label of each product by kind of slice; empty where it has none.

    Parameters
    ----------
    tabular, neighbours : Tabular, NeighbourBlock
        The blocks of the products; neighbours are read a few thousand rows at a time.
    outside : ndarray of int, shape (table rows,)
        The fold of each row of the product table, -1 for test rows; a product's nearest product is
        the first in another fold, as for the models.
    """
    labels: dict[str, Objects] = {}
    for name in tabular.levels:
        labels[_name(name.removeprefix(CATEGORICAL))] = tabular.labels(name)
    for index, name in enumerate(tabular.key_names):
        labels[_name(name.removeprefix(HIGH_CARDINALITY))] = tabular.keys[:, index]
    starts = range(0, neighbours.shape[0], _ROWS_AT_ONCE)
    chunks = (np.arange(neighbours.shape[0])[start : start + _ROWS_AT_ONCE] for start in starts)
    parts = (neighbours.take(rows).loaded(among=False) for rows in chunks)
    similarity = np.concatenate([_nearest_similarity(part, outside) for part in parts])
    edges = np.quantile(similarity, [0.2, 0.4, 0.6, 0.8])
    fifths = np.searchsorted(edges, similarity, side="right")
    labels["nearest product"] = np.array(_FIFTHS, object)[fifths]
    return labels


def _name(column: str) -> str:
    return _NAMES.get(column, column.replace("_", " "))


def _nearest_similarity(neighbours: Neighbours, folds: Rows) -> Floats:
    """Return the similarity of the nearest train product in another fold; 0 without one."""
    own = folds[neighbours.position]
    other = (neighbours.rows != NO_NEIGHBOUR) & (folds[neighbours.rows] != own[:, None])
    first = other.argmax(axis=1)
    found = np.take_along_axis(neighbours.similarity, first[:, None], axis=1)[:, 0]
    return np.where(other.any(axis=1), found, 0).astype(np.float64)


def costliest(scores: Floats, labels: Mapping[str, Objects], count: int) -> list[SliceCost]:
    """Return the slices that account for most of the error above the mean, the costliest first.

    Parameters
    ----------
    scores : ndarray of float64, shape (n,)
        The SMAPE of each product.
    labels : mapping of str to ndarray of object
        Labels of the products by kind of slice, as `slice_labels` returns them.
    count : int
        How many slices at most. Of slices with almost the same products only the costliest counts.
    """
    # Which products a slice has is not kept for each of them, but found again.
    candidates = [
        (cost, codes, code)
        for kind, names in labels.items()
        for label, codes, code in _slices(names)
        if (cost := _cost(kind, label, scores, codes == code)) is not None
    ]
    candidates.sort(key=lambda candidate: -candidate[0].cost)
    kept: list[tuple[SliceCost, Bools]] = []
    for cost, codes, code in candidates:
        if len(kept) == count:
            break
        chosen = codes == code
        if all(_overlap(chosen, other) <= MAX_OVERLAP for _, other in kept):
            kept.append((cost, chosen))
    return [cost for cost, _ in kept]


def _slices(names: Objects) -> Iterable[tuple[str, Ints64, int]]:
    """Yield the label of each slice, the codes of all products, and that of the slice."""
    texts = np.asarray([str(name) for name in names], dtype=object)
    values, codes, counts = np.unique(texts, return_inverse=True, return_counts=True)
    least = max(MIN_ROWS, MIN_SHARE * len(texts))
    for code in np.flatnonzero((counts >= least) & (counts < len(texts))):
        if values[code]:
            yield str(values[code]), codes, int(code)


def _cost(kind: str, label: str, scores: Floats, chosen: Bools) -> SliceCost | None:
    inside, others = scores[chosen], scores[~chosen]
    cost = len(inside) * (inside.mean() - others.mean()) / len(scores)
    if cost <= 0:
        return None
    error = inside.std(ddof=1) / np.sqrt(len(inside))
    return SliceCost(kind, label, len(inside), float(inside.mean()), float(error), float(cost))


def _overlap(one: Bools, other: Bools) -> float:
    return float((one & other).sum() / (one | other).sum())
