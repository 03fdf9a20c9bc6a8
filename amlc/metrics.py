"""SMAPE on the 0-200 % scale, and its uncertainty."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike

from amlc.arrays import Floats


def row_smape(actual: ArrayLike, predicted: ArrayLike) -> Floats:
    """Return the SMAPE of each row, 200 |F - A| / (|A| + |F|), in percent from 0 to 200.

    Parameters
    ----------
    actual, predicted : array-like, shape (n,)
        Prices; finite.

    Returns
    -------
    ndarray of float64, shape (n,)
        0 if both prices are 0. For positive prices it equals 200 tanh(|D| / 2), where D is the
        difference of their logarithms.

    Raises
    ------
    ValueError
        The shapes differ, or a value is not finite.

    Examples
    --------
    >>> row_smape([10.0, 0.0], [30.0, 0.0]).tolist()
    [100.0, 0.0]
    """
    truth = np.asarray(actual, dtype=np.float64)
    guess = np.asarray(predicted, dtype=np.float64)
    if truth.shape != guess.shape or truth.ndim != 1:
        raise ValueError(f"expected two vectors of one length, got {truth.shape}, {guess.shape}")
    if not (np.isfinite(truth).all() and np.isfinite(guess).all()):
        raise ValueError("SMAPE needs finite values")
    # Halving first, and scaling by 200 last, keeps huge prices from overflowing.
    scale = np.abs(truth) / 2 + np.abs(guess) / 2
    gap = np.abs(guess / 2 - truth / 2)
    rows: Floats = 200 * np.divide(gap, scale, out=np.zeros_like(scale), where=scale > 0)
    return rows


def smape(actual: ArrayLike, predicted: ArrayLike) -> float:
    """Return the mean of `row_smape`, or NaN if there are no rows.

    Examples
    --------
    >>> smape([1.0, 1.0], [1.0, 3.0])
    50.0
    """
    rows = row_smape(actual, predicted)
    return float(rows.mean()) if rows.size else float("nan")


def smape_of_logs(actual: ArrayLike, predicted: ArrayLike) -> float:
    """Return the SMAPE of prices given as logarithms: the mean of 200 tanh(|D| / 2)."""
    gap = np.asarray(predicted, dtype=np.float64) - np.asarray(actual, dtype=np.float64)
    return float(np.mean(200 * np.tanh(np.abs(gap) / 2)))


def standard_error_over_folds(scores: ArrayLike, folds: ArrayLike) -> float:
    """Return the standard error of the mean score, estimated from the means of the folds.

    Parameters
    ----------
    scores : array-like of float, shape (n,)
        The score of each row.
    folds : array-like of int, shape (n,)
        The fold of each row; at least two folds.
    """
    values = np.asarray(scores, dtype=np.float64)
    labels = np.asarray(folds)
    means = [values[labels == fold].mean() for fold in np.unique(labels)]
    return float(np.std(means, ddof=1) / np.sqrt(len(means)))


def bootstrap_interval(
    scores: ArrayLike, groups: ArrayLike, *, seed: int, draws: int, level: float
) -> tuple[float, float]:
    """Return the percentile bootstrap interval of the mean score, resampling whole groups.

    Parameters
    ----------
    scores : array-like of float, shape (n,)
        The score of each row.
    groups : array-like of int, shape (n,)
        The group of each row. Groups are resampled as a whole, because duplicates are not
        independent.
    seed, draws : int
        Seed and number of resamples.
    level : float
        Coverage, such as 0.95.

    Returns
    -------
    tuple of float
        Lower and upper limit.

    Notes
    -----
    The cluster bootstrap with percentile limits: Davison and Hinkley, Bootstrap Methods and
    their Application (1997), sections 3.8 and 5.3.
    """
    values = np.asarray(scores, dtype=np.float64)
    _, labels = np.unique(np.asarray(groups), return_inverse=True)
    sums = np.bincount(labels, weights=values)
    sizes = np.bincount(labels)
    # With a million groups, most of the time is spent waiting for memory: small numbers need less
    # of it, and the same arrays are used again.
    counts = sizes.astype(np.min_scalar_type(sizes.max()))
    rng = np.random.default_rng(seed)
    means = np.empty(draws)
    drawn_sums, drawn_counts = np.empty_like(sums), np.empty_like(counts)
    for draw in range(draws):
        resampled = rng.integers(0, len(sums), len(sums))
        np.take(sums, resampled, out=drawn_sums, mode="clip")
        np.take(counts, resampled, out=drawn_counts, mode="clip")
        means[draw] = drawn_sums.sum() / drawn_counts.sum(dtype=np.int64)
    tail = (1 - level) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)


def slices(scores: ArrayLike, labels: Iterable[object]) -> dict[str, dict[str, float | int]]:
    """Return the mean score and the number of rows for each label, sorted by label."""
    values = np.asarray(scores, dtype=np.float64)
    names, codes = np.unique(np.asarray([str(label) for label in labels]), return_inverse=True)
    counts = np.bincount(codes, minlength=len(names))
    sums = np.bincount(codes, weights=values, minlength=len(names))
    return {
        str(name): {"smape": float(total / count), "rows": int(count)}
        for name, total, count in zip(names, sums, counts, strict=True)
    }
