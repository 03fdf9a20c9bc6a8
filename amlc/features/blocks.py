"""The feature blocks and their files: one row per product, in the order of the product table."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import scipy.sparse as sp
from numpy.lib.recfunctions import structured_to_unstructured, unstructured_to_structured
from numpy.typing import NDArray

from amlc.arrays import Floats32, Ints64, Objects, Rows
from amlc.errors import DataError
from amlc.features.block import Block, TableBlock
from amlc.features.block_names import (
    CATEGORICAL,
    DENSE_SUFFIX,
    ENCODERS,
    HIGH_CARDINALITY,
    NUMERIC,
    expand,
)
from amlc.features.csr_file import map_csr, write_csr
from amlc.features.neighbour_block import NeighbourBlock
from amlc.files import write_array, write_tables

# Least number of rows that are written together as a row group, while there are as many.
GROUP_ROWS = 2**14
# Bounds the list of names at the start of a .npy file, whose parsing takes time.
MAX_HEADER_SIZE = 1_000_000


@dataclass(frozen=True)
class Tabular(Block):
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

    suffix = ".parquet"
    by_row = ("numbers", "codes", "keys")

    numbers: Floats32
    codes: NDArray[np.int16]
    keys: Objects
    number_names: tuple[str, ...]
    key_names: tuple[str, ...]
    levels: dict[str, tuple[str, ...]]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all columns, with their prefixes, in the order of `to_frame`."""
        return (*self.number_names, *self.levels, *self.key_names)

    @property
    def shape(self) -> tuple[int, int]:
        """The number of rows and of columns."""
        return len(self.numbers), len(self.names)

    def number(self, name: str) -> Floats32 | None:
        """Return a numeric column, or None if there is none of this name."""
        if name not in self.number_names:
            return None
        return self.numbers[:, self.number_names.index(name)]

    def labels(self, name: str) -> Objects:
        """Return the values of a categorical column as texts."""
        index = list(self.levels).index(name)
        return np.array(self.levels[name], dtype=object)[self.codes[:, index]]

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
            _shared_texts(frame[keys]),
            tuple(numbers),
            tuple(keys),
            {name: tuple(map(str, frame[name].cat.categories)) for name in categories},
        )

    def write(self, path: Path) -> None:
        """Write the block as Parquet."""
        self.write_parts(path, [self])

    @classmethod
    def write_parts(
        cls, path: Path, parts: Iterable[Self], group_rows: int = GROUP_ROWS
    ) -> tuple[int, int]:
        """Write a block whose rows come in parts, with one row group in memory.

        Parameters
        ----------
        path : Path
            The file.
        parts : iterable of Tabular
            At least one, with the same columns.
        group_rows : int
            Least number of rows of a row group, which has whole parts; the last one may have fewer.

        Returns
        -------
        (int, int)
            The number of rows and of columns.
        """
        count = width = 0

        def tables() -> Iterator[pa.Table]:
            nonlocal count, width
            for block in cls._grouped(parts, group_rows):
                count, width = count + block.shape[0], block.shape[1]
                yield pa.Table.from_pandas(block.to_frame(), preserve_index=False)

        write_tables(path, tables())
        return count, width

    @classmethod
    def _grouped(cls, parts: Iterable[Self], rows: int) -> Iterator[Self]:
        waiting: list[Self] = []
        for part in parts:
            waiting.append(part)
            if sum(len(each.numbers) for each in waiting) >= rows:
                yield cls.joined(waiting)
                waiting = []
        if waiting:
            yield cls.joined(waiting)

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Return the rows of one or more blocks with the same columns as one block."""
        if len(parts) == 1:
            return parts[0]
        rows: dict[str, Any] = {
            name: np.concatenate([getattr(part, name) for part in parts]) for name in cls.by_row
        }
        return replace(parts[0], **rows)

    @classmethod
    def _read(cls, path: Path) -> Self:
        return cls.from_frame(pq.read_table(path).to_pandas())


def _shared_texts(frame: pd.DataFrame) -> Objects:
    """Return columns of texts; equal texts of a column are one object, as most are not rare."""
    texts = np.empty(frame.shape, dtype=object)
    for index, name in enumerate(frame.columns):
        codes, distinct = pd.factorize(frame[name], use_na_sentinel=False)
        texts[:, index] = np.asarray(distinct, dtype=object)[codes]
    return texts


@dataclass(frozen=True)
class Terms(TableBlock):
    """TF-IDF of the text. The fitted `TermFeatures` know the names of the many columns.

    Parameters
    ----------
    table : csr_array of float32, shape (m, terms)
        Column indices are sorted within each row.
    rows
        As in `StoredBlock`.
    """

    suffix = ".npz"

    table: sp.csr_array

    @property
    def weights(self) -> sp.csr_array:
        """TF-IDF of all products, shape (n, terms)."""
        whole: sp.csr_array = self._whole()
        return whole

    @property
    def sizes(self) -> Ints64:
        """The number of terms of each product, shape (n,)."""
        sizes = np.diff(self.table.indptr)
        return np.asarray(sizes if self.rows is None else sizes[self.rows], dtype=np.int64)

    def write(self, path: Path) -> None:
        """Write the block as an uncompressed .npz, as `scipy.sparse.save_npz` does."""
        write_csr(path, self.weights)

    @classmethod
    def _read(cls, path: Path) -> Self:
        return cls(map_csr(path))


@dataclass(frozen=True)
class Dense(TableBlock):
    """Named columns of numbers: topics, descriptors of pictures, vectors of an encoder.

    Parameters
    ----------
    table : ndarray of float32, shape (m, columns)
        Finite.
    names : tuple of str
        The names of the columns, all different.
    rows
        As in `StoredBlock`.
    """

    suffix = DENSE_SUFFIX

    table: Floats32
    names: tuple[str, ...]

    @property
    def array(self) -> Floats32:
        """The columns of all products, shape (n, columns)."""
        whole: Floats32 = self._whole()
        return whole

    @classmethod
    def numbered(cls, table: Floats32) -> Self:
        """Return a block whose columns have their numbers as names."""
        return cls(table, tuple(map(str, range(table.shape[1]))))

    def write(self, path: Path) -> None:
        """Write the block as a structured .npy, from which pandas makes a table with the names."""
        write_array(path, unstructured_to_structured(self.array, names=self.names))

    @classmethod
    def _read(cls, path: Path) -> Self:
        table = np.load(path, "r", allow_pickle=False, max_header_size=MAX_HEADER_SIZE)
        return cls(np.asarray(structured_to_unstructured(table, np.float32)), table.dtype.names)


# The types of the blocks by name; every other block is dense.
TYPES: dict[str, type[Block]] = {
    "tabular": Tabular,
    "terms": Terms,
    "neighbours": NeighbourBlock,
}


def block_path(folder: Path, name: str) -> Path:
    """Return the file of a block in the folder ``data/features``."""
    path = folder.joinpath(*name.split("."))
    return path.with_name(f"{path.name}{TYPES.get(name, Dense).suffix}")


class Blocks:
    """Feature blocks of the same products by name; as for a data frame, the length is in rows.

    Parameters
    ----------
    **blocks : Block
        The blocks that are there, each of the type that `TYPES` gives for its name, or `Dense`.
    """

    def __init__(self, **blocks: Block) -> None:
        self._blocks = blocks

    def __len__(self) -> int:
        return next((block.shape[0] for block in self._blocks.values()), 0)

    def __contains__(self, name: str) -> bool:
        return bool(self._named(name))

    @property
    def tabular(self) -> Tabular | None:
        """Numbers, categories and keys parsed from the text."""
        block = self._blocks.get("tabular")
        return block if isinstance(block, Tabular) else None

    @property
    def terms(self) -> Terms | None:
        """TF-IDF of the text."""
        block = self._blocks.get("terms")
        return block if isinstance(block, Terms) else None

    @property
    def neighbours(self) -> NeighbourBlock | None:
        """The train products with the most similar text."""
        block = self._blocks.get("neighbours")
        return block if isinstance(block, NeighbourBlock) else None

    def get(self, name: str) -> Block | None:
        """Return a block, or None if there is none of this name."""
        return self._blocks.get(name)

    @property
    def dense(self) -> dict[str, Dense]:
        """All dense blocks by name, such as the topics and the descriptors of the picture."""
        return {name: block for name, block in self._blocks.items() if isinstance(block, Dense)}

    def take(self, rows: Rows) -> Self:
        """Return the given rows of every block, in the given order."""
        return type(self)(**{name: block.take(rows) for name, block in self._blocks.items()})

    def select(self, names: Iterable[str]) -> Self:
        """Return the named blocks, in this order; "encoders" are those of all encoders."""
        return type(self)(
            **{each: self._blocks[each] for name in names for each in self._named(name)}
        )

    def _named(self, name: str) -> list[str]:
        """Return the blocks that a name in params.yaml stands for."""
        if name != ENCODERS:
            return [name] if name in self._blocks else []
        return sorted(block for block in self._blocks if block.startswith(f"{ENCODERS}."))

    def assign(self, **blocks: Block) -> Self:
        """Return these blocks with some replaced or added."""
        return type(self)(**{**self._blocks, **blocks})

    @classmethod
    def read(cls, folder: Path, names: Iterable[str]) -> Self:
        """Read the named blocks.

        Parameters
        ----------
        folder : Path
            ``data/features``.
        names : iterable of str
            The blocks to read.

        Raises
        ------
        DataError
            A file is missing or malformed, or two blocks differ in their number of rows.
        """
        blocks = {
            name: TYPES.get(name, Dense).read(block_path(folder, name))
            for name in expand(folder, names)
        }
        counts = {name: block.shape[0] for name, block in blocks.items()}
        if len(set(counts.values())) > 1:
            raise DataError(f"{folder}: blocks differ in their number of rows: {counts}")
        return cls(**blocks)
