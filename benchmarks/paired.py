"""Standard errors of the difference between two scores of the same rows."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from amlc.arrays import Floats


def group_sums(rows: Floats, groups: NDArray[Any]) -> tuple[Floats, Floats]:
    """Return each group's sum of row scores, shape (groups, ...), and its number of rows."""
    _, labels = np.unique(groups, return_inverse=True)
    counts = np.bincount(labels).astype(np.float64)
    sums = np.zeros((len(counts), *rows.shape[1:]))
    np.add.at(sums, labels, rows)
    return sums, counts


def bootstrap_means(rows: Floats, groups: NDArray[Any], *, seed: int, draws: int) -> Floats:
    """Return the mean of each resample of whole groups.

    Parameters
    ----------
    rows : ndarray of float64, shape (n,) or (n, columns)
        Row scores; the columns are resampled together, so their differences are paired.
    groups : ndarray of int, shape (n,)
        Rows of one group are drawn together: duplicates are not independent evidence.
    seed, draws : int
        Seed and number of resamples.

    Returns
    -------
    ndarray of float64, shape (draws,) or (draws, columns)
    """
    sums, counts = group_sums(rows, groups)
    rng = np.random.default_rng(seed)
    means = np.empty((draws, *rows.shape[1:]))
    for draw in range(draws):
        picked = rng.integers(0, len(counts), len(counts))
        means[draw] = sums[picked].sum(axis=0) / counts[picked].sum()
    return means


def bootstrap_error(rows: Floats, groups: NDArray[Any], *, seed: int, draws: int = 2000) -> float:
    """Return the standard error of the mean of row scores, by resampling whole groups."""
    return float(bootstrap_means(rows, groups, seed=seed, draws=draws).std(ddof=1))
