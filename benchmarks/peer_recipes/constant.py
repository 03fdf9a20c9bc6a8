"""The median of the train prices for every product: the score that any recipe has to beat."""

import numpy as np

from peer_recipes.recipe import Features, Floats, Options, Recipe


def features(texts: list[str], _: Options) -> Features:
    """Return no columns."""
    return Features(np.empty((len(texts), 0)))


def predict(_: Features, prices: Floats, others: Features, __: Options) -> Floats:
    """Return the median, once for each row."""
    return np.full(len(others.matrix), np.median(prices))


RECIPE = Recipe("constant: median price", "-", features, predict)
