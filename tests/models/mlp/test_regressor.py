"""Training of the networks and the mean of their predictions."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from amlc.arrays import Floats32
from amlc.features.blocks import Terms
from amlc.models.design import Design
from amlc.models.mlp import regressor as module
from amlc.models.mlp.inputs import NetworkInputs
from amlc.models.mlp.network import SparseNetwork
from amlc.models.mlp.regressor import (
    FARTHEST,
    MlpSettings,
    SparseMLP,
    batches,
    fit_network,
)
from amlc.models.target import Target
from tests.helpers.learning import SECTIONS, Catalogue


def settings(**changes: Any) -> MlpSettings:
    """Return settings, with some changes."""
    return MlpSettings.model_validate({**SECTIONS["mlp"], **changes})


def test_batches_double_and_cover_each_epoch() -> None:
    """Each epoch has each row once, in batches of twice the size of the epoch before."""
    epochs = list(batches(50, settings(epochs=3, batch_size=8), np.random.default_rng(0)))
    sizes = [[len(batch) for batch in epoch] for epoch in epochs]
    assert sizes == [[8] * 6 + [2], [16] * 3 + [2], [32, 18]]
    assert all(sorted(np.concatenate(epoch)) == list(range(50)) for epoch in epochs)


def test_a_network_learns_the_effect_of_a_term() -> None:
    """The predictions double with a term that doubles the price."""
    rng = np.random.default_rng(0)
    has = rng.random((400, 2)) < 0.5
    terms = Terms(sp.csr_array(has.astype(np.float32)))
    inputs = NetworkInputs(Design(np.zeros((400, 1), np.float32), terms), binary=False, bins=None)
    target = Target(2.0 + np.log(2) * has[:, 0], np.arange(400))
    network, _ = fit_network(inputs, target, settings(epochs=8, batch_size=4), rng)
    np.testing.assert_allclose(
        network.forward(inputs.take(np.arange(400)))[-1][:, 0], target.log_price, atol=0.1
    )


def test_threads_do_not_change_the_networks(catalogue: Catalogue) -> None:
    """Networks trained at the same time equal those trained one after another."""
    blocks, target, _ = catalogue
    first, second = SparseMLP(settings()), SparseMLP(settings())
    first.fit(blocks, target, seed=3, threads=1)
    second.fit(blocks, target, seed=3, threads=2)
    np.testing.assert_array_equal(first.predict(blocks), second.predict(blocks))


def test_watched_rows_are_predicted_after_each_epoch(catalogue: Catalogue) -> None:
    """The last of the predictions are the model's own, and watching changes no weight."""
    blocks, target, _ = catalogue
    plain, watching = SparseMLP(settings(epochs=3)), SparseMLP(settings(epochs=3))
    plain.fit(blocks, target, seed=3, threads=1)
    watching.watch(blocks)
    watching.fit(blocks, target, seed=3, threads=1)
    np.testing.assert_array_equal(plain.predict(blocks), watching.predict(blocks))
    curve = list(watching.staged_predict(blocks))
    assert [epoch for epoch, _ in curve] == [1, 2, 3]
    np.testing.assert_allclose(curve[-1][1], watching.predict(blocks), atol=0.01)
    assert not np.allclose(curve[0][1], curve[-1][1], atol=0.01)
    assert list(plain.staged_predict(blocks)) == []


def test_networks_differ(catalogue: Catalogue) -> None:
    """Each network has a seed of its own."""
    blocks, target, _ = catalogue
    model = SparseMLP(settings(binary=False, bins=0)).fit(blocks, target, seed=3, threads=1)
    assert not np.array_equal(model.layers[0][0], model.layers[1][0])


@pytest.mark.parametrize(("networks", "binary"), [(1, True), (3, True), (4, True), (2, False)])
def test_a_prediction_is_the_mean_of_the_networks(
    networks: int,
    binary: bool,  # noqa: FBT001 - a case of the test
    catalogue: Catalogue,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The joint table of weights gives the predictions that each network gives by itself."""
    blocks, target, _ = catalogue
    trained: list[tuple[NetworkInputs, SparseNetwork]] = []

    def recorded(inputs: NetworkInputs, *rest: Any) -> tuple[SparseNetwork, list[Floats32]]:
        network, curve = fit_network(inputs, *rest)
        trained.append((inputs, network))
        return network, curve

    monkeypatch.setattr(module, "fit_network", recorded)
    model = SparseMLP(settings(networks=networks, binary=binary))
    model.fit(blocks, target, seed=3, threads=1)
    # A fit sees other encodings of its rows than a prediction.
    design = model.design(blocks)
    np.clip(design.dense, -FARTHEST, FARTHEST, out=design.dense)
    rows = np.arange(len(blocks))
    each = [
        network.forward(replace(inputs, design=design).take(rows))[-1]
        for inputs, network in trained
    ]
    expected = np.mean(each, axis=0)[:, 0]
    np.testing.assert_allclose(model.predict(blocks), expected, atol=0.01)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"networks": 5, "binary": True, "bins": 4}, [False, False, True, True, False]),
        ({"networks": 3, "binary": False, "bins": 4}, [False, True, False]),
        ({"networks": 4, "binary": True, "bins": 0}, [False] * 4),
    ],
)
def test_half_of_the_networks_see_bins(changes: dict[str, Any], expected: list[bool]) -> None:
    """Of each kind of terms, every second network does."""
    chosen = settings(**changes)
    assert [chosen.has_bins(network) for network in range(chosen.networks)] == expected
