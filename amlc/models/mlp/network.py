"""A network over sparse terms and dense columns: its layers, their gradients, and Adam.

A training step changes the weights of a term only if the term occurs in the batch, so its cost
depends on the batch and not on the size of the vocabulary.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import scipy.sparse as sp

from amlc.arrays import Floats, Floats32, Rows

# Adam's decay rates and its guard against division by 0: Kingma and Ba, arXiv:1412.6980.
MOMENTUM, VARIANCE, TINY = 0.9, 0.999, 1e-8
# Terms whose weights are updated at a time: their rows stay in the processor's cache.
TERMS_AT_ONCE = 2048


@dataclass(frozen=True)
class Batch:
    """What a network sees of some rows.

    Parameters
    ----------
    dense : ndarray of float32, shape (n, columns)
        Standardised columns.
    terms : csr_array of float32, shape (n, terms)
    """

    dense: Floats32
    terms: sp.csr_array


class SparseNetwork:
    """A network in training: layers of weights and biases, rectified linear units between them.

    Parameters
    ----------
    terms : ndarray of float32, shape (terms, hidden)
        The first layer's weights of the terms.
    layers : list of ndarray of float32
        Weights and bias of each layer in turn; the first layer's weights are those of the dense
        columns.
    """

    def __init__(self, terms: Floats32, layers: list[Floats32]) -> None:
        self.terms = terms
        self.layers = layers

    @classmethod
    def random(
        cls, vocabulary: int, columns: int, hidden: list[int], rng: np.random.Generator
    ) -> Self:
        """Return a network with uniform weights as in Glorot and Bengio (AISTATS 2010).

        Parameters
        ----------
        vocabulary, columns : int
            Numbers of terms and of dense columns.
        hidden : list of int
            Units of each hidden layer.
        rng : Generator
            Source of the weights.
        """
        reach = np.float32(np.sqrt(6 / (vocabulary + columns + hidden[0])))
        layers: list[Floats32] = []
        for fan_in, fan_out in zip([columns, *hidden], [*hidden, 1], strict=True):
            limit = np.float32(np.sqrt(6 / (fan_in + fan_out))) if layers else reach
            layers += [_uniform(rng, fan_in, fan_out, limit), np.zeros(fan_out, np.float32)]
        return cls(_uniform(rng, vocabulary, hidden[0], reach), layers)

    def forward(self, batch: Batch) -> list[Floats32]:
        """Return the values after each layer; the last are the predictions, shape (n, 1)."""
        values = batch.terms @ self.terms
        values += batch.dense @ self.layers[0] + self.layers[1]
        after = [values]
        for weights, bias in zip(self.layers[2::2], self.layers[3::2], strict=True):
            np.maximum(after[-1], 0, out=after[-1])
            after.append(after[-1] @ weights + bias)
        return after

    def backward(
        self, batch: Batch, after: list[Floats32], slope: Floats32
    ) -> tuple[list[Floats32], Floats32]:
        """Return the gradients of `layers`, and the gradient at the first layer's units.

        Parameters
        ----------
        batch, after : Batch, list of ndarray
            Some rows, and the values that `forward` returned for them.
        slope : ndarray of float32, shape (n, 1)
            Derivative of the loss with respect to the prediction.
        """
        gradients: list[Floats32] = []
        for depth in range(len(after) - 1, 0, -1):
            below = after[depth - 1]
            gradients = [below.T @ slope, slope.sum(axis=0), *gradients]
            slope = (slope @ self.layers[2 * depth].T) * (below > 0)
        return [batch.dense.T @ slope, slope.sum(axis=0), *gradients], slope


def _uniform(rng: np.random.Generator, rows: int, columns: int, limit: np.float32) -> Floats32:
    values = rng.random((rows, columns), dtype=np.float32)
    values *= 2 * limit
    values -= limit
    return values


def output(values: Floats32, dense: Floats32, layers: list[Floats32]) -> Floats:
    """Return the network's log prices; each depends on its own row only.

    Each row is multiplied on its own: how a product of several rows is rounded depends on their
    number and order.

    Parameters
    ----------
    values : ndarray of float32, shape (n, hidden)
        The terms times the first layer's weights.
    dense : ndarray of float32, shape (n, columns)
        The standardised dense columns of the same rows.
    layers : list of ndarray of float32
        Weights and bias of each layer, as in `SparseNetwork`.
    """
    values = values[:, None] + (dense[:, None] @ layers[0] + layers[1])
    for weights, bias in zip(layers[2::2], layers[3::2], strict=True):
        values = np.maximum(values, 0) @ weights + bias
    return values[:, 0, 0].astype(np.float64)


class Adam:
    """Adam over dense parameters, which it changes in place."""

    def __init__(self, parameters: list[Floats32]) -> None:
        self.parameters = parameters
        self.means = [np.zeros_like(parameter) for parameter in parameters]
        self.squares = [np.zeros_like(parameter) for parameter in parameters]

    def step(self, gradients: list[Floats32], rate: float, step: int) -> None:
        """Take one step.

        Parameters
        ----------
        gradients : list of ndarray of float32
            Gradients of the parameters, in their order and shapes.
        rate : float
            Learning rate.
        step : int
            Number of the step, counted from 1.
        """
        scaled = np.float32(rate * np.sqrt(1 - VARIANCE**step) / (1 - MOMENTUM**step))
        for parameter, slope, mean, square in zip(
            self.parameters, gradients, self.means, self.squares, strict=True
        ):
            mean[...] += np.float32(1 - MOMENTUM) * (slope - mean)
            square[...] += np.float32(1 - VARIANCE) * (slope**2 - square)
            parameter[...] -= scaled * mean / (np.sqrt(square) + np.float32(TINY))


class TermUpdates:
    """Adam for the terms of a batch, without momentum and with one variance per term.

    Parameters
    ----------
    weights : ndarray of float32, shape (terms, hidden)
        Changed in place.

    Notes
    -----
    The variance also counts the steps in which the term did not occur: it decays by the number of
    steps since the term last occurred. Without momentum a term moves at once by as much as Adam
    would move it over the following steps. One variance per term needs a fraction of the memory.
    """

    def __init__(self, weights: Floats32) -> None:
        self.weights = weights
        self.squares = np.zeros(len(weights))
        self.last_step = np.zeros(len(weights), np.int64)
        self.position = np.zeros(len(weights), np.int32)

    def step(self, terms: sp.csr_array, slope: Floats32, rate: float, step: int) -> None:
        """Take one step.

        Parameters
        ----------
        terms : csr_array of float32, shape (n, terms)
            The batch.
        slope : ndarray of float32, shape (n, hidden)
            Gradient at the first layer's units.
        rate : float
            Learning rate.
        step : int
            Number of the step, counted from 1.
        """
        present, columns = self._present(terms)
        scaled = rate * np.sqrt(1 - VARIANCE**step)
        for start in range(0, len(present), TERMS_AT_ONCE):
            rows = present[start : start + TERMS_AT_ONCE]
            slopes = columns[start : start + TERMS_AT_ONCE] @ slope
            self.squares[rows] *= VARIANCE ** (step - self.last_step[rows])
            mean_square = np.einsum("ij,ij->i", slopes, slopes) / slopes.shape[1]
            self.squares[rows] += (1 - VARIANCE) * mean_square
            factor = scaled / (np.sqrt(self.squares[rows]) + TINY)
            slopes *= factor.astype(np.float32)[:, None]
            self.weights[rows] -= slopes
        self.last_step[present] = step

    def _present(self, terms: sp.csr_array) -> tuple[Rows, Any]:
        """Return the terms that occur in the batch, and their values, one row per term."""
        occurs = np.zeros(len(self.weights), bool)
        occurs[terms.indices] = True
        present = np.flatnonzero(occurs)
        self.position[present] = np.arange(len(present), dtype=np.int32)
        narrow = sp.csr_array(
            (terms.data, self.position[terms.indices], terms.indptr),
            shape=(terms.shape[0], len(present)),
        )
        return present, narrow.T.tocsr()
