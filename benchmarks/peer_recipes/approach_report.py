"""TF-IDF and ridge regression, as in the approach report that this project started from.

Described: TF-IDF of at most 50,000 words and word pairs, Ridge with alpha 0.7, on log price.
Left open, chosen for what scored best of five ways: sublinear term frequency, English stop words
left out, terms of two rows at least.
"""

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import Ridge

from peer_recipes.recipe import Features, Floats, Options, Recipe


def features(texts: list[str], _: Options) -> Features:
    """Return TF-IDF."""
    vectorizer = TfidfVectorizer(
        max_features=50_000, ngram_range=(1, 2), min_df=2, sublinear_tf=True, stop_words="english"
    )
    return Features(vectorizer.fit_transform(texts))


def predict(train: Features, prices: Floats, others: Features, _: Options) -> Floats:
    """Fit to log price."""
    model = Ridge(alpha=0.7).fit(train.matrix, np.log(prices))
    return np.asarray(np.exp(model.predict(others.matrix)))


RECIPE = Recipe("TF-IDF 50k, Ridge 0.7", "the approach report", features, predict)
