"""Feature blocks: what a model sees, one row per product in the product table's order."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import scipy.sparse as sp
from numpy.typing import NDArray

from amlc.arrays import Floats32, Ints32, Objects, Rows
from amlc.errors import DataError
from amlc.files import replacing

# A column's name starts with how it has to be encoded.
NUMERIC = "num_"  # float32, scaled to [0, 1] over the train rows
CATEGORICAL = "cat_"  # few, fixed categories
HIGH_CARDINALITY = "key_"  # text, for target encoding inside the folds; "" where there is none


@dataclass(frozen=True)
class Tabular:
    """The tabular block of some products.

    Parameters
    ----------
    numbers : ndarray of float32, shape (n, numeric columns)
        See `NUMERIC`.
    codes : ndarray of int16, shape (n, categorical columns)
        Each row's place among the column's levels.
    keys : ndarray of object, shape (n, high-cardinality columns)
        Texts.
    number_names, key_names : tuple of str
        The columns' names, prefixed.
    levels : dict of str to tuple of str
        Categories by the name of the categorical column.
    """

    numbers: NDArray[np.float32]
    codes: NDArray[np.int16]
    keys: Objects
    number_names: tuple[str, ...]
    key_names: tuple[str, ...]
    levels: dict[str, tuple[str, ...]]

    @property
    def shape(self) -> tuple[int, int]:
        """Return the number of rows and of columns."""
        columns = len(self.number_names) + len(self.levels) + len(self.key_names)
        return len(self.numbers), columns

    def take(self, rows: NDArray[np.intp]) -> Self:
        """Return some rows, in the order given."""
        return replace(
            self, numbers=self.numbers[rows], codes=self.codes[rows], keys=self.keys[rows]
        )

    def number(self, name: str) -> NDArray[np.float32] | None:
        """Return a numeric column, or None where there is none of this name."""
        if name not in self.number_names:
            return None
        return self.numbers[:, self.number_names.index(name)]

    def labels(self, name: str) -> NDArray[np.object_]:
        """Return the levels of a categorical column as texts."""
        place = list(self.levels).index(name)
        return np.array(self.levels[name], dtype=object)[self.codes[:, place]]

    def without(self, names: Sequence[str]) -> Self:
        """Return the block less some columns."""
        numbers = [place for place, name in enumerate(self.number_names) if name not in names]
        codes = [place for place, name in enumerate(self.levels) if name not in names]
        keys = [place for place, name in enumerate(self.key_names) if name not in names]
        return type(self)(
            self.numbers[:, numbers],
            self.codes[:, codes],
            self.keys[:, keys],
            tuple(self.number_names[place] for place in numbers),
            tuple(self.key_names[place] for place in keys),
            {name: some for name, some in self.levels.items() if name not in names},
        )

    def frame(self) -> pd.DataFrame:
        """Return the block as a table: float32, categorical and text columns, in this order."""
        columns: dict[str, Any] = {
            name: self.numbers[:, place] for place, name in enumerate(self.number_names)
        }
        for place, (name, levels) in enumerate(self.levels.items()):
            columns[name] = pd.Categorical.from_codes(self.codes[:, place], pd.Index(levels))
        for place, name in enumerate(self.key_names):
            columns[name] = pd.array(self.keys[:, place], dtype="str")
        return pd.DataFrame(columns)

    @classmethod
    def of(cls, frame: pd.DataFrame) -> Self:
        """Return what a table holds; columns of another prefix are left out."""
        numbers, categories, keys = (
            [name for name in frame.columns if name.startswith(prefix)]
            for prefix in (NUMERIC, CATEGORICAL, HIGH_CARDINALITY)
        )
        codes = np.zeros((len(frame), len(categories)), np.int16)
        for place, name in enumerate(categories):
            codes[:, place] = frame[name].cat.codes
        return cls(
            np.ascontiguousarray(frame[numbers].to_numpy(dtype=np.float32)),
            codes,
            np.ascontiguousarray(frame[keys].to_numpy(dtype=object)),
            tuple(numbers),
            tuple(keys),
            {name: tuple(map(str, frame[name].cat.categories)) for name in categories},
        )


def read_tabular(path: Path) -> Tabular:
    """Read the tabular block.

    Raises
    ------
    DataError
        The file is missing or is no such block.
    """
    try:
        return Tabular.of(pq.read_table(path).to_pandas())
    except (OSError, ValueError, AttributeError) as error:
        raise DataError(f"{path}: cannot be read: {error}; run the stage tabular") from None


NO_NEIGHBOUR = -1


@dataclass(frozen=True)
class Neighbours:
    """The nearest train products of some products.

    Parameters
    ----------
    rows : ndarray of int32, shape (n, count)
        Positions in the product table, the most similar first; `NO_NEIGHBOUR` where there is none.
    similarity : ndarray of float32, shape (n, count)
        Sum over the groups of terms of the cosine similarity; 0 where there is none.
    own : ndarray of int32, shape (n,)
        The products' own positions in the product table; `NO_NEIGHBOUR` for one that is not in it.
    """

    rows: Ints32
    similarity: Floats32
    own: Ints32

    @property
    def shape(self) -> tuple[int, int]:
        """Return the number of products and of neighbours."""
        return self.rows.shape[0], self.rows.shape[1]

    def take(self, rows: Rows) -> Self:
        """Return the neighbours of some products."""
        return type(self)(self.rows[rows], self.similarity[rows], self.own[rows])


def write_neighbours(path: Path, neighbours: Neighbours) -> None:
    """Write the block as an uncompressed .npz."""
    with replacing(path) as temporary, temporary.open("wb") as stream:
        np.savez(
            stream,
            rows=neighbours.rows,
            similarity=neighbours.similarity,
            own=neighbours.own,
        )


def read_neighbours(path: Path) -> Neighbours:
    """Read what `write_neighbours` wrote.

    Raises
    ------
    DataError
        The file is missing or is no such block.
    """
    try:
        with np.load(path, allow_pickle=False) as content:
            return Neighbours(content["rows"], content["similarity"], content["own"])
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{path}: cannot be read: {error}; run the stage neighbours") from None


BlockName = Literal["tabular", "terms", "topics", "vision", "neighbours"]


@dataclass(frozen=True)
class Blocks:
    """The feature blocks of some products; a block that was not asked for is None.

    Parameters
    ----------
    tabular : Tabular, optional
        Numbers, categories and keys.
    terms : csr_array of float32, shape (n, terms), optional
        TF-IDF.
    topics : ndarray of float32, shape (n, components), optional
        Truncated SVD of the terms.
    vision : ndarray of float32, shape (n, descriptors), optional
        Image descriptors.
    neighbours : Neighbours, optional
        The train products with the most similar text.
    """

    tabular: Tabular | None = None
    terms: sp.csr_array | None = None
    topics: Floats32 | None = None
    vision: Floats32 | None = None
    neighbours: Neighbours | None = None

    def __len__(self) -> int:
        """Return the number of rows."""
        for field in fields(self):
            block = getattr(self, field.name)
            if block is not None:
                return int(block.shape[0])
        return 0

    def take(self, rows: NDArray[np.intp]) -> Self:
        """Return the same blocks for some rows, in the order given."""
        return type(self)(
            tabular=None if self.tabular is None else self.tabular.take(rows),
            terms=None if self.terms is None else self.terms[rows],
            topics=None if self.topics is None else self.topics[rows],
            vision=None if self.vision is None else self.vision[rows],
            neighbours=None if self.neighbours is None else self.neighbours.take(rows),
        )


def read_blocks(folder: Path, names: list[BlockName]) -> Blocks:
    """Read some blocks from ``data/features``.

    Parameters
    ----------
    folder : Path
        Holds ``tabular.parquet``, ``terms.npz``, ``topics.npy``, ``vision.npy``,
        ``neighbours.npz``.
    names : list of str
        Which blocks.

    Raises
    ------
    DataError
        A file is missing or unreadable, or two blocks differ in their number of rows.
    """
    blocks: dict[str, Any] = {name: _read(folder, name) for name in names}
    counts = {name: block.shape[0] for name, block in blocks.items()}
    if len(set(counts.values())) > 1:
        raise DataError(f"{folder}: blocks differ in their number of rows: {counts}")
    return Blocks(**blocks)


def read_terms(path: Path) -> sp.csr_array:
    """Read the terms block."""
    try:
        return sp.csr_array(sp.load_npz(path))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read: {error}; run the stage terms") from None


def _read_array(path: Path) -> Floats32:
    try:
        block: Floats32 = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        stage = path.stem
        raise DataError(f"{path}: cannot be read: {error}; run the stage {stage}") from None
    return block


_READERS: dict[BlockName, tuple[str, Callable[[Path], Any]]] = {
    "tabular": ("tabular.parquet", read_tabular),
    "terms": ("terms.npz", read_terms),
    "topics": ("topics.npy", _read_array),
    "vision": ("vision.npy", _read_array),
    "neighbours": ("neighbours.npz", read_neighbours),
}


def _read(folder: Path, name: BlockName) -> Any:
    file, reader = _READERS[name]
    return reader(folder / file)
