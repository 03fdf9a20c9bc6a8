"""Columns from the prices of the most similar train products, fitted inside the folds."""

import numpy as np

from amlc.arrays import Floats, Floats32, Ints32, Ints64, Rows
from amlc.features.neighbour_block import NO_NEIGHBOUR, NeighbourBlock, Neighbours

NEAREST = 3
# Rows that are computed together, which bounds the memory for the prices of all their neighbours.
CHUNK = 16_384
_NEAREST_NAMES = (
    "similarity of the nearest",
    "log price of the nearest",
    "mean log price of the three nearest",
)
_NAMES_BY_COUNT = (
    "mean log price of the neighbours, weighted by similarity",
    "its standard deviation",
    "own log total amount less the neighbours' weighted mean",
    "mean similarity",
)


def position_lookup(positions: Ints32, train: Rows) -> Ints64:
    """Return, for each position in the product table, its train row or `NO_NEIGHBOUR`.

    Parameters
    ----------
    positions : ndarray of int32, shape (n,)
        The position of each train row in the product table.
    train : ndarray of int, shape (m,)
        The train rows to find; for all others `NO_NEIGHBOUR` is returned.
    """
    size = int(positions.max(initial=-1)) + 1
    # NO_NEIGHBOUR is -1: as an index it selects the additional last element.
    lookup = np.full(size + 1, NO_NEIGHBOUR, dtype=np.int64)
    lookup[positions[train]] = train
    return lookup


def find_train_rows(positions: Ints32, lookup: Ints64) -> Ints64:
    """Return the train rows at positions in the product table; `NO_NEIGHBOUR` for unknown ones."""
    outside = positions >= len(lookup) - 1
    return lookup[np.where(outside, NO_NEIGHBOUR, positions)]


class NeighbourPrices:
    """Look up the prices of each product's nearest train products.

    Parameters
    ----------
    counts : list of int
        How many neighbours to look at; each count gives columns of its own.

    Notes
    -----
    The columns of a train row use only rows of other inner folds, so neither its own price nor that
    of its duplicates is among them. The columns of a new row use all train rows.
    """

    def __init__(self, counts: list[int]) -> None:
        self.counts = counts
        self.set_train_rows(np.empty(0, np.int32), np.empty(0), np.empty(0))

    @property
    def names(self) -> list[str]:
        """The names of the columns."""
        by_count = [f"{name}, of {count}" for count in self.counts for name in _NAMES_BY_COUNT]
        return [*_NEAREST_NAMES, *by_count]

    def fit_transform(
        self,
        neighbours: NeighbourBlock,
        total: Floats,
        log_price: Floats,
        splits: list[tuple[Rows, Rows]],
    ) -> Floats:
        """Store the train prices; return the train rows' columns, cross-fitted.

        Parameters
        ----------
        neighbours : NeighbourBlock
            Neighbours of the train rows, with the rows' own positions in the product table.
        total : ndarray of float64, shape (n,)
            Logarithm of the total amount, on any scale.
        log_price : ndarray of float64, shape (n,)
            Log prices of the train rows.
        splits : list of (fit, held out)
            Positions of the rows in the inner folds, which hold out each row once.

        Returns
        -------
        ndarray of float64, shape (n, len(names))
        """
        self.set_train_rows(neighbours.position, log_price, total)
        columns = np.zeros((len(log_price), len(self.names)))
        for fit, held_out in splits:
            lookup = position_lookup(self.rows, fit)
            columns[held_out] = self._columns(neighbours.take(held_out), total[held_out], lookup)
        return columns

    def transform(self, neighbours: NeighbourBlock, total: Floats) -> Floats:
        """Return the columns of new rows, from all train rows."""
        return self._columns(neighbours, total, self._all_rows)

    def set_train_rows(self, rows: Ints32, log_price: Floats, total: Floats) -> None:
        """Store the train rows' positions in the product table, log prices and amounts."""
        self.rows, self.log_price, self.total = rows, log_price, total
        self._all_rows = position_lookup(rows, np.arange(len(rows)))
        # Used in place of missing neighbours.
        self._means = (log_price.mean(), total.mean()) if len(rows) else (0.0, 0.0)

    def _columns(self, neighbours: NeighbourBlock, total: Floats, lookup: Ints64) -> Floats:
        columns = np.empty((len(total), len(self.names)))
        for start in range(0, len(total), CHUNK):
            chunk = np.arange(start, min(start + CHUNK, len(total)))
            columns[chunk] = self._of_chunk(neighbours.take(chunk), total[chunk], lookup)
        return columns

    def _of_chunk(self, neighbours: NeighbourBlock, total: Floats, lookup: Ints64) -> Floats:
        """Return the columns of a few rows."""
        rows, similarity = self._nearest_known(neighbours.loaded(among=False), lookup)
        known = rows != NO_NEIGHBOUR
        prices = np.where(known, self.log_price[rows], self._means[0])
        totals = np.where(known, self.total[rows], self._means[1])
        # Without any neighbour all weights are equal, and the mean is that of all train rows.
        # The fourth power: one near-duplicate outweighs many distant neighbours. `numpy.power`
        # would differ between processors.
        squares = np.square(similarity, dtype=np.float64)
        weights = np.where(known, squares * squares, 0) + 1e-12
        columns = [similarity[:, 0], prices[:, 0], prices[:, :NEAREST].mean(axis=1)]
        for count in self.counts:
            share = weights[:, :count] / weights[:, :count].sum(axis=1, keepdims=True)
            mean = (share * prices[:, :count]).sum(axis=1)
            spread = (share * (prices[:, :count] - mean[:, None]) ** 2).sum(axis=1)
            amount = total - (share * totals[:, :count]).sum(axis=1)
            columns += [mean, np.sqrt(spread), amount, similarity[:, :count].mean(axis=1)]
        return np.stack(columns, axis=1)

    def _nearest_known(self, neighbours: Neighbours, lookup: Ints64) -> tuple[Ints64, Floats32]:
        """Return the train rows of the nearest neighbours in the lookup, and their similarity."""
        train = find_train_rows(neighbours.rows, lookup)
        # The sort is stable: known neighbours move to the front and keep their order.
        order = np.argsort(train == NO_NEIGHBOUR, axis=1, kind="stable")[:, : max(self.counts)]
        rows = np.take_along_axis(train, order, axis=1)
        similarity = np.take_along_axis(neighbours.similarity, order, axis=1)
        return rows, np.where(rows == NO_NEIGHBOUR, np.float32(0), similarity)
