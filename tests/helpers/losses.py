"""The losses whose derivatives `amlc.models.losses` has."""

import numpy as np

from amlc.arrays import Floats
from amlc.models.losses import HUBER_DELTA, LossName


def loss_values(loss: LossName, gap: Floats) -> Floats:
    """Return each row's loss.

    Parameters
    ----------
    loss : str
        "squared" (half the square), "l1", "huber", or "smape": 200 tanh(|D| / 2) percent.
    gap : ndarray of float64, shape (n,)
        D, predicted minus actual log price.
    """
    size = np.abs(gap)
    if loss == "squared":
        return np.asarray(gap**2 / 2)
    if loss == "l1":
        return np.asarray(size)
    if loss == "huber":
        inside = np.minimum(size, HUBER_DELTA)
        return np.asarray(inside * (size - inside / 2))
    return np.asarray(200 * np.tanh(size / 2))
