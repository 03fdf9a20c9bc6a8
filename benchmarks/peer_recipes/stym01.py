"""LightGBM over TF-IDF and one quantity, as stym01 (rank 2313) describes it.

Described: lower case, letters and digits alone; TF-IDF of 5,000 words and word pairs; the line
Value times the pack count, 1 where there is none; LightGBM with squared loss on log1p of the price,
learning rate 0.03, 64 leaves, depth 10, 0.8 of the columns, 0.8 of the rows drawn again every five
of 1,000 rounds. Nothing is left open.
Source: https://github.com/stym01/Amazon-ML-Challenge-2025
"""

import re

import lightgbm as lgb
import numpy as np
import scipy.sparse as sp
from sklearn.feature_extraction.text import TfidfVectorizer

from peer_recipes.quantities import value
from peer_recipes.recipe import Features, Floats, Options, Recipe

PACK_OF = re.compile(r"pack of (\d+)")


def quantity(text: str) -> float:
    """Return value times packs."""
    match = PACK_OF.search(text.lower())
    return value(text, 1.0) * (float(match[1]) if match else 1.0)


def features(texts: list[str], _: Options) -> Features:
    """Return TF-IDF and the quantity."""
    clean = [re.sub(r"[^a-z0-9\s]", "", text.lower()) for text in texts]
    terms = TfidfVectorizer(max_features=5_000, ngram_range=(1, 2)).fit_transform(clean)
    column = np.array([[quantity(text)] for text in texts])
    return Features(sp.csr_array(sp.hstack([terms, sp.csr_array(column)], format="csr")))


def predict(train: Features, prices: Floats, others: Features, options: Options) -> Floats:
    """Boost on log1p of the prices."""
    settings = {
        "objective": "regression",
        "learning_rate": 0.03,
        "num_leaves": 64,
        "max_depth": 10,
        "feature_fraction": 0.8,
        "bagging_fraction": 0.8,
        "bagging_freq": 5,
        "seed": options.seed,
        "num_threads": options.threads,
        "verbosity": -1,
    }
    data = lgb.Dataset(sp.csr_matrix(train.matrix), np.log1p(prices))
    booster = lgb.train(settings, data, num_boost_round=1000)
    return np.expm1(np.asarray(booster.predict(sp.csr_matrix(others.matrix)), dtype=np.float64))


RECIPE = Recipe(
    "stym01: TF-IDF 5k + value x pack, LightGBM L2",
    "https://github.com/stym01/Amazon-ML-Challenge-2025",
    features,
    predict,
)
