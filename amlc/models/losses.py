"""Losses in log price: their gradient, and a curvature that boosting can divide by."""

from typing import Literal, cast

import numpy as np

from amlc.arrays import Floats

LossName = Literal["squared", "l1", "huber", "smape"]

# Where the Huber loss turns from squared to absolute, in log price.
HUBER_DELTA = 0.5
# Curvature grows without bound near 0: closer residuals get the curvature at this distance.
SMALLEST_GAP = 0.1


def gradient(loss: LossName, gap: Floats) -> Floats:
    """Return the derivative of each row's loss with respect to its prediction; 0 at a kink.

    Parameters
    ----------
    loss : str
        "squared" (half the square), "l1", "huber", or "smape": 200 tanh(|D| / 2) percent.
    gap : ndarray of float64, shape (n,)
        D, predicted minus actual log price.
    """
    if loss == "squared":
        return np.asarray(gap, dtype=np.float64)
    if loss == "l1":
        return np.sign(gap)
    if loss == "huber":
        return np.clip(gap, -HUBER_DELTA, HUBER_DELTA)
    return np.asarray(100 * np.sign(gap) * (1 - np.tanh(gap / 2) ** 2))


def curvature(loss: LossName, gap: Floats) -> Floats:
    """Return a positive surrogate of each row's second derivative.

    Notes
    -----
    The second derivative itself is 0 for the absolute loss and negative for SMAPE. The surrogate is
    the curvature of the parabola that touches the loss at D and at -D and never lies below it,
    |gradient| / |D| (iteratively reweighted least squares: Hunter and Lange, A Tutorial on MM
    Algorithms, The American Statistician 58, 2004), with |D| kept away from 0.

    Examples
    --------
    >>> curvature("l1", np.array([-2.0, 0.0])).tolist()
    [0.5, 10.0]
    """
    if loss == "squared":
        return np.ones_like(gap)
    size = np.maximum(np.abs(gap), SMALLEST_GAP)
    # For SMAPE, curvature vanishes far from 0: a leaf of such rows alone would divide by 0.
    return np.maximum(np.abs(gradient(loss, size)) / size, 1e-6)


def best_constant(loss: str, log_price: Floats, weight: Floats | None = None) -> float:
    """Return the constant prediction with the smallest loss.

    Parameters
    ----------
    loss : str
        As in `gradient`, or "native_l1".
    log_price : ndarray of float64, shape (n,)
        The actual log prices.
    weight : ndarray of float64, shape (n,), optional
        The weight of each row.
    """
    weights = np.ones_like(log_price) if weight is None else weight
    if loss == "smape":
        # Between two log prices the loss is concave, so the minimum is at one of them.
        some = np.unique(np.quantile(log_price, np.linspace(0, 1, 1001), method="nearest"))
        losses = [weights @ np.tanh(np.abs(log_price - constant) / 2) for constant in some]
        return float(some[np.argmin(losses)])
    # The other losses are convex: their slope is negative below the minimum and positive above it.
    convex: LossName = "l1" if loss == "native_l1" else cast("LossName", loss)
    low, high = float(log_price.min()), float(log_price.max())
    for _ in range(64):
        middle = (low + high) / 2
        if weights @ gradient(convex, middle - log_price) > 0:
            high = middle
        else:
            low = middle
    return high


def center(loss: str, log_price: Floats) -> float:
    """Return the constant that boosting starts from: the mean for squared loss, else the median."""
    return float(np.mean(log_price) if loss == "squared" else np.median(log_price))
