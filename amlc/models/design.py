"""Turn feature blocks into the matrices that models compute with, fitted inside the folds."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import scipy.sparse as sp

from amlc.arrays import Floats, Floats32, Ints32, Objects, Rows
from amlc.features.block_names import CATEGORICAL, ENCODERS, HIGH_CARDINALITY, NUMERIC
from amlc.features.blocks import Blocks, Dense, Tabular, Terms
from amlc.features.content import Content, content_of
from amlc.files import read_arrays, write_arrays, write_json
from amlc.models.kriging import NAMES as KRIGING_NAMES
from amlc.models.kriging import Kriging
from amlc.models.neighbour_prices import NeighbourPrices
from amlc.models.target_encoding import TargetEncoding, inner_splits

Kind = Literal["linear", "tree"]

# Similar products are compared by this column, the log of the total amount.
TOTAL = NUMERIC + "log_total"
# Rows that are put together at a time.
CHUNK = 16_384
# Smaller deviations are raised to this: scaling must not inflate a column that hardly varies.
SMALLEST_DEVIATION = 1e-3


@dataclass(frozen=True)
class Design:
    """The matrices that a model computes with.

    Parameters
    ----------
    dense : ndarray of float32, shape (n, columns)
        The columns of all blocks but the terms.
    terms : Terms, shape (n, terms)
        The terms, unchanged; without columns if there is no such block.
    content : Content, optional
        Texts and pictures, unchanged.
    """

    dense: Floats32
    terms: Terms
    content: Content | None = None

    def take(self, rows: Rows) -> Self:
        """Return the design of some rows."""
        content = None if self.content is None else self.content.take(rows)
        return type(self)(self.dense[rows], self.terms.take(rows), content)

    @property
    def has_terms(self) -> bool:
        """Whether there are terms."""
        return self.terms.shape[1] > 0

    def joined(self, dtype: type[np.floating[Any]] = np.float32) -> Any:
        """Return terms and dense columns as one matrix, sparse where there are terms.

        It is written once, in chunks of rows: `scipy.sparse.hstack` and a change of type need two
        and a half times the memory.
        """
        if not self.has_terms:
            return self.dense.astype(dtype, copy=False)
        rows, width = self.dense.shape
        sizes = self.terms.sizes + np.count_nonzero(self.dense, axis=1)
        indptr = np.append(0, np.cumsum(sizes, dtype=np.int64))
        data = np.empty(indptr[-1], dtype)
        large = indptr[-1] > np.iinfo(np.int32).max
        indices = np.empty(indptr[-1], np.int64 if large else np.int32)
        for start in range(0, rows, CHUNK):
            end = min(start + CHUNK, rows)
            dense = sp.csr_array(self.dense[start:end])
            part = sp.hstack([self.terms.read_rows(start, end), dense], format="csr")
            chunk = slice(indptr[start], indptr[end])
            data[chunk], indices[chunk] = part.data, part.indices
        shape = (rows, self.terms.shape[1] + width)
        return sp.csr_array((data, indices, indptr.astype(indices.dtype)), shape=shape)


class DesignEncoder:
    """Encode blocks as a design: scaled and one-hot for linear models, codes for trees.

    Parameters
    ----------
    kind : str
        "linear": categories as one-hot columns, and every column but the one-hot ones with mean 0
        and deviation 1 over the train rows. "tree": categories as their codes, nothing scaled.
    smoothing : float, optional
        The smoothing of `amlc.models.target_encoding.TargetEncoding`; None leaves the
        high-cardinality columns out.
    neighbours : list of int
        The counts of `amlc.models.neighbour_prices.NeighbourPrices`.
    kriging : float, optional
        The noise of `amlc.models.kriging.Kriging`; None leaves its columns out.
    encoder_norm : float, optional
        For "linear": the vectors of an encoder are centred and divided by one number, so that this
        is the root mean square of their lengths over the train rows: hundreds of columns of
        deviation 1 would outweigh all others. None: as any other column.

    Attributes
    ----------
    columns : list of str
        Fitted: the names of the dense columns, each "block: column".
    """

    def __init__(
        self,
        kind: Kind,
        smoothing: float | None,
        neighbours: list[int],
        kriging: float | None,
        encoder_norm: float | None = None,
    ) -> None:
        self.kind = kind
        self.encoder_norm = encoder_norm
        self.encoding = None if smoothing is None else TargetEncoding(smoothing)
        self.neighbours = NeighbourPrices(neighbours)
        self.kriging = None if kriging is None else Kriging(kriging)
        self.center = np.zeros(0, np.float32)
        self.scale = np.ones(0, np.float32)
        self.columns: list[str] = []

    def fit_transform(self, blocks: Blocks, log_price: Floats, groups: Ints32, seed: int) -> Design:
        """Fit to the train rows and return their design, with cross-fitted encodings.

        Parameters
        ----------
        blocks : Blocks
            Features of the train rows.
        log_price : ndarray of float64, shape (n,)
            Their log prices.
        groups : ndarray of int, shape (n,)
            Duplicate groups, which the inner folds keep together.
        seed : int
            Seed of the inner folds.
        """
        keys, from_prices = self._keys(blocks), []
        needed = keys is not None or blocks.neighbours is not None
        splits = inner_splits(groups, seed) if needed else []
        if self.encoding is not None and keys is not None:
            from_prices.append(self.encoding.fit_transform(keys, log_price, splits))
        if blocks.neighbours is not None:
            total = _total(blocks)
            from_prices.append(
                self.neighbours.fit_transform(blocks.neighbours, total, log_price, splits)
            )
            if self.kriging is not None:
                from_prices.append(
                    self.kriging.fit_transform(blocks.neighbours, blocks.tabular, log_price, splits)
                )
        dense, count = self._joined(blocks, from_prices)
        self.columns = self.names(blocks)
        if self.kind == "linear":
            numbers = dense[:, :count]
            self.center = numbers.mean(axis=0, dtype=np.float64).astype(np.float32)
            deviation = numbers.std(axis=0, dtype=np.float64)
            self.scale = np.maximum(deviation, SMALLEST_DEVIATION).astype(np.float32)
            self._scale_vectors(blocks, deviation)
        return self._design(blocks, dense, count)

    def transform(self, blocks: Blocks) -> Design:
        """Return the design of any rows."""
        keys, from_prices = self._keys(blocks), []
        if self.encoding is not None and keys is not None:
            from_prices.append(self.encoding.transform(keys))
        if blocks.neighbours is not None:
            from_prices.append(self.neighbours.transform(blocks.neighbours, _total(blocks)))
            if self.kriging is not None:
                from_prices.append(self.kriging.transform(blocks.neighbours, blocks.tabular))
        return self._design(blocks, *self._joined(blocks, from_prices))

    def _scale_vectors(self, blocks: Blocks, deviation: Floats) -> None:
        """Give the vector of each encoder one scale; its first column is the flag "missing"."""
        end = len(deviation)
        for name, dense in reversed(blocks.dense.items()):
            start = end - dense.shape[1]
            if name.startswith(f"{ENCODERS}.") and self.encoder_norm is not None:
                vector = slice(start + 1, end)
                length = np.sqrt(np.square(deviation[vector]).sum())
                self.scale[vector] = max(length, SMALLEST_DEVIATION) / self.encoder_norm
            end = start

    def names(self, blocks: Blocks) -> list[str]:
        """Return the names of the dense columns of these blocks' design, in its order."""
        tabular, names = blocks.tabular, []
        if tabular is not None:
            names += [f"tabular: {name.removeprefix(NUMERIC)}" for name in tabular.number_names]
            keys = tabular.key_names if self.encoding is not None else ()
            names += [f"target encoding: {name.removeprefix(HIGH_CARDINALITY)}" for name in keys]
        if blocks.neighbours is not None:
            names += [f"neighbours: {name}" for name in self.neighbours.names]
            if self.kriging is not None:
                names += [f"kriging: {name}" for name in KRIGING_NAMES]
        for block, dense in blocks.dense.items():
            names += [f"{block}: {name}" for name in dense.names]
        for name, levels in tabular.levels.items() if tabular is not None else ():
            label = f"tabular: {name.removeprefix(CATEGORICAL)}"
            names += [f"{label} {level}" for level in levels] if self.kind == "linear" else [label]
        return names

    def save(self, folder: Path) -> None:
        """Write the fitted encoder into a folder."""
        encoding, prices = self.encoding, self.neighbours
        content = {
            "kind": self.kind,
            "smoothing": None if encoding is None else encoding.smoothing,
            "mean": 0.0 if encoding is None else encoding.mean,
            "means": [] if encoding is None else encoding.means,
            "neighbours": prices.counts,
            "kriging": None if self.kriging is None else self.kriging.noise,
            "columns": self.columns,
        }
        write_json(folder / "encoder.json", content)
        state = {} if self.kriging is None else self.kriging.state
        write_arrays(
            folder / "encoder.npz",
            center=self.center,
            scale=self.scale,
            neighbour_rows=prices.rows,
            neighbour_log_price=prices.log_price,
            neighbour_total=prices.total,
            **{f"kriging_{name}": array for name, array in state.items()},
        )

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read an encoder that `save` wrote."""
        content = json.loads((folder / "encoder.json").read_text(encoding="utf-8"))
        keys = ("kind", "smoothing", "neighbours", "kriging")
        encoder = cls(*(content[key] for key in keys))
        encoder.columns = content["columns"]
        if encoder.encoding is not None:
            encoder.encoding.mean = content["mean"]
            encoder.encoding.means = content["means"]
        arrays = read_arrays(folder / "encoder.npz")
        encoder.center, encoder.scale = arrays["center"], arrays["scale"]
        prices = (arrays[f"neighbour_{name}"] for name in ("rows", "log_price", "total"))
        encoder.neighbours.set_train_rows(*prices)
        if encoder.kriging is not None:
            prefix = "kriging_"
            state = {
                name.removeprefix(prefix): array
                for name, array in arrays.items()
                if name.startswith(prefix)
            }
            encoder.kriging.set_state(state)
        return encoder

    def _keys(self, blocks: Blocks) -> Objects | None:
        """Return the columns for target encoding, or None if there is nothing to encode."""
        tabular = blocks.tabular
        if self.encoding is None or tabular is None or not tabular.key_names:
            return None
        return tabular.keys

    def _joined(self, blocks: Blocks, from_prices: list[Floats]) -> tuple[Floats32, int]:
        """Return all dense columns, not scaled, and how many of them are not categories."""
        tabular = blocks.tabular
        parts: list[Any] = [] if tabular is None else [tabular.numbers]
        parts += [*from_prices, *blocks.dense.values()]
        count = sum(part.shape[1] for part in parts)
        if tabular is not None:
            parts.append(_one_hot(tabular) if self.kind == "linear" else tabular.codes)
        # One array that is filled in: parts that are put together need twice the memory.
        width = sum(part.shape[1] for part in parts)
        dense = np.empty((len(blocks), width), np.float32)
        first = 0
        for part in parts:
            columns = slice(first, first + part.shape[1])
            for start in range(0, len(dense), CHUNK):
                end = min(start + CHUNK, len(dense))
                read = part.read_rows(start, end) if isinstance(part, Dense) else part[start:end]
                dense[start:end, columns] = read
            first = columns.stop
        return dense, count

    def _design(self, blocks: Blocks, dense: Floats32, count: int) -> Design:
        if self.kind == "linear":
            dense[:, :count] -= self.center
            dense[:, :count] /= self.scale
        terms = blocks.terms or Terms(sp.csr_array(dense[:, :0]))
        return Design(dense, terms, content_of(blocks))


def _total(blocks: Blocks) -> Floats:
    total = None if blocks.tabular is None else blocks.tabular.number(TOTAL)
    return np.zeros(len(blocks)) if total is None else total.astype(np.float64)


def _one_hot(tabular: Tabular) -> Floats32:
    """Return a column for each level of each category, one group after another."""
    sizes = np.array([len(levels) for levels in tabular.levels.values()], dtype=np.intp)
    columns = np.zeros((len(tabular.codes), sizes.sum()), np.float32)
    positions = tabular.codes + (np.cumsum(sizes) - sizes)
    # The code -1 stands for a value that is none of the levels: its columns stay 0.
    rows, groups = np.nonzero(tabular.codes >= 0)
    columns[rows, positions[rows, groups]] = 1
    return columns
