"""Losses in log price: value, gradient and a Hessian that boosting can divide by."""

from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from amlc.arrays import Floats
from amlc.errors import DataError, ParamsError, first_few
from amlc.features.blocks import Tabular
from amlc.params import Settings

LossName = Literal["squared", "l1", "huber", "smape"]

# Where the Huber loss turns from squared to absolute, in log price.
HUBER_DELTA = 0.5
# Residuals nearer to 0 than this count as this far when a curvature is worked out.
NEAR = 0.1


def value(loss: LossName, gap: Floats) -> Floats:
    """Return each row's loss.

    Parameters
    ----------
    loss : str
        "squared" (half the square), "l1", "huber", or "smape": 200 tanh(|D| / 2) percent.
    gap : ndarray of float64, shape (n,)
        D, predicted minus actual log price.

    Examples
    --------
    >>> value("smape", np.log([3.0])).round(6).tolist()
    [100.0]
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


def gradient(loss: LossName, gap: Floats) -> Floats:
    """Return the derivative of each row's loss by its prediction; 0 at a kink."""
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
    The true one is 0 for the absolute loss and negative for SMAPE. Taken instead is the curvature
    of the parabola that touches the loss at D and at -D and lies nowhere below it, |gradient| / |D|
    (iteratively reweighted least squares: Hunter and Lange, A Tutorial on MM Algorithms, The
    American Statistician 58, 2004), with |D| kept away from 0.

    Examples
    --------
    >>> curvature("l1", np.array([-2.0, 0.0])).tolist()
    [0.5, 10.0]
    """
    if loss == "squared":
        return np.ones_like(gap)
    size = np.maximum(np.abs(gap), NEAR)
    # A far-off row keeps a little curvature: a leaf of such rows alone would divide by nothing.
    return np.maximum(np.abs(gradient(loss, size)) / size, 1e-6)


def center(loss: str, log_price: Floats) -> float:
    """Return the constant that boosting starts from: the mean for squared loss, else the median."""
    return float(np.mean(log_price) if loss == "squared" else np.median(log_price))


class WeightSettings(Settings):
    """Weights of the rows in the loss: by price band, by a column, or the product of both."""

    # Ascending prices between the bands; one weight more than limits. Empty: no bands.
    limits: list[float]
    weights: list[float]
    # A numeric column of the tabular block that holds weights, or null.
    column: str | None = Field(pattern="^num_")

    @model_validator(mode="after")
    def _matching(self) -> Self:
        if self.limits != sorted(set(self.limits)):
            raise ValueError("limits: expected ascending prices")
        if len(self.weights) != (len(self.limits) + 1 if self.weights else 0):
            raise ValueError("weights: expected one more than limits, or none of either")
        if any(weight <= 0 for weight in self.weights):
            raise ValueError("weights: expected positive numbers")
        return self


def row_weights(
    settings: WeightSettings, log_price: Floats, tabular: Tabular | None
) -> Floats | None:
    """Return the weight of each train row in the loss, of mean 1; None where all are equal.

    Raises
    ------
    ParamsError
        The column is not in the tabular block.
    DataError
        A weight in the column is negative or not finite, or all are 0.
    """
    if not settings.weights and settings.column is None:
        return None
    weights = np.ones(len(log_price))
    if settings.weights:
        bands = np.searchsorted(settings.limits, np.exp(log_price), side="right")
        weights *= np.asarray(settings.weights)[bands]
    if settings.column is not None:
        weights *= _column(settings.column, tabular)
    return np.asarray(weights / weights.mean())


def _column(name: str, tabular: Tabular | None) -> Floats:
    column = None if tabular is None else tabular.number(name)
    if column is None:
        raise ParamsError(f"weights.column: the model's blocks have no column {name}")
    found = column.astype(np.float64)
    faulty = np.flatnonzero(~np.isfinite(found) | (found < 0))
    if faulty.size or not found.any():
        raise DataError(
            f"weights.column {name}: {faulty.size} of {found.size} rows are negative or not "
            f"finite, or all are 0; first rows: {first_few(faulty)}"
        )
    return found
