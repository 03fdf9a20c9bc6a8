"""The types of the feature blocks, and their files.

A block has one row per product, in the order of the product table.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import scipy.sparse as sp
from numpy.typing import NDArray

from amlc import layout
from amlc.arrays import Floats32, Ints32, Objects, Rows
from amlc.errors import DataError, read_errors_as
from amlc.files import replacing, write_frame

BlockName = Literal["tabular", "terms", "topics", "vision", "neighbours"]

# The prefix of a tabular column determines how models encode it.
NUMERIC = "num_"  # float32, scaled to [0, 1] over the train rows
CATEGORICAL = "cat_"  # few, fixed categories
HIGH_CARDINALITY = "key_"  # text, for target encoding inside the folds; "" if it is missing

# In place of a neighbour that does not exist.
NO_NEIGHBOUR = -1


@dataclass(frozen=True)
class Tabular:
    """Numbers, categories and keys.

    Parameters
    ----------
    numbers : ndarray of float32, shape (n, numeric columns)
        Values from 0 to 1.
    codes : ndarray of int16, shape (n, categorical columns)
        The index of each value among the levels of its column.
    keys : ndarray of object, shape (n, high-cardinality columns)
        Texts; empty if missing.
    number_names, key_names : tuple of str
        Names of the columns, with their prefixes.
    levels : dict of str to tuple of str
        Each categorical column's name and its categories.
    """

    numbers: Floats32
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

    def take(self, rows: Rows) -> Self:
        """Return the given rows, in the given order."""
        return replace(
            self, numbers=self.numbers[rows], codes=self.codes[rows], keys=self.keys[rows]
        )

    def number(self, name: str) -> Floats32 | None:
        """Return a numeric column, or None if there is none of this name."""
        if name not in self.number_names:
            return None
        return self.numbers[:, self.number_names.index(name)]

    def labels(self, name: str) -> Objects:
        """Return the values of a categorical column as texts."""
        index = list(self.levels).index(name)
        return np.array(self.levels[name], dtype=object)[self.codes[:, index]]

    def without(self, names: Sequence[str]) -> Self:
        """Return the block without the named columns."""
        numbers = [index for index, name in enumerate(self.number_names) if name not in names]
        codes = [index for index, name in enumerate(self.levels) if name not in names]
        keys = [index for index, name in enumerate(self.key_names) if name not in names]
        return type(self)(
            self.numbers[:, numbers],
            self.codes[:, codes],
            self.keys[:, keys],
            tuple(self.number_names[index] for index in numbers),
            tuple(self.key_names[index] for index in keys),
            {name: levels for name, levels in self.levels.items() if name not in names},
        )

    def to_frame(self) -> pd.DataFrame:
        """Return the block as a table: float32, then categorical, then text columns."""
        columns: dict[str, Any] = {
            name: self.numbers[:, index] for index, name in enumerate(self.number_names)
        }
        for index, (name, levels) in enumerate(self.levels.items()):
            columns[name] = pd.Categorical.from_codes(self.codes[:, index], pd.Index(levels))
        for index, name in enumerate(self.key_names):
            columns[name] = pd.array(self.keys[:, index], dtype="str")
        return pd.DataFrame(columns)

    @classmethod
    def from_frame(cls, frame: pd.DataFrame) -> Self:
        """Return the block that a table holds; columns without a known prefix are left out."""
        numbers, categories, keys = (
            [name for name in frame.columns if name.startswith(prefix)]
            for prefix in (NUMERIC, CATEGORICAL, HIGH_CARDINALITY)
        )
        codes = np.zeros((len(frame), len(categories)), np.int16)
        for index, name in enumerate(categories):
            codes[:, index] = frame[name].cat.codes
        return cls(
            np.ascontiguousarray(frame[numbers].to_numpy(dtype=np.float32)),
            codes,
            np.ascontiguousarray(frame[keys].to_numpy(dtype=object)),
            tuple(numbers),
            tuple(keys),
            {name: tuple(map(str, frame[name].cat.categories)) for name in categories},
        )


@dataclass(frozen=True)
class Neighbours:
    """The train products with the most similar text.

    Parameters
    ----------
    rows : ndarray of int32, shape (n, n_neighbors)
        Positions of the neighbours, the most similar first, padded with `NO_NEIGHBOUR`.
    similarity : ndarray of float32, shape (n, n_neighbors)
        Sum over the TF-IDF vectorizers of the cosine similarity; 0 for `NO_NEIGHBOUR`.
    position : ndarray of int32, shape (n,)
        The product's position in the same table as those in `rows`; `NO_NEIGHBOUR` for a product
        that is not in it.
    """

    rows: Ints32
    similarity: Floats32
    position: Ints32

    @property
    def shape(self) -> tuple[int, int]:
        """Return the number of products and of neighbours."""
        return self.rows.shape[0], self.rows.shape[1]

    def take(self, rows: Rows) -> Self:
        """Return the neighbours of the given products."""
        return type(self)(self.rows[rows], self.similarity[rows], self.position[rows])


@dataclass(frozen=True)
class Blocks:
    """The feature blocks of the same products; None for a block that is not needed.

    Parameters
    ----------
    tabular : Tabular, optional
        Numbers, categories and keys parsed from the text.
    terms : csr_array of float32, shape (n, terms), optional
        TF-IDF of the text.
    topics : ndarray of float32, shape (n, n_components), optional
        Truncated SVD of the terms.
    vision : ndarray of float32, shape (n, descriptors), optional
        Descriptors of the picture.
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

    def take(self, rows: Rows) -> Self:
        """Return the given rows of every block, in the given order."""
        return type(self)(
            tabular=None if self.tabular is None else self.tabular.take(rows),
            terms=None if self.terms is None else self.terms[rows],
            topics=None if self.topics is None else self.topics[rows],
            vision=None if self.vision is None else self.vision[rows],
            neighbours=None if self.neighbours is None else self.neighbours.take(rows),
        )


def write_tabular(path: Path, block: Tabular) -> None:
    """Write the tabular block as Parquet."""
    write_frame(path, block.to_frame())


def write_terms(path: Path, block: sp.csr_array) -> None:
    """Write the terms block as an uncompressed .npz."""
    with replacing(path) as temporary, temporary.open("wb") as stream:
        sp.save_npz(stream, sp.csr_matrix(block), compressed=False)


def write_neighbours(path: Path, block: Neighbours) -> None:
    """Write the neighbours block as an uncompressed .npz."""
    with replacing(path) as temporary, temporary.open("wb") as stream:
        np.savez(stream, rows=block.rows, similarity=block.similarity, position=block.position)


def read_blocks(folder: Path, names: Sequence[BlockName]) -> Blocks:
    """Read the named blocks.

    Parameters
    ----------
    folder : Path
        ``data/features``.
    names : sequence of str
        The blocks to read.

    Raises
    ------
    DataError
        A file is missing or malformed, or two blocks differ in their number of rows.
    """
    blocks: dict[str, Any] = {}
    for name in names:
        file, read = _FILES[name]
        blocks[name] = read(folder / file)
    counts = {name: block.shape[0] for name, block in blocks.items()}
    if len(set(counts.values())) > 1:
        raise DataError(f"{folder}: blocks differ in their number of rows: {counts}")
    return Blocks(**blocks)


def read_tabular(path: Path) -> Tabular:
    """Read the tabular block.

    Raises
    ------
    DataError
        The file is missing or malformed.
    """
    with _reading(path, "tabular"):
        return Tabular.from_frame(pq.read_table(path).to_pandas())


def read_terms(path: Path) -> sp.csr_array:
    """Read the terms block.

    Raises
    ------
    DataError
        The file is missing or malformed.
    """
    with _reading(path, "terms"):
        return sp.csr_array(sp.load_npz(path))


def read_neighbours(path: Path) -> Neighbours:
    """Read the neighbours block.

    Raises
    ------
    DataError
        The file is missing or malformed.
    """
    with _reading(path, "neighbours"), np.load(path, allow_pickle=False) as content:
        return Neighbours(content["rows"], content["similarity"], content["position"])


def _read_array(path: Path) -> Floats32:
    # The stem of these files is the name of their stage.
    with _reading(path, path.stem):
        block: Floats32 = np.load(path, allow_pickle=False)
        return block


def _reading(path: Path, stage: str) -> AbstractContextManager[None]:
    """Turn the errors of a missing or malformed file into one that names the stage to run."""
    return read_errors_as(DataError, f"{path}: cannot be read", remedy=f"run the stage {stage}")


_FILES: dict[BlockName, tuple[str, Callable[[Path], Any]]] = {
    "tabular": (layout.TABULAR.name, read_tabular),
    "terms": (layout.TERMS.name, read_terms),
    "topics": (layout.TOPICS.name, _read_array),
    "vision": (layout.VISION.name, _read_array),
    "neighbours": (layout.NEIGHBOURS.name, read_neighbours),
}
