"""Piecewise-linear encoding of numbers, which lets a small network bend at many points."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from amlc.arrays import Floats, Floats32, Ints32

# Narrower bins, and bins that hardly vary, are treated as having this width and this deviation.
SMALLEST_WIDTH, SMALLEST_DEVIATION = 1e-3, 0.05
# Deviation of an encoded column. The columns of one number are correlated: at deviation 1, which
# the numbers themselves have, they would together outweigh all else.
DEVIATION = 0.3
# Bins whose columns are encoded together for their moments.
BINS_AT_ONCE = 16


@dataclass(frozen=True)
class Bins:
    """Bins of the columns that have at least two, one element for each bin.

    Parameters
    ----------
    column : ndarray of int32, shape (bins,)
        The column that is divided.
    low, width : ndarray of float32, shape (bins,)
        Where the bin begins, and its width.
    center, scale : ndarray of float32, shape (bins,)
        Mean and deviation of the encoded column over the train rows.

    Notes
    -----
    Gorishniy, Rubachev and Babenko, On Embeddings for Numerical Features in Tabular Deep Learning,
    NeurIPS 2022, section 3.2, with quantiles as edges. Below its bin a number is encoded as 0,
    above it as 1, within it linearly.
    """

    column: Ints32
    low: Floats32
    width: Floats32
    center: Floats32
    scale: Floats32

    @property
    def count(self) -> int:
        """The number of bins of all columns."""
        return len(self.column)

    @classmethod
    def fit(cls, dense: Floats32, count: int) -> Self:
        """Divide each column at its quantiles.

        Parameters
        ----------
        dense : ndarray of float32, shape (n, columns)
            The train rows.
        count : int
            Maximum number of bins of a column; equal quantiles make one edge. A column with a
            single bin, such as a one-hot one, is left out.
        """
        edges = [np.unique(np.quantile(values, np.linspace(0, 1, count + 1))) for values in dense.T]
        divided = [(column, each) for column, each in enumerate(edges) if len(each) > 2]
        repeats = [len(each) - 1 for _, each in divided]
        column = np.repeat(np.array([index for index, _ in divided], np.int32), repeats)
        low = np.concatenate([np.empty(0), *(each[:-1] for _, each in divided)])
        width = np.concatenate([np.empty(0), *(np.diff(each) for _, each in divided)])
        width = np.maximum(width, SMALLEST_WIDTH)
        zeros, ones = np.zeros(len(low), np.float32), np.ones(len(low), np.float32)
        raw = cls(column, low.astype(np.float32), width.astype(np.float32), zeros, ones)
        center, deviation = raw._moments(dense)
        deviation = np.maximum(deviation, SMALLEST_DEVIATION) / DEVIATION
        return cls(
            column, raw.low, raw.width, center.astype(np.float32), deviation.astype(np.float32)
        )

    def _moments(self, dense: Floats32) -> tuple[Floats, Floats]:
        """Return mean and deviation of each encoded column, a few columns at a time."""
        center, deviation = np.zeros(self.count), np.zeros(self.count)
        # No part is a single column, whose sum NumPy rounds in another way.
        parts = max(self.count // BINS_AT_ONCE, 1)
        for chunk in np.array_split(np.arange(self.count), parts):
            shares = type(self)(*(part[chunk] for part in vars(self).values())).encode(dense)
            center[chunk] = shares.mean(axis=0, dtype=np.float64)
            deviation[chunk] = shares.std(axis=0, dtype=np.float64)
        return center, deviation

    def encode(self, dense: Floats32) -> Floats32:
        """Return the encoded columns of any rows, shape (n, bins)."""
        shares = np.clip((dense[:, self.column] - self.low) / self.width, 0, 1)
        return np.asarray((shares - self.center) / self.scale)
