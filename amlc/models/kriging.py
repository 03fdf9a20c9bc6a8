"""Local kriging: columns from a Gaussian process over each product's nearest train products.

Two products have similar prices if their texts and their amounts are similar. A Gaussian process
that states this as a covariance predicts a log price from known ones, and how certain that is.
Over all train rows it would take time in the cube of their number; over the nearest ones its
cost per product is constant.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from amlc.arrays import Floats, Floats32, Ints64, Rows
from amlc.features.block_names import NUMERIC
from amlc.features.blocks import Tabular
from amlc.features.neighbour_block import NO_NEIGHBOUR, NeighbourBlock, Neighbours
from amlc.models.neighbour_prices import find_train_rows, position_lookup

NAMES = ("log price", "its standard deviation")

# Amounts scale the covariance of texts, and are distances on their own.
AMOUNTS = tuple(
    f"{NUMERIC}log_{name}"
    for name in (
        *("value", "mass", "volume", "pieces", "title_mass", "title_volume", "title_pieces"),
        *("packs", "total", "total_per_pack"),
    )
)
# Log price has a linear trend in these.
TRENDS = (f"{NUMERIC}log_total", f"{NUMERIC}log_packs")
# Variances of a constant and of the slope of each trend, beside 1 for each group of terms.
TREND_VARIANCE = 0.3
# Numbers are clipped at this many standard deviations, so that an outlier is still near to some.
FARTHEST = 4.0
SMALLEST_DEVIATION = 1e-3
# Rows that are computed together, and rows whose similarities are read together.
CHUNK, CHUNK_READ = 128, 4096


@dataclass(frozen=True)
class Points:
    """Where products stand, apart from their texts.

    Parameters
    ----------
    amounts, others, trends : ndarray of float32, shape (..., columns)
        Standardised numbers: amounts, the other numbers, and those amounts that have a trend.
    codes : ndarray of int16, shape (..., columns)
        Categories.
    """

    amounts: Floats32
    others: Floats32
    trends: Floats32
    codes: NDArray[np.int16]

    def __getitem__(self, rows: Any) -> Self:
        """Return the points of some rows; the index may have any shape."""
        return type(self)(*(part[rows] for part in vars(self).values()))

    def covariance(self, other: Self, similarity: Floats32) -> Floats32:
        """Return the covariance of log prices.

        Parameters
        ----------
        other : Points
            Shape (..., m, columns), as this one is of shape (..., n, columns).
        similarity : ndarray of float32, shape (..., n, m)
            Similarity of the texts.

        Returns
        -------
        ndarray of float32, shape (..., n, m)

        Notes
        -----
        A sum of three parts: products of similar text and amounts, products of equal kind and
        similar numbers, and a trend.
        """
        # In place, because memory for arrays of this size costs more than the arithmetic.
        numbers = _distance(self.others, other.others)
        numbers /= 2
        # Column by column: a sum over a last axis this short is slow.
        for column in range(self.codes.shape[-1]):
            numbers += self.codes[..., :, None, column] != other.codes[..., None, :, column]
        numbers /= -2
        covariance = np.exp(numbers, out=numbers)
        covariance += similarity
        near = _distance(self.amounts, other.amounts)
        near /= -2
        covariance *= np.exp(near, out=near)
        trend = self.trends @ np.swapaxes(other.trends, -1, -2)
        trend += 1
        trend *= np.float32(TREND_VARIANCE)
        covariance += trend
        return covariance


def _distance(left: Floats32, right: Floats32) -> Floats32:
    """Return the mean squared difference over the columns of all pairs of rows."""
    squares = [np.square(part).sum(axis=-1) for part in (left, right)]
    product = left @ np.swapaxes(right, -1, -2)
    product *= 2
    distance = squares[0][..., :, None] + squares[1][..., None, :]
    distance -= product
    np.maximum(distance, 0, out=distance)
    distance /= np.float32(max(left.shape[-1], 1))
    return np.asarray(distance)


class Kriging:
    """Predict log prices, and their standard deviations, from the nearest train products.

    Parameters
    ----------
    noise : float
        Variance of what distinguishes the log prices of equal products, where the variance that a
        group of terms explains is 1.

    Notes
    -----
    Simple kriging within a neighbourhood (Cressie, Statistics for Spatial Data, 1993, sections 3.2
    and 3.2.1); Gramacy and Apley, Local Gaussian Process Approximation for Large Computer
    Experiments, 2015, compare it to the process over all rows. The columns of a train row use only
    rows of other inner folds; those of a new row use all train rows.
    """

    def __init__(self, noise: float) -> None:
        self.noise = noise
        self.set_state({})

    def fit_transform(
        self,
        neighbours: NeighbourBlock,
        tabular: Tabular | None,
        log_price: Floats,
        splits: list[tuple[Rows, Rows]],
    ) -> Floats:
        """Store the train rows; return their columns, cross-fitted.

        Parameters
        ----------
        neighbours : NeighbourBlock
            Neighbours of the train rows, with the rows' own positions in the product table.
        tabular : Tabular or None
            Numbers and categories of the same rows; without them only texts are compared.
        log_price : ndarray of float64, shape (n,)
            Log prices of the train rows.
        splits : list of (fit, held out)
            Positions of the rows in the inner folds, which hold out each row once.

        Returns
        -------
        ndarray of float64, shape (n, 2)
            Log price and its standard deviation.
        """
        names = () if tabular is None else tabular.number_names
        numbers, codes = _numbers_and_codes(tabular, len(log_price))
        self.set_state(
            {
                "positions": neighbours.position,
                "log_price": log_price,
                "numbers": numbers,
                "codes": codes,
                "amounts": np.array([name in AMOUNTS for name in names], bool),
                "trends": np.array([name in TRENDS for name in names], bool),
                # A text's similarity to itself.
                "largest": _largest(neighbours),
            }
        )
        columns = np.zeros((len(log_price), len(NAMES)))
        for fit, held_out in splits:
            lookup = position_lookup(self.state["positions"], fit)
            points = self._train_points[held_out]
            columns[held_out] = self._columns(neighbours.take(held_out), points, lookup)
        return columns

    def transform(self, neighbours: NeighbourBlock, tabular: Tabular | None) -> Floats:
        """Return the columns of new rows, from all train rows."""
        points = self._points(*_numbers_and_codes(tabular, neighbours.shape[0]))
        return self._columns(neighbours, points, self._all_rows)

    def set_state(self, arrays: dict[str, Any]) -> None:
        """Store what `fit_transform` learned, all of which is in `state`; empty: nothing."""
        self.state = arrays
        if not arrays:
            return
        positions, numbers = arrays["positions"], arrays["numbers"]
        self._all_rows = position_lookup(positions, np.arange(len(positions)))
        self._median = float(np.median(arrays["log_price"]))
        self._center = numbers.mean(axis=0, dtype=np.float64).astype(np.float32)
        deviation = numbers.std(axis=0, dtype=np.float64)
        self._scale = np.maximum(deviation, SMALLEST_DEVIATION).astype(np.float32)
        self._train_points = self._points(numbers, arrays["codes"])

    def _points(self, numbers: Floats32, codes: NDArray[np.int16]) -> Points:
        amounts, trends = self.state["amounts"], self.state["trends"]
        scaled = np.clip((numbers - self._center) / self._scale, -FARTHEST, FARTHEST)
        return Points(scaled[:, amounts], scaled[:, ~amounts], scaled[:, trends], codes)

    def _columns(self, neighbours: NeighbourBlock, points: Points, lookup: Ints64) -> Floats:
        columns = np.empty((neighbours.shape[0], len(NAMES)))
        for start in range(0, len(columns), CHUNK):
            chunk = np.arange(start, min(start + CHUNK, len(columns)))
            columns[chunk] = self._predict(neighbours.take(chunk).loaded(), points[chunk], lookup)
        return columns

    def _predict(self, neighbours: Neighbours, points: Points, lookup: Ints64) -> Floats:
        """Return the columns of a few rows."""
        width = neighbours.n_compared
        rows = find_train_rows(neighbours.rows[:, :width], lookup)
        known = rows != NO_NEIGHBOUR
        near = self._train_points[rows]
        covariance = near.covariance(near, _squares(neighbours.among, width))
        similarity = neighbours.similarity[:, None, :width]
        to_near = points[:, None].covariance(near, similarity)[:, 0]
        # A neighbour whose price is not known is independent of all others, with the mean price.
        both = known[:, :, None] & known[:, None]
        matrix = np.where(both, covariance, 0).astype(np.float64)
        matrix += self.noise * np.eye(width)
        to_near = np.where(known, to_near, 0).astype(np.float64)
        above = np.where(known, self.state["log_price"][rows] - self._median, 0)
        solved = np.linalg.solve(matrix, np.stack([above, to_near], axis=2))
        predicted, explained = np.einsum("nk,nkc->cn", to_near, solved)
        prior = points[:, None].covariance(points[:, None], self.state["largest"])[:, 0, 0]
        deviation = np.sqrt(np.maximum(prior - explained, 0))
        return np.stack([self._median + predicted, deviation], axis=1)


def _numbers_and_codes(tabular: Tabular | None, count: int) -> tuple[Floats32, NDArray[np.int16]]:
    if tabular is None:
        return np.empty((count, 0), np.float32), np.empty((count, 0), np.int16)
    return tabular.numbers, tabular.codes


def _largest(neighbours: NeighbourBlock) -> np.float32:
    """Return the largest similarity of a neighbour to itself."""
    diagonal = np.cumsum(np.arange(1, neighbours.n_compared + 1)) - 1
    largest = np.float16(0)
    count = neighbours.shape[0]
    for start in range(0, count, CHUNK_READ):
        among = neighbours.take(np.arange(start, min(start + CHUNK_READ, count))).loaded().among
        largest = among[:, diagonal].max(initial=largest)
    return np.float32(largest)


def _squares(triangles: NDArray[np.float16], width: int) -> Floats32:
    """Return symmetric matrices, shape (n, width, width), of their lower triangles."""
    lower = np.zeros((len(triangles), width, width), np.float32)
    row, column = np.tril_indices(width)
    lower[:, row, column] = triangles
    lower[:, column, row] = triangles
    return lower
