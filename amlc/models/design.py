"""Turn feature blocks into the matrices that models compute with, fitted inside the folds."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import scipy.sparse as sp

from amlc.arrays import Floats, Floats32, Ints32, Objects, Rows
from amlc.features.blocks import CATEGORICAL, HIGH_CARDINALITY, NUMERIC, Blocks, Tabular
from amlc.features.vision.descriptor_names import DESCRIPTORS
from amlc.files import write_array, write_json
from amlc.models.neighbour_prices import COLUMNS_BY_COUNT, NEAREST_COLUMNS, NeighbourPrices
from amlc.models.target_encoding import TargetEncoding, inner_splits

Kind = Literal["linear", "tree"]

# Similar products are compared by this column, the log of the total amount.
TOTAL = NUMERIC + "log_total"
# Smaller deviations are raised to this: scaling must not inflate a column that hardly varies.
SMALLEST_DEVIATION = 1e-3


@dataclass(frozen=True)
class Design:
    """The matrices that a model computes with.

    Parameters
    ----------
    dense : ndarray of float32, shape (n, columns)
        The columns of all blocks but the terms.
    terms : csr_array of float32, shape (n, terms), optional
        The terms, unchanged.
    """

    dense: Floats32
    terms: sp.csr_array | None

    def take(self, rows: Rows) -> Self:
        """Return the design of some rows."""
        terms = None if self.terms is None else self.terms[rows]
        return type(self)(self.dense[rows], terms)

    def joined(self) -> Any:
        """Return terms and dense columns as one matrix, sparse where there are terms."""
        if self.terms is None:
            return self.dense
        return sp.csr_array(sp.hstack([self.terms, sp.csr_array(self.dense)], format="csr"))


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
    """

    def __init__(self, kind: Kind, smoothing: float | None, neighbours: list[int]) -> None:
        self.kind = kind
        self.encoding = None if smoothing is None else TargetEncoding(smoothing)
        self.neighbours = NeighbourPrices(neighbours)
        self.center = np.zeros(0, np.float32)
        self.scale = np.ones(0, np.float32)
        # Names of the dense columns, set by `fit_transform`.
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
        numbers = _numbers(blocks, self._fit_price_columns(blocks, log_price, groups, seed))
        self.columns = self.names(blocks)
        if self.kind == "linear":
            self.center = numbers.mean(axis=0, dtype=np.float64).astype(np.float32)
            deviation = numbers.std(axis=0, dtype=np.float64)
            self.scale = np.maximum(deviation, SMALLEST_DEVIATION).astype(np.float32)
        return self._design(blocks, numbers)

    def transform(self, blocks: Blocks) -> Design:
        """Return the design of any rows."""
        keys = _keys(blocks)
        parts: list[Floats] = []
        if self.encoding is not None and keys is not None:
            parts.append(self.encoding.transform(keys))
        if blocks.neighbours is not None:
            parts.append(self.neighbours.transform(blocks.neighbours, _total(blocks)))
        return self._design(blocks, _numbers(blocks, parts))

    def names(self, blocks: Blocks) -> list[str]:
        """Return the names of the dense columns of these blocks' design, in its order."""
        tabular = blocks.tabular
        names = [] if tabular is None else list(_labels(tabular.number_names, NUMERIC))
        if self.encoding is not None and tabular is not None:
            keys = tabular.key_names
            names += [f"target encoding: {name.removeprefix(HIGH_CARDINALITY)}" for name in keys]
        if blocks.neighbours is not None:
            names += [f"neighbours: {name}" for name in _neighbour_names(self.neighbours.counts)]
        for block in ("topics", "vision"):
            array = getattr(blocks, block)
            count = 0 if array is None else array.shape[1]
            # A vision block of another width has columns that are not these descriptors.
            described = block == "vision" and count == len(DESCRIPTORS)
            names += [f"{block}: {name}" for name in (DESCRIPTORS if described else range(count))]
        categories = {} if tabular is None else tabular.levels
        for label, levels in zip(
            _labels(categories, CATEGORICAL), categories.values(), strict=True
        ):
            names += [f"{label} {level}" for level in levels] if self.kind == "linear" else [label]
        return names

    def save(self, folder: Path) -> None:
        """Write the fitted encoder into a folder."""
        encoding = self.encoding
        content = {
            "kind": self.kind,
            "smoothing": None if encoding is None else encoding.smoothing,
            "mean": 0.0 if encoding is None else encoding.mean,
            "means": [] if encoding is None else encoding.means,
            "neighbours": self.neighbours.counts,
        }
        write_json(folder / "encoder.json", content)
        write_array(folder / "scaling.npy", np.stack([self.center, self.scale]))
        self.neighbours.save(folder / "neighbours.npz")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read an encoder that `save` wrote."""
        content = json.loads((folder / "encoder.json").read_text(encoding="utf-8"))
        encoder = cls(content["kind"], content["smoothing"], content["neighbours"])
        if encoder.encoding is not None:
            encoder.encoding.mean = content["mean"]
            encoder.encoding.means = content["means"]
        encoder.neighbours = NeighbourPrices.load(folder / "neighbours.npz")
        encoder.center, encoder.scale = np.load(folder / "scaling.npy", allow_pickle=False)
        return encoder

    def _fit_price_columns(
        self, blocks: Blocks, log_price: Floats, groups: Ints32, seed: int
    ) -> list[Floats]:
        """Fit the columns that depend on prices; return them, computed from other rows' prices."""
        keys = _keys(blocks)
        parts: list[Floats] = []
        if (self.encoding is None or keys is None) and blocks.neighbours is None:
            return parts
        splits = inner_splits(groups, seed)
        if self.encoding is not None and keys is not None:
            parts.append(self.encoding.fit_transform(keys, log_price, splits))
        if blocks.neighbours is not None:
            total = _total(blocks)
            parts.append(self.neighbours.fit_transform(blocks.neighbours, total, log_price, splits))
        return parts

    def _design(self, blocks: Blocks, numbers: Floats32) -> Design:
        if self.kind == "linear":
            numbers = (numbers - self.center) / self.scale
        categories = _categories(blocks, one_hot=self.kind == "linear")
        dense = np.concatenate([numbers, categories], axis=1)
        return Design(np.ascontiguousarray(dense, dtype=np.float32), blocks.terms)


def _labels(names: Iterable[str], prefix: str) -> Iterator[str]:
    return (f"tabular: {name.removeprefix(prefix)}" for name in names)


def _neighbour_names(counts: list[int]) -> list[str]:
    by_count = [f"{name}, of {count}" for count in counts for name in COLUMNS_BY_COUNT]
    return [*NEAREST_COLUMNS, *by_count]


def _keys(blocks: Blocks) -> Objects | None:
    tabular = blocks.tabular
    return tabular.keys if tabular is not None and tabular.key_names else None


def _total(blocks: Blocks) -> Floats:
    total = None if blocks.tabular is None else blocks.tabular.number(TOTAL)
    return np.zeros(len(blocks)) if total is None else total.astype(np.float64)


def _numbers(blocks: Blocks, prices: list[Floats]) -> Floats32:
    parts: list[Any] = []
    if blocks.tabular is not None:
        parts.append(blocks.tabular.numbers)
    parts += [part for part in (*prices, blocks.topics, blocks.vision) if part is not None]
    empty = np.empty((len(blocks), 0), np.float32)
    return np.concatenate([empty, *parts], axis=1, dtype=np.float32)


def _categories(blocks: Blocks, *, one_hot: bool) -> Floats32:
    tabular = blocks.tabular
    if tabular is None:
        return np.empty((len(blocks), 0), np.float32)
    return _one_hot(tabular) if one_hot else tabular.codes.astype(np.float32)


def _one_hot(tabular: Tabular) -> Floats32:
    """Return a column for each level of each category, one group after another."""
    sizes = np.array([len(levels) for levels in tabular.levels.values()], dtype=np.intp)
    columns = np.zeros((len(tabular.codes), sizes.sum()), np.float32)
    positions = tabular.codes + (np.cumsum(sizes) - sizes)
    # The code -1 stands for a value that is none of the levels: its columns stay 0.
    rows, groups = np.nonzero(tabular.codes >= 0)
    columns[rows, positions[rows, groups]] = 1
    return columns
