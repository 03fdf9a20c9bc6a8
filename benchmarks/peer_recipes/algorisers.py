"""Ridge regression over word and character TF-IDF, as team AlgoRisers describes it.

Described in their one-page technical note: lower case, "Item Name:" stripped; TF-IDF of word (1,2)
(at least 3 rows) and character (3,5) within words (at least 10 rows), at most 300,000 each,
sublinear; grams, millilitres, packs, their products, lengths and five flags, scaled by their
deviation; Ridge with alpha 3 on log1p of the price; prices in both tails of 1 % pulled in.
Left open, chosen here: the patterns of the amounts, and that the amounts are logarithms.
"""

import numpy as np
import pandas as pd
import scipy.sparse as sp
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from peer_recipes.quantities import numbers
from peer_recipes.recipe import Features, Floats, Options, Recipe

FLAGS = {"organic": r"\borganic", "family": r"\bfamily", "sugar_free": r"sugar[ -]?free"}


def features(texts: list[str], _: Options) -> Features:
    """Return both TF-IDFs and the numbers."""
    clean = [text.replace("Item Name:", "").replace("\u00d7", "x").lower() for text in texts]
    words = TfidfVectorizer(ngram_range=(1, 2), min_df=3, max_features=300_000, sublinear_tf=True)
    characters = TfidfVectorizer(
        analyzer="char_wb", ngram_range=(3, 5), min_df=10, max_features=300_000, sublinear_tf=True
    )
    frame = numbers(texts)
    frame["is_weight"], frame["is_liquid"] = frame["grams"] > 0, frame["millilitres"] > 0
    for name, pattern in FLAGS.items():
        frame[name] = pd.Series(clean).str.contains(pattern)
    scaled = StandardScaler(with_mean=False).fit_transform(frame.astype(np.float64))
    parts = [words.fit_transform(clean), characters.fit_transform(clean), sp.csr_array(scaled)]
    return Features(sp.csr_array(sp.hstack(parts, format="csr")))


def predict(train: Features, prices: Floats, others: Features, _: Options) -> Floats:
    """Fit to log1p of the prices."""
    target = np.log1p(np.clip(prices, *np.quantile(prices, [0.01, 0.99])))
    model = Ridge(alpha=3.0, max_iter=10_000).fit(train.matrix, target)
    return np.asarray(np.expm1(model.predict(others.matrix)))


RECIPE = Recipe(
    "AlgoRisers: word + char TF-IDF, Ridge 3",
    "AlgoRisers, Smart Product Pricing: 1-Page Technical Note",
    features,
    predict,
)
