"""The network's arithmetic against naive oracles."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from amlc.models.base import Target
from amlc.models.losses import value
from amlc.models.mlp import regressor as module
from amlc.models.mlp.regressor import (
    FARTHEST,
    TINY,
    VARIANCE,
    Adam,
    Inputs,
    MlpSettings,
    Network,
    SparseMLP,
    TermUpdates,
    _batches,
    _binary,
    fit_network,
)
from tests.helpers.learning import SECTIONS, Catalogue

RNG = np.random.default_rng(4)
TERMS = sp.random_array((9, 30), density=0.2, rng=RNG, format="csr", dtype=np.float32)
INPUTS = Inputs(sp.csr_array(TERMS), RNG.normal(size=(9, 3)).astype(np.float32))


def settings(**changes: Any) -> MlpSettings:
    """Return settings, some of them changed."""
    return MlpSettings.model_validate({**SECTIONS["mlp"], **changes})


def double(network: Network) -> Network:
    """Return the network in float64, so that finite differences are exact enough."""
    layers = [layer.astype(np.float64) for layer in network.layers]
    return Network(network.terms.astype(np.float64), layers)  # type: ignore[arg-type]


def loss_of(network: Network, actual: np.ndarray) -> float:
    """Return the mean loss over the batch."""
    return float(value("smape", network.forward(INPUTS)[-1][:, 0] - actual).mean())


def test_backward_gives_the_gradients() -> None:
    """Every layer's gradient, and the terms' by the chain rule, agree with finite differences."""
    network = double(Network.random(INPUTS, [5, 4], RNG))
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


def test_adam_against_its_paper() -> None:
    """Three steps agree with the algorithm written out for one number."""
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


def test_term_updates_against_a_dense_loop() -> None:
    """Leaving untouched terms alone gives what updating every term at each step would."""
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


def test_batches_double_and_cover_each_epoch() -> None:
    """Each epoch sees each row once, in batches twice the size of the epoch before."""
    batches = list(_batches(50, settings(epochs=3, batch=8), np.random.default_rng(0)))
    sizes = [len(batch) for batch in batches]
    assert sizes == [8] * 6 + [2] + [16] * 3 + [2] + [32, 18]
    for start, end in pairwise([0, 7, 11, 13]):
        assert sorted(np.concatenate(batches[start:end])) == list(range(50))


def test_binary_rows_keep_their_length() -> None:
    """Equal values in place of TF-IDF; a row without terms stays empty."""
    terms = sp.csr_array(np.array([[0, 0.6, 0.8], [0, 0, 0], [2, 0, 0]], np.float32))
    level = np.sqrt(0.5)
    expected = [[0, level, level], [0, 0, 0], [2, 0, 0]]
    np.testing.assert_allclose(_binary(terms).toarray(), expected, rtol=1e-6)


def test_a_network_learns_what_a_term_means() -> None:
    """A term that doubles the price is learned to do so."""
    rng = np.random.default_rng(0)
    has = rng.random((400, 2)) < 0.5
    inputs = Inputs(sp.csr_array(has.astype(np.float32)), np.zeros((400, 1), np.float32))
    target = Target(2.0 + np.log(2) * has[:, 0], np.arange(400))
    network = fit_network(inputs, target, settings(epochs=8, batch=4), rng)
    np.testing.assert_allclose(network.forward(inputs)[-1][:, 0], target.log_price, atol=0.1)


def test_threads_do_not_change_the_networks(catalogue: Catalogue) -> None:
    """Networks that train side by side are the same as one after another."""
    blocks, target, _ = catalogue
    first, second = SparseMLP(settings()), SparseMLP(settings())
    first.fit(blocks, target, seed=3, threads=1)
    second.fit(blocks, target, seed=3, threads=2)
    np.testing.assert_array_equal(first.predict(blocks), second.predict(blocks))


def test_networks_differ(catalogue: Catalogue) -> None:
    """Each network has a seed of its own, or the mean of several would be of no use."""
    blocks, target, _ = catalogue
    model = SparseMLP(settings(binary=False)).fit(blocks, target, seed=3, threads=1)
    assert not np.array_equal(model.layers[0][0], model.layers[1][0])


@pytest.mark.parametrize(("networks", "binary"), [(1, True), (3, True), (2, False)])
def test_a_prediction_is_the_mean_of_what_the_networks_say(
    networks: int,
    binary: bool,  # noqa: FBT001 - a case of the test
    catalogue: Catalogue,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Weights that lie side by side give what each network gives from its own view of the terms."""
    blocks, target, _ = catalogue
    trained: list[tuple[Inputs, Network]] = []

    def remembered(inputs: Inputs, *rest: Any) -> Network:
        trained.append((inputs, fit_network(inputs, *rest)))
        return trained[-1][1]

    monkeypatch.setattr(module, "fit_network", remembered)
    model = SparseMLP(settings(networks=networks, binary=binary))
    model.fit(blocks, target, seed=3, threads=1)
    dense = np.clip(model.view.transform(model._chosen(blocks)).dense, -FARTHEST, FARTHEST)
    each = [network.forward(Inputs(inputs.terms, dense))[-1] for inputs, network in trained]
    expected = np.mean(each, axis=0)[:, 0]
    np.testing.assert_allclose(model.predict(blocks), expected, atol=0.01)
