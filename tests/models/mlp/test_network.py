"""The network's arithmetic compared with simple reference implementations."""

import numpy as np
import scipy.sparse as sp

from amlc.models.mlp.network import TINY, VARIANCE, Adam, Batch, SparseNetwork, TermUpdates
from tests.helpers.losses import loss_values

RNG = np.random.default_rng(4)
TERMS = sp.random_array((9, 30), density=0.2, rng=RNG, dtype=np.float32)
INPUTS = Batch(RNG.normal(size=(9, 3)).astype(np.float32), sp.csr_array(TERMS))


def double(network: SparseNetwork) -> SparseNetwork:
    """Return the network in float64, which makes finite differences exact enough."""
    layers = [layer.astype(np.float64) for layer in network.layers]
    return SparseNetwork(network.terms.astype(np.float64), layers)  # type: ignore[arg-type]  # declared as float32


def loss_of(network: SparseNetwork, actual: np.ndarray) -> float:
    """Return the mean loss over the batch."""
    return float(loss_values("smape", network.forward(INPUTS)[-1][:, 0] - actual).mean())


def test_backward_gives_the_gradients() -> None:
    """The gradients of all layers and terms agree with finite differences."""
    network = double(SparseNetwork.random(30, 3, [5, 4], RNG))
    network.terms *= 30
    actual = RNG.normal(size=9)
    after = network.forward(INPUTS)
    gap = after[-1][:, 0] - actual
    slope = 100 * np.sign(gap) * (1 - np.tanh(gap / 2) ** 2) / 9
    gradients, below = network.backward(INPUTS, after, slope[:, None])
    pairs = [*zip(network.layers, gradients, strict=True), (network.terms, INPUTS.terms.T @ below)]
    for parameter, gradient in pairs:
        place = tuple(RNG.integers(0, size) for size in parameter.shape)
        before = parameter[place]
        parameter[place] = before + 1e-6
        higher = loss_of(network, actual)
        parameter[place] = before - 1e-6
        lower = loss_of(network, actual)
        parameter[place] = before
        np.testing.assert_allclose(gradient[place], (higher - lower) / 2e-6, rtol=1e-4, atol=1e-6)


def test_adam_follows_its_paper() -> None:
    """Three steps agree with the algorithm written for a single number."""
    parameter = np.array([1.0], np.float32)
    adam = Adam([parameter])
    mean = square = 0.0
    expected = 1.0
    for step, slope in enumerate([0.5, -2.0, 0.1], start=1):
        adam.step([np.array([slope], np.float32)], 0.01, step)
        mean = 0.9 * mean + 0.1 * slope
        square = 0.999 * square + 0.001 * slope**2
        expected -= 0.01 * (mean / (1 - 0.9**step)) / np.sqrt(square / (1 - 0.999**step))
    np.testing.assert_allclose(parameter, expected, rtol=1e-5)


def test_term_updates_equal_a_dense_loop() -> None:
    """Updating only the terms of a batch equals updating all terms at each step."""
    weights = RNG.normal(size=(30, 4)).astype(np.float32)
    expected = weights.astype(np.float64)
    squares = np.zeros(30)
    updates = TermUpdates(weights)
    for step, rows in enumerate([[0, 1], [2], [3, 4, 5], [0, 6]], start=1):
        batch, slope = INPUTS.terms[rows], RNG.normal(size=(len(rows), 4)).astype(np.float32)
        updates.step(batch, slope, 0.1, step)
        dense = batch.toarray().astype(np.float64).T @ slope
        squares = VARIANCE * squares + (1 - VARIANCE) * (dense**2).mean(axis=1)
        factor = 0.1 * np.sqrt(1 - VARIANCE**step) / (np.sqrt(squares) + TINY)
        expected -= factor[:, None] * dense
    np.testing.assert_allclose(weights, expected, rtol=1e-4, atol=1e-5)
