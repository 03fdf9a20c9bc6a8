"""The difference between two scores of the same rows, with its standard error."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True)
class Difference:
    """Mean difference of paired scores.

    Parameters
    ----------
    mean : float
        The second score minus the first, in percent; negative: the second is better.
    se : float
        Its standard error, with whole groups as the units; NaN with fewer than two groups.
    """

    mean: float
    se: float

    @property
    def finite_se(self) -> float | None:
        """The standard error, None where it is not known."""
        return None if np.isnan(self.se) else self.se

    @property
    def verdict(self) -> str:
        """Whether the second score is ``better``, ``worse``, the ``same`` or ``unclear``.

        Better or worse is a difference of more than two standard errors.
        """
        if self.mean == 0:
            return "same"
        if not abs(self.mean) > 2 * self.se:
            return "unclear"
        return "better" if self.mean < 0 else "worse"

    def __str__(self) -> str:
        if np.isnan(self.se):
            return f"{self.mean:+.2f}"
        return f"{self.mean:+.2f} +- {self.se:.2f}"


def paired_difference(first: ArrayLike, second: ArrayLike, groups: ArrayLike) -> Difference:
    """Return the mean of ``second - first`` and its standard error over groups of rows.

    Parameters
    ----------
    first, second : array-like of float, shape (n,)
        Two scores of each row; at least one row.
    groups : array-like of int, shape (n,)
        The group of each row. Duplicates are no independent evidence, so whole groups count.

    Notes
    -----
    The linearised standard error of a ratio of group totals, with the factor G / (G - 1) for G
    groups: Cochran, Sampling Techniques (1977), chapter 6.
    It says how much the difference would vary with other products of the same kind, not with
    another seed of the models.

    Examples
    --------
    >>> print(paired_difference([50, 60, 40], [48, 59, 40], [0, 1, 2]))
    -1.00 +- 0.58
    """
    gap = np.asarray(second, dtype=np.float64) - np.asarray(first, dtype=np.float64)
    _, labels = np.unique(np.asarray(groups), return_inverse=True)
    mean = float(gap.mean())
    residuals = np.bincount(labels, weights=gap - mean).astype(np.float64)
    count = len(residuals)
    if count < 2:
        return Difference(mean, float("nan"))
    total = float(residuals @ residuals) * count / (count - 1)
    return Difference(mean, float(np.sqrt(total)) / len(gap))
