"""Sparse matrices in files: written by parts, mapped into memory, and their first rows."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from amlc.arrays import Rows
from amlc.features.spool import Spool
from amlc.files import map_arrays, write_arrays


def write_csr(path: Path, matrix: sp.csr_array) -> None:
    """Write a matrix as an uncompressed .npz, as `scipy.sparse.save_npz` does.

    Equal matrices give equal bytes.
    """
    write_arrays(
        path,
        format=np.array(b"csr"),
        shape=np.array(matrix.shape),
        data=matrix.data,
        indices=matrix.indices,
        indptr=matrix.indptr,
    )


def write_csr_parts(path: Path, parts: Iterable[sp.csr_array]) -> tuple[tuple[int, int], int]:
    """Write a matrix whose rows come in parts, as `write_csr` does, with one part in memory.

    Parameters
    ----------
    path : Path
        The file.
    parts : iterable of csr_array of float32, shape (some rows, columns)
        At least one.

    Returns
    -------
    shape : (int, int)
        Rows and columns of the matrix.
    entries : int
        How many of its entries are not 0.

    Raises
    ------
    DataError
        The file cannot be written, for example because the disk is full.
    """
    with Spool(path, np.float32) as data, Spool(path, np.int32) as indices:
        sizes, columns = [np.zeros(1, np.int64)], 0
        for part in parts:
            data.append(part.data)
            indices.append(part.indices)
            sizes.append(np.diff(part.indptr))
            columns = part.shape[1]
        indptr = np.cumsum(np.concatenate(sizes))
        shape, entries = (len(indptr) - 1, columns), int(indptr[-1])
        # SciPy then makes the indices as large when it reads them.
        large = entries > np.iinfo(np.int32).max
        write_arrays(
            path,
            format=np.array(b"csr"),
            shape=np.array(shape),
            data=data,
            indices=indices,
            indptr=indptr.astype(np.int64 if large else np.int32),
        )
    return shape, entries


def map_csr(path: Path) -> sp.csr_array:
    """Map a matrix that `write_csr` wrote into memory: rows are read from disk when they are used.

    Raises
    ------
    ValueError, LookupError, BadZipFile, OSError
        The file is missing or malformed.
    """
    arrays = map_arrays(path)
    parts = tuple(arrays[name] for name in ("data", "indices", "indptr"))
    rows, columns = arrays["shape"].tolist()
    return sp.csr_array(parts, shape=(rows, columns))


def rows_of(matrix: sp.csr_array, rows: Rows) -> sp.csr_array:
    """Return some rows of a matrix; a mapped one is not read for the first rows in their order.

    Parameters
    ----------
    matrix : csr_array, shape (n, columns)
    rows : ndarray of int
        Positions of the rows.
    """
    count = len(rows)
    if (rows != np.arange(count)).any():
        return sp.csr_array(matrix[rows])
    indptr = matrix.indptr[: count + 1]
    parts = (matrix.data[: indptr[-1]], matrix.indices[: indptr[-1]], indptr)
    return sp.csr_array(parts, shape=(count, matrix.shape[1]))
