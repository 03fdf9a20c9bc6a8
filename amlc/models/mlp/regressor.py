"""A small multilayer perceptron over the sparse terms and the dense columns.

Several networks, each from its own seed, train in parallel; their mean is the prediction.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from pydantic import Field
from threadpoolctl import threadpool_limits

from amlc.arrays import Floats, Floats32, Rows
from amlc.features.blocks import Blocks
from amlc.features.text.weight_table import WeightTable
from amlc.files import read_arrays, write_arrays
from amlc.models.base import Regressor, ScaledSettings
from amlc.models.bins import Bins
from amlc.models.design import Design
from amlc.models.losses import LossName, gradient
from amlc.models.mlp.inputs import NetworkInputs
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
    bins: int = Field(ge=0, le=256)

    @property
    def terms_count(self) -> int:
        """The number of different terms: TF-IDF, and binary terms if they are used."""
        return 2 if self.binary and self.networks > 1 else 1

    def has_bins(self, network: int) -> bool:
        """Return whether a network sees the bins of the dense columns beside the columns."""
        return self.bins > 0 and network // self.terms_count % 2 == 1


class SparseMLP(Regressor):
    """The mean of several networks."""

    name = "mlp"
    settings_type = MlpSettings
    settings: MlpSettings
    kind = "linear"
    curve_unit = "epoch"

    def __init__(self, settings: MlpSettings) -> None:
        super().__init__(settings)
        self._watched: Blocks | None = None
        # After each epoch, the mean of the networks' log prices of the watched rows.
        self._curve: list[Floats] = []

    def watch(self, blocks: Blocks) -> None:
        """Note held-out rows that the next fit predicts after each epoch."""
        self._watched = self._select(blocks)

    def staged_predict(self, blocks: Blocks) -> Iterator[tuple[int, Floats]]:
        """Yield the number of epochs and the log prices of the watched rows after them."""
        if self._curve and len(blocks) == len(self._curve[0]):
            yield from enumerate(self._curve, start=1)

    def _fit(self, design: Design, target: Target, *, seed: int, threads: int) -> None:
        seeds = np.random.SeedSequence(seed).spawn(self.settings.networks)
        clipped = _clipped(design)
        self.bins = Bins.fit(clipped.dense, self.settings.bins or 1)
        inputs = self._inputs(clipped)
        watched = self._watched_inputs()

        def fitted(index: int) -> tuple[SparseNetwork, list[Floats32]]:
            rng = np.random.default_rng(seeds[index])
            held_out = watched[index] if watched else None
            return fit_network(inputs[index], target, self.settings, rng, held_out)

        # NumPy and SciPy release the interpreter's lock in their inner loops. BLAS threads on top
        # of these threads make a fit take 2.5 times as long.
        with threadpool_limits(1, "blas"), ThreadPoolExecutor(threads) as pool:
            results = list(pool.map(fitted, range(len(seeds))))
        networks = [network for network, _ in results]
        self._curve = [
            np.mean(after, axis=0, dtype=np.float64)
            for after in zip(*(curve for _, curve in results), strict=True)
        ]
        count = self.settings.terms_count
        self.layers = [network.layers for network in networks]
        self.tables = [
            WeightTable.quantize(np.concatenate([network.terms for network in same_terms], axis=1))
            for same_terms in (networks[first::count] for first in range(count))
        ]

    def _watched_inputs(self) -> list[NetworkInputs]:
        """Return the inputs of each network for the watched rows, which are then forgotten."""
        if self._watched is None or len(self._watched) == 0:
            return []
        design, self._watched = self.encoder.transform(self._watched), None
        return self._inputs(_clipped(design))

    def _inputs(self, design: Design) -> list[NetworkInputs]:
        """Return the inputs of each network."""
        settings = self.settings
        return [
            NetworkInputs(
                design,
                binary=index % settings.terms_count == 1,
                bins=self.bins if settings.has_bins(index) else None,
            )
            for index in range(settings.networks)
        ]

    def _predict(self, design: Design) -> Floats:
        inputs = self._inputs(_clipped(design))
        parts = [self._predict_chunk(inputs, rows) for rows in inputs[0].chunks()]
        return np.concatenate(parts)

    def _predict_chunk(self, inputs: list[NetworkInputs], rows: Rows) -> Floats:
        outputs = np.empty((len(inputs), len(rows)))
        for first, table in enumerate(self.tables):
            networks = range(first, len(inputs), len(self.tables))
            # Networks with the same terms share the pass over them.
            products = np.split(table.product(inputs[first].terms(rows)), len(networks), axis=1)
            for network, values in zip(networks, products, strict=True):
                dense = inputs[network].dense(rows)
                outputs[network] = output(values, dense, self.layers[network])
        return np.asarray(outputs.mean(axis=0))

    def _save(self, folder: Path) -> None:
        write_arrays(folder / "bins.npz", **vars(self.bins))
        for index, table in enumerate(self.tables):
            table.save(folder / f"terms{index}")
        for index, layers in enumerate(self.layers):
            names = [f"layer{depth}" for depth in range(len(layers))]
            write_arrays(folder / f"network{index}.npz", **dict(zip(names, layers, strict=True)))

    def _load(self, folder: Path) -> None:
        self.bins = Bins(**read_arrays(folder / "bins.npz"))
        self.layers = [
            list(read_arrays(folder / f"network{index}.npz").values())
            for index in range(self.settings.networks)
        ]
        names = [f"terms{index}" for index in range(self.settings.terms_count)]
        self.tables = [WeightTable.load(folder / name) for name in names]


def _clipped(design: Design) -> Design:
    """Return the design, which was made for this model alone, with its columns clipped in place."""
    np.clip(design.dense, -FARTHEST, FARTHEST, out=design.dense)
    return design


def fit_network(
    inputs: NetworkInputs,
    target: Target,
    settings: MlpSettings,
    rng: np.random.Generator,
    watched: NetworkInputs | None = None,
) -> tuple[SparseNetwork, list[Floats32]]:
    """Fit one network from random weights.

    Parameters
    ----------
    inputs, target : NetworkInputs, Target
        The rows to fit to.
    settings : MlpSettings
    rng : Generator
        Source of the random weights and of the order of the rows.
    watched : NetworkInputs, optional
        Rows that are predicted after each epoch.

    Returns
    -------
    SparseNetwork
        Fitted.
    list of ndarray of float32, shape (watched rows,)
        Their log prices after each epoch; empty where none are watched.
    """
    network = SparseNetwork.random(*inputs.widths, settings.hidden_layer_sizes, rng)
    network.layers[-1][:] = np.median(target.log_price)
    adam, sparse = Adam(network.layers), TermUpdates(network.terms)
    epochs = list(batches(len(target.log_price), settings, rng))
    count, step = sum(map(len, epochs)), 0
    curve: list[Floats32] = []
    for epoch in epochs:
        for rows in epoch:
            step += 1
            batch = inputs.take(rows)
            after = network.forward(batch)
            slope = _slope(after[-1][:, 0], target.take(rows), settings.loss)
            gradients, below = network.backward(batch, after, slope)
            decay = 1 - (1 - settings.final_rate) * step / count
            adam.step(gradients, settings.learning_rate * decay, step)
            sparse.step(batch.terms, below, settings.terms_learning_rate * decay, step)
        if watched is not None:
            chunks = (network.forward(watched.take(rows)) for rows in watched.chunks())
            curve.append(np.concatenate([after[-1][:, 0] for after in chunks]))
    return network, curve


def batches(count: int, settings: MlpSettings, rng: np.random.Generator) -> Iterator[list[Rows]]:
    """Yield the batches of each epoch: all rows in random order, more in a batch each time."""
    for epoch in range(settings.epochs):
        size = settings.batch_size * 2**epoch
        order = rng.permutation(count)
        yield [order[start : start + size] for start in range(0, count, size)]


def _slope(predicted: Floats32, target: Target, loss: LossName) -> Floats32:
    slope = gradient(loss, predicted - target.log_price)
    if target.weight is not None:
        slope *= target.weight
    return (slope / len(slope)).astype(np.float32)[:, None]
