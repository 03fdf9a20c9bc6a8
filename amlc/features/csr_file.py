"""Sparse matrices in files: written by parts, and mapped into memory."""

from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import DTypeLike, NDArray

from amlc.files import map_arrays, write_arrays, write_errors


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
    path.parent.mkdir(parents=True, exist_ok=True)
    sizes, columns = [np.zeros(1, np.int64)], 0
    # Files without a name, so that a killed process leaves nothing behind.
    with TemporaryFile(dir=path.parent) as values, TemporaryFile(dir=path.parent) as places:
        with write_errors(path):
            for part in parts:
                values.write(np.asarray(part.data, np.float32).data)
                places.write(np.asarray(part.indices, np.int32).data)
                sizes.append(np.diff(part.indptr))
                columns = part.shape[1]
            values.flush()
            places.flush()
        indptr = np.cumsum(np.concatenate(sizes))
        shape, entries = (len(indptr) - 1, columns), int(indptr[-1])
        # Both kinds of positions have one type, as SciPy wants them.
        large = entries > np.iinfo(np.int32).max
        integer: DTypeLike = np.int64 if large else np.int32
        write_arrays(
            path,
            format=np.array(b"csr"),
            shape=np.array(shape),
            data=_mapped(values, np.float32, entries),
            indices=_mapped(places, np.int32, entries).astype(integer, copy=False),
            indptr=indptr.astype(integer),
        )
    return shape, entries


def _mapped(file: IO[bytes], dtype: DTypeLike, count: int) -> NDArray[Any]:
    return np.memmap(file, dtype, "r", shape=count) if count else np.empty(0, dtype)


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
