"""Rows of an array that stays on disk."""

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from amlc.arrays import Rows


@dataclass(frozen=True)
class MappedRows:
    """Rows of an array on disk, which are read when they are used.

    Parameters
    ----------
    array : ndarray, shape (n, columns)
        Mapped into memory.
    rows : ndarray of int, shape (m,), optional
        Positions of the rows; all by default.
    """

    array: NDArray[Any]
    rows: Rows | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """The number of rows and of columns."""
        rows, columns = self.array.shape
        return (rows if self.rows is None else len(self.rows)), columns

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Rows) -> Self:
        """Return some of the rows; nothing is read."""
        return replace(self, rows=rows if self.rows is None else self.rows[rows])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:  # noqa: FBT001 - NumPy calls it so
        """Read the rows."""
        read = self.array if self.rows is None else self.array[self.rows]
        return np.array(read, dtype=dtype) if copy else np.asarray(read, dtype=dtype)
