"""A small multilayer perceptron over the sparse terms and the dense columns.

Several networks, each from its own seed, train in parallel; their mean is the prediction.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from pydantic import Field
from threadpoolctl import threadpool_limits

from amlc.arrays import Floats, Floats32, Rows
from amlc.features.text.weight_table import WeightTable
from amlc.files import read_arrays, write_arrays
from amlc.models.base import Regressor, ScaledSettings
from amlc.models.design import Design
from amlc.models.losses import LossName, gradient
from amlc.models.mlp.network import Adam, SparseNetwork, TermUpdates, output
from amlc.models.target import Target

# Columns are clipped at this many standard deviations, so that an outlier does not dominate.
FARTHEST = 4.0


class MlpSettings(ScaledSettings):
    """Section `train.mlp` of params.yaml."""

    loss: LossName
    hidden_layer_sizes: list[int] = Field(min_length=1, max_length=8)
    epochs: int = Field(ge=1, le=100)
    batch_size: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    terms_learning_rate: float = Field(gt=0)
    final_rate: float = Field(gt=0, le=1)
    networks: int = Field(ge=1, le=64)
    binary: bool

    @property
    def inputs_count(self) -> int:
        """The number of different inputs: TF-IDF, and binary terms if they are used."""
        return 2 if self.binary and self.networks > 1 else 1


class SparseMLP(Regressor):
    """The mean of several networks."""

    name = "mlp"
    settings_type = MlpSettings
    settings: MlpSettings
    kind = "linear"

    def _fit(self, design: Design, target: Target, *, seed: int, threads: int) -> None:
        seeds = np.random.SeedSequence(seed).spawn(self.settings.networks)
        inputs = self._inputs(design)

        def fitted(index: int) -> SparseNetwork:
            rng = np.random.default_rng(seeds[index])
            return fit_network(inputs[index % len(inputs)], target, self.settings, rng)

        # NumPy and SciPy release the interpreter's lock in their inner loops. BLAS threads on top
        # of these threads make a fit take 2.5 times as long.
        with threadpool_limits(1, "blas"), ThreadPoolExecutor(threads) as pool:
            networks = list(pool.map(fitted, range(len(seeds))))
        self.layers = [network.layers for network in networks]
        self.tables = [
            WeightTable.quantize(
                np.concatenate([network.terms for network in networks[first :: len(inputs)]], 1)
            )
            for first in range(len(inputs))
        ]

    def _inputs(self, design: Design) -> list[Design]:
        """Return the different inputs; the networks use them alternately."""
        clipped = replace(design, dense=np.clip(design.dense, -FARTHEST, FARTHEST))
        binary = replace(clipped, terms=binary_terms(design.terms))
        return [clipped, binary][: self.settings.inputs_count]

    def _predict(self, design: Design) -> Floats:
        outputs = np.empty((self.settings.networks, len(design.dense)))
        all_inputs = self._inputs(design)
        for first, (inputs, table) in enumerate(zip(all_inputs, self.tables, strict=True)):
            networks = range(first, len(outputs), len(all_inputs))
            # Networks with the same inputs share the pass over the terms.
            products = np.split(table.product(inputs.terms), len(networks), axis=1)
            for network, values in zip(networks, products, strict=True):
                outputs[network] = output(values, inputs.dense, self.layers[network])
        return np.asarray(outputs.mean(axis=0))

    def _save(self, folder: Path) -> None:
        for index, table in enumerate(self.tables):
            table.save(folder / f"terms{index}")
        for index, layers in enumerate(self.layers):
            names = [f"layer{depth}" for depth in range(len(layers))]
            write_arrays(folder / f"network{index}.npz", **dict(zip(names, layers, strict=True)))

    def _load(self, folder: Path) -> None:
        self.layers = [
            list(read_arrays(folder / f"network{index}.npz").values())
            for index in range(self.settings.networks)
        ]
        names = [f"terms{index}" for index in range(self.settings.inputs_count)]
        self.tables = [WeightTable.load(folder / name) for name in names]


def fit_network(
    inputs: Design, target: Target, settings: MlpSettings, rng: np.random.Generator
) -> SparseNetwork:
    """Fit one network from random weights."""
    network = SparseNetwork.random(inputs, settings.hidden_layer_sizes, rng)
    network.layers[-1][:] = np.median(target.log_price)
    adam, sparse = Adam(network.layers), TermUpdates(network.terms)
    steps = list(batches(len(target.log_price), settings, rng))
    for step, rows in enumerate(steps, start=1):
        batch = inputs.take(rows)
        after = network.forward(batch)
        slope = _slope(after[-1][:, 0], target.take(rows), settings.loss)
        gradients, below = network.backward(batch, after, slope)
        decay = 1 - (1 - settings.final_rate) * step / len(steps)
        adam.step(gradients, settings.learning_rate * decay, step)
        sparse.step(batch.terms, below, settings.terms_learning_rate * decay, step)
    return network


def batches(count: int, settings: MlpSettings, rng: np.random.Generator) -> Iterator[Rows]:
    """Yield the rows of each batch: all rows in random order in each epoch, in doubling batches."""
    for epoch in range(settings.epochs):
        size = settings.batch_size * 2**epoch
        order = rng.permutation(count)
        yield from (order[start : start + size] for start in range(0, count, size))


def _slope(predicted: Floats32, target: Target, loss: LossName) -> Floats32:
    slope = gradient(loss, predicted - target.log_price)
    if target.weight is not None:
        slope *= target.weight
    return (slope / len(slope)).astype(np.float32)[:, None]


def binary_terms(terms: sp.csr_array) -> sp.csr_array:
    """Return terms with equal values within each row, and the norms of the rows unchanged."""
    counts = np.diff(terms.indptr)
    squares = np.add.reduceat(
        np.append(terms.data, 0) ** 2, np.minimum(terms.indptr[:-1], terms.nnz)
    )
    level = np.sqrt(squares / np.maximum(counts, 1)).astype(np.float32)
    return sp.csr_array((np.repeat(level, counts), terms.indices, terms.indptr), shape=terms.shape)
