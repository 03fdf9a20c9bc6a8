"""Small networks over sparse text, as the winners of the Mercari Price Suggestion Challenge.

Described in their slides and their 83-line version: the mean of four networks of layers 192, 64, 64
with ReLU over TF-IDF of names and of texts (1,2), at most 100,000 terms each; Huber loss on the
standardised log1p of the price; Adam at 3e-3 that moves only the terms of a batch; batches that
double each epoch; half of the networks see binarised columns.
Left open or changed for 1/200 of their rows: the first batch has 64 rows and there are four epochs;
the parsed amounts, in deviations, stand in for their category columns. Written in NumPy, as
scikit-learn's MLPRegressor has squared loss alone, moves every term in every batch and takes more
than ten times as long.
Source: https://github.com/pjankiewicz/mercari-solution,
https://speakerdeck.com/mercari/mercari-1st-place-solution
"""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from peer_recipes.quantities import numbers, title
from peer_recipes.recipe import Features, Floats, Options, Recipe

NETWORKS, EPOCHS, BATCH, RATE = 4, 4, 64, 3e-3
LAYERS = (192, 64, 64)
WORD = r"\w+"


def features(texts: list[str], _: Options) -> Features:
    """Return TF-IDF of titles and of texts, and the amounts."""
    names = TfidfVectorizer(max_features=100_000, token_pattern=WORD)
    everything = TfidfVectorizer(max_features=100_000, token_pattern=WORD, ngram_range=(1, 2))
    amounts = StandardScaler().fit_transform(numbers(texts))
    parts = [names.fit_transform(map(title, texts)), everything.fit_transform(texts)]
    return Features(sp.csr_array(sp.hstack([*parts, sp.csr_array(amounts)], dtype=np.float32)))


def binarised(matrix: sp.csr_array) -> sp.csr_array:
    """Return 1 for each stored value; zeros are not stored."""
    ones = np.ones(matrix.nnz, dtype=np.float32)
    return sp.csr_array((ones, matrix.indices, matrix.indptr), shape=matrix.shape)


class Adam:
    """Adam over some arrays; of the first, only the rows that a batch touches move."""

    def __init__(self, arrays: list[Any]) -> None:
        self.arrays = arrays
        self.moments = [(np.zeros_like(array), np.zeros_like(array)) for array in arrays]
        self.steps = 0

    def step(self, slopes: list[Any], touched: Any) -> None:
        """Take one step against the slopes."""
        self.steps += 1
        rate = RATE * np.sqrt(1 - 0.999**self.steps) / (1 - 0.9**self.steps)
        for number, (array, slope) in enumerate(zip(self.arrays, slopes, strict=True)):
            rows = slice(None) if number else touched
            first, second = self.moments[number]
            mean = np.float32(0.9) * first[rows] + np.float32(0.1) * slope
            square = np.float32(0.999) * second[rows] + np.float32(0.001) * slope**2
            first[rows], second[rows] = mean, square
            array[rows] -= np.float32(rate) * mean / (np.sqrt(square) + np.float32(1e-7))


def forward(matrix: sp.csr_array, arrays: list[Any]) -> list[Any]:
    """Return the output of each layer, the prediction last; arrays alternate weights and biases."""
    outputs: list[Any] = [matrix]
    for number in range(0, len(arrays), 2):
        total = outputs[-1] @ arrays[number] + arrays[number + 1]
        outputs.append(total if number == len(arrays) - 2 else np.maximum(total, 0))
    return outputs


def slopes(outputs: list[Any], arrays: list[Any], target: Any) -> tuple[list[Any], Any]:
    """Return the gradient of the Huber loss for each array, and the terms that the first covers."""
    slope = np.clip(outputs[-1] - target[:, None], -1, 1) / np.float32(len(target))
    gradients: list[Any] = []
    for number in range(len(arrays) - 2, 0, -2):
        below = outputs[number // 2]
        gradients = [below.T @ slope, slope.sum(axis=0), *gradients]
        slope = (slope @ arrays[number].T) * (below > 0)
    touched = np.unique(outputs[0].indices)
    return [outputs[0][:, touched].T @ slope, slope.sum(axis=0), *gradients], touched


def network(matrix: sp.csr_array, target: Floats, others: sp.csr_array, seed: int) -> Floats:
    """Fit one network, batch by doubling batch, and predict the other rows."""
    rng = np.random.default_rng(seed)
    arrays: list[Any] = []
    for before, after in pairwise([matrix.shape[1], *LAYERS, 1]):
        limit = np.sqrt(6 / (before + after))
        weights = rng.uniform(-limit, limit, (before, after)).astype(np.float32)
        arrays += [weights, np.zeros(after, np.float32)]
    adam = Adam(arrays)
    for epoch in range(EPOCHS):
        order = rng.permutation(len(target))
        for start in range(0, len(order), BATCH * 2**epoch):
            rows = order[start : start + BATCH * 2**epoch]
            outputs = forward(matrix[rows], arrays)
            adam.step(*slopes(outputs, arrays, target[rows].astype(np.float32)))
    return np.asarray(forward(others, arrays)[-1][:, 0], dtype=np.float64)


def predict(train: Features, prices: Floats, others: Features, options: Options) -> Floats:
    """Return the mean of the networks."""
    target = np.log1p(prices)
    scaled = (target - target.mean()) / target.std()
    inputs = [(train.matrix, others.matrix), (binarised(train.matrix), binarised(others.matrix))]
    with threadpool_limits(1), ThreadPoolExecutor(options.threads) as pool:
        fits = [
            pool.submit(network, inputs[n % 2][0], scaled, inputs[n % 2][1], options.seed + n)
            for n in range(NETWORKS)
        ]
        mean = np.mean([fit.result() for fit in fits], axis=0)
    return np.asarray(np.expm1(mean * target.std() + target.mean()))


RECIPE = Recipe(
    "Mercari's 1st place: 4 sparse MLPs",
    "https://github.com/pjankiewicz/mercari-solution",
    features,
    predict,
)
