"""Files of sparse matrices."""

from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

from amlc.features.csr_file import map_csr, rows_of, write_csr, write_csr_parts


def matrix(rows: int) -> sp.csr_array:
    """Return a random matrix, some of whose rows are empty."""
    rng = np.random.default_rng(rows)
    return sp.csr_array(sp.random_array((rows, 9), density=0.1, rng=rng, dtype=np.float32))


@pytest.mark.parametrize("sizes", [(4,), (5, 1, 7), (0,), (0, 3)])
def test_parts_give_the_bytes_of_the_whole(tmp_path: Path, sizes: tuple[int, ...]) -> None:
    """However the rows come, even without any entry."""
    parts = [matrix(size) for size in sizes]
    whole = sp.csr_array(sp.vstack(parts, format="csr"))
    write_csr(tmp_path / "whole.npz", whole)
    shape, entries = write_csr_parts(tmp_path / "parts.npz", iter(parts))
    assert (tmp_path / "parts.npz").read_bytes() == (tmp_path / "whole.npz").read_bytes()
    assert (shape, entries) == (whole.shape, whole.nnz)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["parts.npz", "whole.npz"]


def test_a_mapped_matrix_is_the_one_that_was_written(tmp_path: Path) -> None:
    """Nothing but the rows that are used is read."""
    write_csr(tmp_path / "a.npz", matrix(12))
    mapped = map_csr(tmp_path / "a.npz")
    np.testing.assert_array_equal(mapped.toarray(), matrix(12).toarray())
    assert not mapped.data.flags.owndata


@pytest.mark.parametrize("rows", [[], [0], [0, 1, 2], [1, 2], [2, 0], list(range(12))])
def test_rows_are_those_at_the_positions(rows: list[int]) -> None:
    """Whether they are the first ones or not."""
    taken = rows_of(matrix(12), np.array(rows, dtype=np.intp))
    assert taken.has_canonical_format
    np.testing.assert_array_equal(taken.toarray(), matrix(12).toarray()[rows])


def test_the_first_rows_are_not_copied() -> None:
    """They stay on disk if the matrix is mapped."""
    whole = matrix(12)
    first = rows_of(whole, np.arange(5))
    assert np.shares_memory(first.data, whole.data)
    assert np.shares_memory(first.indices, whole.indices)
