"""Large arrays on disk of which a product needs few rows."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from amlc.errors import DataError

Floats32 = NDArray[np.float32]

# A touched row brings its neighbourhood into memory; Linux maps so much around a fault.
BYTES_AROUND = 65_536
# An array is mapped anew when more of it than this may be resident.
RESIDENT_BYTES = 64 * 1024**2
# Rows of a product worked on at once.
ROWS_AT_ONCE = 256


class MappedRows:
    """The rows of a .npy file, read as they are needed; safe to use from several threads.

    Parameters
    ----------
    path : Path
        Holds an array of two dimensions, in C order.

    Raises
    ------
    DataError
        The file is missing or holds no such array.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._array = self._mapped()
        self._touched = 0
        if self._array.ndim != 2 or not self._array.flags.c_contiguous:
            raise DataError(f"{path}: expected rows, got an array of shape {self._array.shape}")

    @property
    def shape(self) -> tuple[int, int]:
        """Return the number of rows and of columns."""
        return self._array.shape[0], self._array.shape[1]

    def __getitem__(self, rows: NDArray[np.intp]) -> NDArray[Any]:
        """Return a copy of some rows."""
        found: NDArray[Any] = self._array[rows]
        self._count(len(rows))
        return found

    def _count(self, rows: int) -> None:
        """Map the array anew where too much of it may be resident.

        What is resident counts as the process's memory although it could be dropped any time.
        """
        with self._lock:
            self._touched += rows * BYTES_AROUND
            if self._touched > RESIDENT_BYTES and self._array.nbytes > RESIDENT_BYTES:
                self._array = self._mapped()
                self._touched = 0

    def _mapped(self) -> NDArray[Any]:
        try:
            array: NDArray[Any] = np.load(self.path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise DataError(f"{self.path}: cannot be read: {error}") from None
        return array


def product(terms: sp.csr_array, table: Floats32 | MappedRows) -> Floats32:
    """Return a sparse matrix times a table; only the rows of terms that occur are touched.

    Parameters
    ----------
    terms : csr_array of float32, shape (n, terms)
        Each row is multiplied on its own: no result depends on the other rows.
    table : ndarray or MappedRows, shape (terms, columns)
        In single or half precision.

    Returns
    -------
    ndarray of float32, shape (n, columns)
    """
    parts = [np.empty((0, table.shape[1]), np.float32)]
    for start in range(0, terms.shape[0], ROWS_AT_ONCE):
        some = terms[start : start + ROWS_AT_ONCE]
        occurs = np.zeros(terms.shape[1], np.bool_)
        occurs[some.indices] = True
        present = np.flatnonzero(occurs)
        position = np.empty(terms.shape[1], np.int32)
        position[present] = np.arange(len(present), dtype=np.int32)
        narrow = sp.csr_array(
            (some.data, position[some.indices], some.indptr), shape=(some.shape[0], len(present))
        )
        parts.append(narrow @ np.asarray(table[present], dtype=np.float32))
    return np.concatenate(parts)
