"""The target of the models: log prices, and the weight of each row in the loss."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field, model_validator

from amlc.arrays import Floats, Floats32, Rows
from amlc.catalog.products import PRICE
from amlc.errors import DataError, ParamsError, first_few
from amlc.features.blocks import Tabular
from amlc.params import Settings


def log_prices(products: pd.DataFrame, rows: Rows | None = None) -> Floats:
    """Return the natural logarithms of prices.

    Parameters
    ----------
    products : DataFrame
        With the column ``price``.
    rows : ndarray of int, shape (n,), optional
        Positions of the rows to return; None: all.

    Returns
    -------
    ndarray of float64, shape (n,)
        NaN where the price is not known. The digits of float32: the last ones of a logarithm in
        float64 differ between processors, and would change where boosters split.
    """
    prices = products[PRICE].to_numpy(dtype=np.float64)
    logarithms: Floats32 = np.log(prices if rows is None else prices[rows]).astype(np.float32)
    return logarithms.astype(np.float64)


@dataclass(frozen=True)
class Target:
    """The log prices that a model learns.

    Parameters
    ----------
    log_price : ndarray of float64, shape (n,)
        Natural logarithm of the price.
    groups : ndarray of int, shape (n,)
        Rows of one group stay together in every split.
    weight : ndarray of float64, shape (n,), optional
        Weight of each row in the loss; None: all 1.
    """

    log_price: Floats
    groups: NDArray[Any]
    weight: Floats | None = None

    def take(self, rows: Rows) -> Self:
        """Return the target of some rows."""
        weight = None if self.weight is None else self.weight[rows]
        return type(self)(self.log_price[rows], self.groups[rows], weight)


class WeightSettings(Settings):
    """The mapping `weights` of a model in params.yaml."""

    limits: list[float]
    weights: list[float]
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


def make_target(
    products: pd.DataFrame, tabular: Tabular | None, weights: WeightSettings | None
) -> Target:
    """Return the target of train rows, the product table and the tabular block of which are given.

    Raises
    ------
    ParamsError, DataError
        As `row_weights`.
    """
    log_price = log_prices(products)
    weight = row_weights(weights, log_price, tabular)
    return Target(log_price, products["group"].to_numpy(), weight)


def row_weights(
    settings: WeightSettings | None, log_price: Floats, tabular: Tabular | None
) -> Floats | None:
    """Return the weight of each train row in the loss.

    Returns
    -------
    ndarray of float64, shape (n,), or None
        Of mean 1; None where all weights are equal.

    Raises
    ------
    ParamsError
        The column is not in the tabular block.
    DataError
        A weight in the column is negative or not finite, or all are 0.
    """
    if settings is None or (not settings.weights and settings.column is None):
        return None
    weights = np.ones(len(log_price))
    if settings.weights:
        bands = np.searchsorted(settings.limits, np.exp(log_price), side="right")
        weights *= np.asarray(settings.weights)[bands]
    if settings.column is not None:
        weights *= _column_weights(settings.column, tabular)
    return np.asarray(weights / weights.mean())


def _column_weights(name: str, tabular: Tabular | None) -> Floats:
    column = None if tabular is None else tabular.number(name)
    if column is None:
        raise ParamsError(f"weights.column: the model's blocks have no column {name}")
    weights = column.astype(np.float64)
    invalid = np.flatnonzero(~np.isfinite(weights) | (weights < 0))
    if invalid.size or not weights.any():
        raise DataError(
            f"weights.column {name}: {invalid.size} of {weights.size} rows are negative or not "
            f"finite, or all are 0; first rows: {first_few(invalid)}"
        )
    return weights
