"""Sparse terms times a large table of which a text needs few rows."""

from itertools import pairwise
from pathlib import Path
from typing import Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from amlc.arrays import Floats32
from amlc.errors import DataError
from amlc.files import write_array

# The largest number of a row becomes this, which eight bits hold with either sign.
LARGEST = 127


class TermTable:
    """A row of numbers for each term, in eight bits, by which the terms of texts are multiplied.

    Parameters
    ----------
    rows : ndarray of int8, shape (terms, columns)
        Numbers of -127 to 127.
    scale : ndarray of float32, shape (terms,)
        What 1 stands for in each row.

    Raises
    ------
    DataError
        The arrays are others.
    """

    def __init__(self, rows: NDArray[np.int8], scale: Floats32) -> None:
        if rows.ndim != 2 or scale.shape != rows.shape[:1] or rows.dtype != np.int8:
            raise DataError(
                f"expected rows of int8 and a scale for each, got {rows.dtype} of shape "
                f"{rows.shape} and {scale.shape}"
            )
        self.rows = rows
        self.scale = scale

    @classmethod
    def rounded(cls, table: Floats32) -> Self:
        """Return a table in eight bits: a quarter of the bytes, off by 0.4 % of a row's largest.

        Parameters
        ----------
        table : ndarray of float32, shape (terms, columns)
            Any numbers.
        """
        largest = np.abs(table).max(axis=1, initial=0)
        scale = (np.where(largest > 0, largest, 1) / LARGEST).astype(np.float32)
        return cls(np.rint(table / scale[:, None]).astype(np.int8, order="C"), scale)

    def product(self, terms: sp.csr_array) -> Floats32:
        """Return a sparse matrix times the table.

        Parameters
        ----------
        terms : csr_array of float32, shape (n, terms)
            Each row is multiplied on its own, by no library whose threads or processor could
            change a bit.

        Returns
        -------
        ndarray of float32, shape (n, columns)
        """
        found = np.empty((terms.shape[0], self.rows.shape[1]), np.float32)
        weights = terms.data * self.scale[terms.indices]
        for row, (start, end) in enumerate(pairwise(terms.indptr.tolist())):
            rows = self.rows.take(terms.indices[start:end], axis=0).astype(np.float32)
            np.einsum("i,ij->j", weights[start:end], rows, out=found[row])
        return found

    def save(self, folder: Path) -> None:
        """Write the arrays into a folder."""
        write_array(folder / "rows.npy", self.rows)
        write_array(folder / "scale.npy", self.scale)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Map what `save` wrote into memory: a row costs memory once a text needs it.

        Raises
        ------
        DataError
            A file is missing or broken.
        """
        try:
            rows = np.load(folder / "rows.npy", mmap_mode="r", allow_pickle=False)
            scale = np.load(folder / "scale.npy", allow_pickle=False)
            # Without the class of a mapped array, which every operation would pass on.
            return cls(np.asarray(rows), scale)
        except (OSError, ValueError, EOFError, DataError) as error:
            raise DataError(f"{folder}: cannot be read: {error}") from None
