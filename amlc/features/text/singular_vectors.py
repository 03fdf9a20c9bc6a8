"""The leading singular vectors of a sparse matrix, by a randomised range finder."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import scipy.linalg as la
import scipy.sparse as sp

from amlc.arrays import Floats

# Random vectors beside those that are asked for.
OVERSAMPLES = 10
# Up to this many iterations lose few digits without a normalisation after each.
FEW_ITERATIONS = 2
# Columns that are multiplied at a time.
COLUMNS_AT_ONCE = 32


def right_singular_vectors(
    matrix: sp.csr_array, count: int, *, n_iter: int, seed: int, threads: int = 1
) -> Floats:
    """Return the leading right singular vectors as rows.

    Parameters
    ----------
    matrix : csr_array of float64, shape (n, m)
        The matrix.
    count : int
        How many vectors; fewer than n and m.
    n_iter : int
        Power iterations, which make the vectors more exact.
    seed : int
        Seed of the random vectors.
    threads : int
        Threads for the products, which do not depend on their number.

    Returns
    -------
    ndarray of float64, shape (count, m)
        The element of largest magnitude of each vector is positive.

    Notes
    -----
    Halko, Martinsson and Tropp, Finding structure with randomness, SIAM Review 53(2), 2011,
    algorithms 4.4 and 5.1. The numbers are, bit for bit, those of scikit-learn's TruncatedSVD,
    which takes a second to import, multiplies on one thread, and also projects the matrix.
    """
    # The range of the smaller side is searched.
    is_wide = matrix.shape[0] < matrix.shape[1]
    tall: Any = matrix.T if is_wide else matrix
    # Not the newer generator, for scikit-learn's numbers.
    random = np.random.RandomState(seed)
    with ThreadPoolExecutor(threads) as pool:
        basis: Any = random.normal(size=(tall.shape[1], count + OVERSAMPLES))
        for _ in range(n_iter):
            for side in (tall, tall.T):
                basis = _product(side, basis, pool)
                if n_iter > FEW_ITERATIONS:
                    basis = la.lu(basis, permute_l=True, check_finite=False)[0]
        basis = _product(tall, basis, pool)
        basis = la.qr(basis, mode="economic", check_finite=False)[0]
        left, _, right = la.svd(_product(tall.T, basis, pool).T, full_matrices=False)
    vectors = np.asarray((basis @ left).T if is_wide else right)[:count]
    largest = np.take_along_axis(vectors, np.abs(vectors).argmax(axis=1)[:, None], axis=1)
    return np.asarray(vectors * np.sign(largest))


def _product(matrix: Any, dense: Floats, pool: ThreadPoolExecutor) -> Floats:
    """Return the product of a sparse and a dense matrix, each column computed by itself."""
    product = np.empty((matrix.shape[0], dense.shape[1]))

    def multiply(start: int) -> None:
        columns = slice(start, start + COLUMNS_AT_ONCE)
        product[:, columns] = matrix @ dense[:, columns]

    list(pool.map(multiply, range(0, dense.shape[1], COLUMNS_AT_ONCE)))
    return product
