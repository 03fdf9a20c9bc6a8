"""The parts of a recipe, and its out-of-fold prices."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]

# Every peer keeps its prices positive; no product of this catalogue is cheaper.
LOWEST_PRICE = 0.01


@dataclass(frozen=True)
class Options:
    """What the benchmark passes to a recipe.

    Parameters
    ----------
    seed, threads : int
        The keys `seed` and `threads` of params.yaml.
    seconds : int
        Time limit of one fold, for a recipe that needs one.
    """

    seed: int
    threads: int
    seconds: int


@dataclass(frozen=True)
class Features:
    """The features that a recipe computes from the texts, one row per product.

    Parameters
    ----------
    matrix : csr_matrix or ndarray, optional
        Numeric columns.
    frame : DataFrame, optional
        Columns that are encoded inside the folds.
    """

    matrix: Any = None
    frame: pd.DataFrame | None = None

    def take(self, rows: Rows) -> Self:
        """Return some rows."""
        return type(self)(
            None if self.matrix is None else self.matrix[rows],
            None if self.frame is None else self.frame.iloc[rows],
        )


@dataclass(frozen=True)
class Recipe:
    """A published way to predict prices.

    Parameters
    ----------
    title, source : str
        For the table: what it is, and where it is described.
    features : callable
        Takes all texts and the options, returns `Features`. It sees no price. amlc's own text
        features are fitted to all train texts, too.
    predict : callable
        Takes train features, train prices, features of other rows and the options; returns the
        other rows' prices.
    """

    title: str
    source: str
    features: Callable[[list[str], Options], Features]
    predict: Callable[[Features, Floats, Features, Options], Floats]


def out_of_fold(
    recipe: Recipe, texts: list[str], prices: Floats, folds: NDArray[Any], options: Options
) -> Floats:
    """Return the price of each row, predicted without the prices of the row's fold.

    Parameters
    ----------
    recipe : Recipe
        The recipe to run on each fold.
    texts : list of str, n values
        The column ``catalog_content``.
    prices : ndarray of float64, shape (n,)
        Prices, all positive.
    folds : ndarray of int, shape (n,)
        The fold of each row.
    options : Options
        Seed, threads and time limit of the recipe.

    Returns
    -------
    ndarray of float64, shape (n,)
        Not below `LOWEST_PRICE`.
    """
    features = recipe.features(texts, options)
    predicted = np.empty(len(prices))
    for fold in np.unique(folds):
        fit, held_out = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        predicted[held_out] = recipe.predict(
            features.take(fit), prices[fit], features.take(held_out), options
        )
    return np.maximum(predicted, LOWEST_PRICE)
