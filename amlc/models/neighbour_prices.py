"""What the most similar train products cost, as columns for a model; fitted inside the folds."""

from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from amlc.arrays import Floats, Rows
from amlc.features.blocks import NO_NEIGHBOUR, Neighbours
from amlc.files import replacing

# Similarities count by this power: a twin weighs more than many distant relatives.
POWER = 4
NEAREST = 3
NEAREST_COLUMNS = (
    "similarity of the nearest",
    "log price of the nearest",
    "mean log price of the three nearest",
)
COLUMNS_BY_COUNT = (
    "mean log price of the neighbours, weighted by similarity",
    "its standard deviation",
    "own log total amount less the neighbours' weighted mean",
    "mean similarity",
)


class NeighbourPrices:
    """Look up the prices of each product's nearest train products.

    Parameters
    ----------
    counts : list of int
        How many neighbours to look at; a few and many tell different things.

    Notes
    -----
    A train row sees only rows of other inner folds, so neither its own price nor that of its
    duplicates is in its columns. A new row sees all train rows.
    """

    def __init__(self, counts: list[int]) -> None:
        self.counts = counts
        self._keep(np.empty(0, np.int32), np.empty(0), np.empty(0))

    @property
    def width(self) -> int:
        """Return the number of columns."""
        return len(NEAREST_COLUMNS) + len(COLUMNS_BY_COUNT) * len(self.counts)

    def fit_transform(
        self,
        neighbours: Neighbours,
        total: Floats,
        log_price: Floats,
        splits: list[tuple[Rows, Rows]],
    ) -> Floats:
        """Keep the train prices; return the train rows' columns, cross-fitted.

        Parameters
        ----------
        neighbours : Neighbours
            Of the train rows; their own positions must be known.
        total : ndarray of float64, shape (n,)
            Log of the total amount, on any scale.
        log_price : ndarray of float64, shape (n,)
            Of the train rows.
        splits : list of (fit, held out)
            Inner folds that hold out each row once.

        Returns
        -------
        ndarray of float64, shape (n, columns)
            `NEAREST_COLUMNS`, then `COLUMNS_BY_COUNT` for each count.
        """
        self._keep(neighbours.position, log_price, total)
        columns = np.zeros((len(log_price), self.width))
        for fit, held_out in splits:
            allowed = self._lookup(fit)
            columns[held_out] = self._columns(neighbours.take(held_out), total[held_out], allowed)
        return columns

    def transform(self, neighbours: Neighbours, total: Floats) -> Floats:
        """Return the columns of new rows, from all train rows."""
        return self._columns(neighbours, total, self._everyone)

    def _keep(self, rows: NDArray[np.int32], log_price: Floats, total: Floats) -> None:
        """Keep the train rows: their positions in the product table, prices and amounts."""
        self.rows, self.log_price, self.total = rows, log_price, total
        self._everyone = self._lookup(np.arange(len(rows)))
        # What stands in for neighbours that are not there.
        self._means = (log_price.mean(), total.mean()) if len(rows) else (0.0, 0.0)

    def _lookup(self, train: Rows) -> NDArray[np.int64]:
        """Return, by position in the product table, the train row or `NO_NEIGHBOUR`."""
        size = int(self.rows.max(initial=-1)) + 1
        # One place more, so that NO_NEIGHBOUR, which is -1, finds nobody.
        lookup = np.full(size + 1, NO_NEIGHBOUR, dtype=np.int64)
        lookup[self.rows[train]] = train
        return lookup

    def _columns(self, neighbours: Neighbours, total: Floats, allowed: NDArray[np.int64]) -> Floats:
        rows, similarity = self._first_allowed(neighbours, allowed)
        known = rows != NO_NEIGHBOUR
        prices = np.where(known, self.log_price[rows], self._means[0])
        totals = np.where(known, self.total[rows], self._means[1])
        # Without any neighbour the weights are even, over the mean of all train rows.
        weights = np.where(known, similarity.astype(np.float64) ** POWER, 0) + 1e-12
        columns = [similarity[:, 0], prices[:, 0], prices[:, :NEAREST].mean(axis=1)]
        for count in self.counts:
            share = weights[:, :count] / weights[:, :count].sum(axis=1, keepdims=True)
            mean = (share * prices[:, :count]).sum(axis=1)
            spread = (share * (prices[:, :count] - mean[:, None]) ** 2).sum(axis=1)
            amount = total - (share * totals[:, :count]).sum(axis=1)
            columns += [mean, np.sqrt(spread), amount, similarity[:, :count].mean(axis=1)]
        return np.stack(columns, axis=1)

    def _first_allowed(
        self, neighbours: Neighbours, allowed: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        outside = neighbours.rows >= len(allowed) - 1
        found = allowed[np.where(outside, NO_NEIGHBOUR, neighbours.rows)]
        # Stable: those that are allowed move to the front in their order.
        order = np.argsort(found == NO_NEIGHBOUR, axis=1, kind="stable")[:, : max(self.counts)]
        rows = np.take_along_axis(found, order, axis=1)
        similarity = np.take_along_axis(neighbours.similarity, order, axis=1)
        return rows, np.where(rows == NO_NEIGHBOUR, np.float32(0), similarity)

    def save(self, path: Path) -> None:
        """Write the train prices that `transform` looks up."""
        with replacing(path) as temporary, temporary.open("wb") as stream:
            arrays: dict[str, Any] = {
                "counts": np.array(self.counts),
                "rows": self.rows,
                "log_price": self.log_price,
                "total": self.total,
            }
            np.savez(stream, **arrays)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as content:
            prices = cls(content["counts"].tolist())
            prices._keep(content["rows"], content["log_price"], content["total"])
        return prices
