"""A matrix of 8-bit weights, one row per term, to multiply sparse terms with."""

from itertools import pairwise
from pathlib import Path
from typing import Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from amlc.arrays import Floats, Floats32
from amlc.errors import DataError, read_errors_as
from amlc.files import write_array

# The largest magnitude of a row is mapped to this, the largest that a signed 8-bit integer holds.
LARGEST = 127


class WeightTable:
    """Weights of terms, quantized to 8 bits with one scale per row.

    Parameters
    ----------
    rows : ndarray of int8, shape (terms, columns)
        Weights from -127 to 127, in units of the row's scale.
    scale : ndarray of float32, shape (terms,)
        The weight that 1 stands for in each row.

    Raises
    ------
    DataError
        An array has another type or shape.
    """

    def __init__(self, rows: NDArray[np.int8], scale: Floats32) -> None:
        if rows.ndim != 2 or scale.shape != rows.shape[:1] or rows.dtype != np.int8:
            raise DataError(
                f"expected rows of int8 and one scale per row, got {rows.dtype} of shape "
                f"{rows.shape} and {scale.shape}"
            )
        self.rows = rows
        self.scale = scale

    @classmethod
    def quantize(cls, weights: Floats | Floats32) -> Self:
        """Round weights to 8 bits; the error is at most 0.4 % of the largest weight of the row.

        Parameters
        ----------
        weights : ndarray of float, shape (terms, columns)
            Finite.
        """
        largest = np.abs(weights).max(axis=1, initial=0)
        scale = (np.where(largest > 0, largest, 1) / LARGEST).astype(np.float32)
        return cls(np.rint(weights / scale[:, None]).astype(np.int8, order="C"), scale)

    def product(self, terms: sp.csr_array) -> Floats32:
        """Return the matrix product of sparse terms and the table.

        Parameters
        ----------
        terms : csr_array of float32, shape (n, terms)
            For example TF-IDF.

        Returns
        -------
        ndarray of float32, shape (n, columns)
            The product.

        Notes
        -----
        Each row is computed separately and without BLAS, whose threads and choice of kernels can
        change the last bits.
        """
        products = np.empty((terms.shape[0], self.rows.shape[1]), np.float32)
        for row, (start, end) in enumerate(pairwise(terms.indptr.tolist())):
            columns = terms.indices[start:end]
            weights = terms.data[start:end] * self.scale.take(columns)
            rows = self.rows.take(columns, axis=0).astype(np.float32)
            np.einsum("i,ij->j", weights, rows, out=products[row])
        return products

    def save(self, folder: Path) -> None:
        """Write the arrays into a folder."""
        write_array(folder / "rows.npy", self.rows)
        write_array(folder / "scale.npy", self.scale)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Map what `save` wrote into memory; rows are read from disk when a text needs them.

        Raises
        ------
        DataError
            A file is missing or malformed.
        """
        with read_errors_as(DataError, f"{folder}: cannot be read", DataError):
            rows = np.load(folder / "rows.npy", mmap_mode="r", allow_pickle=False)
            scale = np.load(folder / "scale.npy", allow_pickle=False)
            # As a plain array, because results of operations would be np.memmap objects as well.
            return cls(np.asarray(rows), scale)
