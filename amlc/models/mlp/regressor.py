"""A small multilayer perceptron over the sparse terms and the dense columns.

A term's weights are touched only by batches in which the term occurs, so that a step costs what
the batch holds and not what the vocabulary does. Several networks, each from its own seed, train
side by side; their mean is the prediction.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from pydantic import Field
from threadpoolctl import threadpool_limits

from amlc.arrays import Floats, Floats32, Rows
from amlc.features.text.weight_table import WeightTable
from amlc.files import write_array
from amlc.models.base import ModelSettings, Regressor, Target
from amlc.models.design import Design
from amlc.models.losses import LossName, gradient

# Adam's decay rates and its guard against division by 0: Kingma and Ba, arXiv:1412.6980.
MOMENTUM, VARIANCE, TINY = 0.9, 0.999, 1e-8
# Standardised columns are cut here, so that one absurd number does not saturate the network.
FARTHEST = 4.0
# Terms whose weights are updated at a time: their rows stay in the processor's cache.
CHUNK = 2048


class MlpSettings(ModelSettings):
    """Section `train.mlp` of params.yaml."""

    loss: LossName
    # Units of each hidden layer.
    hidden: list[int] = Field(min_length=1, max_length=8)
    epochs: int = Field(ge=1, le=100)
    # Rows of a batch in the first epoch; each further epoch doubles it.
    batch: int = Field(ge=1)
    # Adam's; it falls in a straight line to `final_rate` of itself.
    learning_rate: float = Field(gt=0)
    # The same for the weights of the terms.
    terms_learning_rate: float = Field(gt=0)
    final_rate: float = Field(gt=0, le=1)
    # How many networks the mean is taken over.
    networks: int = Field(ge=1, le=64)
    # Every second network sees which terms occur instead of their TF-IDF.
    binary: bool

    @property
    def views(self) -> int:
        """Return how many views of the terms the networks have."""
        return 2 if self.binary and self.networks > 1 else 1


class SparseMLP(Regressor):
    """The mean of several networks."""

    settings_type = MlpSettings
    settings: MlpSettings
    kind = "linear"

    def _fit(self, design: Design, target: Target, *, seed: int, threads: int) -> None:
        seeds = np.random.SeedSequence(seed).spawn(self.settings.networks)
        views = self._views(design)

        def fitted(index: int) -> Network:
            rng = np.random.default_rng(seeds[index])
            return fit_network(views[index % len(views)], target, self.settings, rng)

        # NumPy and SciPy let go of the interpreter's lock in their inner loops; threads of their
        # own would only get in the way, at 2.5 times the time.
        with threadpool_limits(1, "blas"), ThreadPoolExecutor(threads) as pool:
            networks = list(pool.map(fitted, range(len(seeds))))
        self.layers = [network.layers for network in networks]
        self.tables = [
            WeightTable.quantize(
                np.concatenate([one.terms for one in networks[view :: len(views)]], 1)
            )
            for view in range(len(views))
        ]

    def _views(self, design: Design) -> list["Inputs"]:
        """Return what the networks see; they take turns."""
        dense = np.clip(design.dense, -FARTHEST, FARTHEST)
        nothing = sp.csr_array(np.zeros((len(dense), 0), np.float32))
        terms = nothing if design.terms is None else design.terms
        views = [Inputs(terms, dense)]
        if self.settings.views > 1:
            views.append(Inputs(_binary(terms), dense))
        return views

    def _predict(self, design: Design) -> Floats:
        outputs = np.empty((self.settings.networks, len(design.dense)))
        views = self._views(design)
        for index, (view, table) in enumerate(zip(views, self.tables, strict=True)):
            networks = range(index, len(outputs), len(views))
            # Networks with the same view share the pass over its terms.
            products = np.split(table.product(view.terms), len(networks), axis=1)
            for network, values in zip(networks, products, strict=True):
                outputs[network] = output(values, view.dense, self.layers[network])
        return np.asarray(outputs.mean(axis=0))

    def _save(self, folder: Path) -> None:
        for index, table in enumerate(self.tables):
            table.save(folder / f"terms{index}")
        for index, layers in enumerate(self.layers):
            for depth, layer in enumerate(layers):
                write_array(folder / f"network{index}_layer{depth}.npy", layer)

    def _load(self, folder: Path) -> None:
        depth = 2 * len(self.settings.hidden) + 2
        self.layers = [
            [_read(folder / f"network{index}_layer{layer}.npy") for layer in range(depth)]
            for index in range(self.settings.networks)
        ]
        names = [f"terms{index}" for index in range(self.settings.views)]
        self.tables = [WeightTable.load(folder / name) for name in names]


@dataclass(frozen=True)
class Inputs:
    """What a network sees: terms and standardised dense columns of the same rows."""

    terms: sp.csr_array
    dense: Floats32

    def take(self, rows: Rows) -> Self:
        """Return some rows."""
        return type(self)(self.terms[rows], self.dense[rows])


def _read(path: Path) -> Floats32:
    layer: Floats32 = np.load(path, allow_pickle=False)
    return layer


def _binary(terms: sp.csr_array) -> sp.csr_array:
    """Return rows of the same length, with equal values where a term occurs."""
    counts = np.diff(terms.indptr)
    squares = np.add.reduceat(
        np.append(terms.data, 0) ** 2, np.minimum(terms.indptr[:-1], terms.nnz)
    )
    level = np.sqrt(squares / np.maximum(counts, 1)).astype(np.float32)
    return sp.csr_array((np.repeat(level, counts), terms.indices, terms.indptr), shape=terms.shape)


def output(values: Floats32, dense: Floats32, layers: list[Floats32]) -> Floats:
    """Return log prices; none depends on the other rows.

    Each row is multiplied by itself: a product of several rows rounds each of them differently
    for another number of rows, and for another place among them.

    Parameters
    ----------
    values : ndarray of float32, shape (n, hidden)
        The terms times the first layer's weights.
    dense : ndarray of float32, shape (n, columns)
        The same rows.
    layers : list of ndarray of float32
        See `Network`.
    """
    values = values[:, None] + (dense[:, None] @ layers[0] + layers[1])
    for weights, bias in zip(layers[2::2], layers[3::2], strict=True):
        values = np.maximum(values, 0) @ weights + bias
    return values[:, 0, 0].astype(np.float64)


class Network:
    """Layers of weights and biases in training; rectified linear units between them.

    Parameters
    ----------
    terms : ndarray of float32, shape (terms, hidden)
        The first layer's weights of the terms.
    layers : list of ndarray of float32
        Weights and bias of each layer in turn; the first's weights are those of the dense columns.
    """

    def __init__(self, terms: Floats32, layers: list[Floats32]) -> None:
        self.terms = terms
        self.layers = layers

    @classmethod
    def random(cls, inputs: Inputs, hidden: list[int], rng: np.random.Generator) -> Self:
        """Return a network with uniform weights as of Glorot and Bengio (AISTATS 2010)."""
        vocabulary, columns = inputs.terms.shape[1], inputs.dense.shape[1]
        reach = np.float32(np.sqrt(6 / (vocabulary + columns + hidden[0])))
        layers: list[Floats32] = []
        for fan_in, fan_out in zip([columns, *hidden], [*hidden, 1], strict=True):
            limit = np.float32(np.sqrt(6 / (fan_in + fan_out))) if layers else reach
            layers += [_uniform(rng, fan_in, fan_out, limit), np.zeros(fan_out, np.float32)]
        return cls(_uniform(rng, vocabulary, hidden[0], reach), layers)

    def forward(self, inputs: Inputs) -> list[Floats32]:
        """Return the values after each layer; the last are the predictions, shape (n, 1)."""
        values = inputs.terms @ self.terms
        values += inputs.dense @ self.layers[0] + self.layers[1]
        after = [values]
        for weights, bias in zip(self.layers[2::2], self.layers[3::2], strict=True):
            np.maximum(after[-1], 0, out=after[-1])
            after.append(after[-1] @ weights + bias)
        return after

    def backward(
        self, inputs: Inputs, after: list[Floats32], slope: Floats32
    ) -> tuple[list[Floats32], Floats32]:
        """Return the gradients of `layers`, and the gradient at the first layer's units.

        Parameters
        ----------
        inputs, after : Inputs, list of ndarray
            The batch, and what `forward` gave for it.
        slope : ndarray of float32, shape (n, 1)
            Derivative of the loss by the prediction.
        """
        gradients: list[Floats32] = []
        for depth in range(len(after) - 1, 0, -1):
            below = after[depth - 1]
            gradients = [below.T @ slope, slope.sum(axis=0), *gradients]
            slope = (slope @ self.layers[2 * depth].T) * (below > 0)
        return [inputs.dense.T @ slope, slope.sum(axis=0), *gradients], slope


def _uniform(rng: np.random.Generator, rows: int, columns: int, limit: np.float32) -> Floats32:
    values = rng.random((rows, columns), dtype=np.float32)
    values *= 2 * limit
    values -= limit
    return values


def fit_network(
    inputs: Inputs, target: Target, settings: MlpSettings, rng: np.random.Generator
) -> Network:
    """Fit one network from random weights."""
    network = Network.random(inputs, settings.hidden, rng)
    network.layers[-1][:] = np.median(target.log_price)
    adam, sparse = Adam(network.layers), TermUpdates(network.terms)
    batches = list(_batches(len(target.log_price), settings, rng))
    for step, rows in enumerate(batches, start=1):
        batch = inputs.take(rows)
        after = network.forward(batch)
        slope = _slope(after[-1][:, 0], target.take(rows), settings.loss)
        gradients, below = network.backward(batch, after, slope)
        fall = 1 - (1 - settings.final_rate) * step / len(batches)
        adam.step(gradients, settings.learning_rate * fall, step)
        sparse.step(batch.terms, below, settings.terms_learning_rate * fall, step)
    return network


def _batches(count: int, settings: MlpSettings, rng: np.random.Generator) -> Iterator[Rows]:
    for epoch in range(settings.epochs):
        size = settings.batch * 2**epoch
        order = rng.permutation(count)
        yield from (order[start : start + size] for start in range(0, count, size))


def _slope(predicted: Floats32, target: Target, loss: LossName) -> Floats32:
    slope = gradient(loss, predicted - target.log_price)
    if target.weight is not None:
        slope *= target.weight
    return (slope / len(slope)).astype(np.float32)[:, None]


class Adam:
    """Adam over dense parameters, which it changes in place."""

    def __init__(self, parameters: list[Floats32]) -> None:
        self.parameters = parameters
        self.means = [np.zeros_like(one) for one in parameters]
        self.squares = [np.zeros_like(one) for one in parameters]

    def step(self, gradients: list[Floats32], rate: float, step: int) -> None:
        """Take the step of this number, counted from 1."""
        scaled = np.float32(rate * np.sqrt(1 - VARIANCE**step) / (1 - MOMENTUM**step))
        for parameter, slope, mean, square in zip(
            self.parameters, gradients, self.means, self.squares, strict=True
        ):
            mean[...] += np.float32(1 - MOMENTUM) * (slope - mean)
            square[...] += np.float32(1 - VARIANCE) * (slope**2 - square)
            parameter[...] -= scaled * mean / (np.sqrt(square) + np.float32(TINY))


class TermUpdates:
    """Adam without momentum, with one variance per term, on the terms of a batch only.

    Parameters
    ----------
    weights : ndarray of float32, shape (terms, hidden)
        Changed in place.

    Notes
    -----
    The variance is that of the steps in which the term did not occur, too: it decays by the number
    of steps since the term was last seen. Without momentum a term moves at once as far as Adam's
    would in the steps after it; one variance a term needs a fraction of the memory.
    """

    def __init__(self, weights: Floats32) -> None:
        self.weights = weights
        self.squares = np.zeros(len(weights))
        self.seen = np.zeros(len(weights), np.int64)
        self.position = np.zeros(len(weights), np.int32)

    def step(self, terms: sp.csr_array, slope: Floats32, rate: float, step: int) -> None:
        """Take the step of this number, counted from 1.

        Parameters
        ----------
        terms : csr_array of float32, shape (n, terms)
            The batch.
        slope : ndarray of float32, shape (n, hidden)
            Gradient at the first layer's units.
        rate, step : float, int
            Learning rate and number of the step.
        """
        present, columns = self._present(terms)
        scaled = rate * np.sqrt(1 - VARIANCE**step)
        for start in range(0, len(present), CHUNK):
            rows = present[start : start + CHUNK]
            slopes = columns[start : start + CHUNK] @ slope
            self.squares[rows] *= VARIANCE ** (step - self.seen[rows])
            mean_square = np.einsum("ij,ij->i", slopes, slopes) / slopes.shape[1]
            self.squares[rows] += (1 - VARIANCE) * mean_square
            factor = scaled / (np.sqrt(self.squares[rows]) + TINY)
            slopes *= factor.astype(np.float32)[:, None]
            self.weights[rows] -= slopes
        self.seen[present] = step

    def _present(self, terms: sp.csr_array) -> tuple[NDArray[np.intp], Any]:
        """Return the terms of the batch, and a matrix of one row for each of them."""
        occurs = np.zeros(len(self.weights), bool)
        occurs[terms.indices] = True
        present = np.flatnonzero(occurs)
        self.position[present] = np.arange(len(present), dtype=np.int32)
        narrow = sp.csr_array(
            (terms.data, self.position[terms.indices], terms.indptr),
            shape=(terms.shape[0], len(present)),
        )
        return present, narrow.T.tocsr()
