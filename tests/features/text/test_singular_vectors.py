"""The leading singular vectors of a sparse matrix."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.decomposition import TruncatedSVD

from amlc.features.text import singular_vectors as module
from amlc.features.text.singular_vectors import right_singular_vectors


def matrix(rows: int, columns: int) -> sp.csr_array:
    """Return a random sparse matrix."""
    rng = np.random.default_rng(rows)
    return sp.csr_array(sp.random_array((rows, columns), density=0.2, rng=rng))


@pytest.mark.parametrize("shape", [(30, 90), (90, 30), (60, 60), (12, 15)])
@pytest.mark.parametrize("n_iter", [1, 2, 4])
def test_the_vectors_are_those_of_scikit_learn(shape: tuple[int, int], n_iter: int) -> None:
    """Bit for bit, for wide and tall matrices, with and without normalisation."""
    found = right_singular_vectors(matrix(*shape), 5, n_iter=n_iter, seed=3)
    svd = TruncatedSVD(5, n_iter=n_iter, random_state=3).fit(matrix(*shape))
    assert found.tobytes() == np.ascontiguousarray(svd.components_).tobytes()


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_and_slices_do_not_change_the_vectors(
    threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each column of a product is computed by itself."""
    whole = right_singular_vectors(matrix(40, 70), 8, n_iter=3, seed=1)
    monkeypatch.setattr(module, "COLUMNS_AT_ONCE", 4)
    sliced = right_singular_vectors(matrix(40, 70), 8, n_iter=3, seed=1, threads=threads)
    assert sliced.tobytes() == whole.tobytes()
