"""What all feature blocks have in common: rows are taken, and the block is read and written."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

import numpy as np

from amlc.arrays import Bools, Rows
from amlc.errors import DataError, read_errors_as
from amlc.features.block_names import ENCODERS

T = TypeVar("T")


def in_chunks(values: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield the values in lists of a given length; the last one may be shorter."""
    remaining = iter(values)
    while chunk := list(islice(remaining, size)):
        yield chunk


@dataclass(frozen=True)
class Block(ABC):
    """Features of products, one row each, that read and write themselves.

    Attributes
    ----------
    suffix : str
        The suffix of its file; the stem is the name of the block and of its stage.
    by_row : tuple of str
        The attributes that have a row for each product.
    """

    suffix: ClassVar[str]
    by_row: ClassVar[tuple[str, ...]]

    @property
    def shape(self) -> tuple[int, int]:
        """The number of rows and of columns."""
        rows, columns = getattr(self, self.by_row[0]).shape
        return rows, columns

    def take(self, rows: Rows) -> Self:
        """Return the given rows, in the given order."""
        return replace(self, **{name: getattr(self, name)[rows] for name in self.by_row})

    @abstractmethod
    def write(self, path: Path) -> None:
        """Write the block to a file; equal blocks give equal bytes."""

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what `write` wrote.

        Raises
        ------
        DataError
            The file is missing or malformed; the message names the stage to run.
        """
        stage = "encode" if path.parent.name == ENCODERS else path.stem
        remedy = f"run the stage {stage}"
        with read_errors_as(DataError, f"{path}: cannot be read", remedy=remedy):
            return cls._read(path)

    @classmethod
    @abstractmethod
    def _read(cls, path: Path) -> Self: ...


@dataclass(frozen=True)
class StoredBlock(Block):
    """Features that stay on disk if they were read from a file.

    Parameters
    ----------
    table : object
        The features, with a shape (m, columns).
    rows : ndarray of int, shape (n,), optional
        The products' rows in the table; all of its rows by default.
    """

    by_row = ("rows",)

    table: Any
    rows: Rows | None = field(default=None, kw_only=True)

    @property
    def shape(self) -> tuple[int, int]:
        """The number of rows and of columns."""
        count, columns = self.table.shape
        return (count if self.rows is None else len(self.rows)), columns

    def take(self, rows: Rows | Bools) -> Self:
        """Return the rows at the given positions, or those of a mask; nothing is read."""
        own = self.rows
        if own is None and rows.dtype == bool:
            own = np.arange(self.shape[0])
        return replace(self, rows=np.asarray(rows, np.intp) if own is None else own[rows])


@dataclass(frozen=True)
class TableBlock(StoredBlock):
    """Features in one table, an ndarray or csr_array of shape (m, columns)."""

    def read_rows(self, start: int, end: int) -> Any:
        """Return the features of the products from one position up to another."""
        return self.table[start:end] if self.rows is None else self.table[self.rows[start:end]]

    def _whole(self) -> Any:
        return self.table if self.rows is None else self.table[self.rows]
