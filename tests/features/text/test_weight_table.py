"""Products with a large table."""

from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from amlc.errors import DataError
from amlc.features.text.weight_table import TermTable

NUMBERS = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
TERMS = sp.csr_array(
    sp.random_array((600, 50), density=0.2, rng=np.random.default_rng(1), dtype=np.float32)
)


@pytest.fixture
def table() -> TermTable:
    """Return the numbers in eight bits."""
    return TermTable.rounded(NUMBERS)


def test_a_product_is_that_of_scipy(table: TermTable) -> None:
    """Touching few rows gives, bit for bit, what touching all of them does."""
    scaled = TERMS.copy()
    scaled.data = TERMS.data * table.scale[TERMS.indices]
    expected = scaled @ table.rows.astype(np.float32)
    np.testing.assert_array_equal(table.product(TERMS), expected)


def test_a_product_is_close_to_that_of_the_numbers(table: TermTable) -> None:
    """Eight bits are enough for sums of many."""
    np.testing.assert_allclose(table.product(TERMS), TERMS @ NUMBERS, atol=0.05)


@given(
    arrays(
        np.float32,
        array_shapes(min_dims=2, max_dims=2, max_side=6),
        elements=st.floats(-1000, 1000, width=32, allow_subnormal=False),
    )
)
def test_each_number_is_off_by_half_a_step_at_most(numbers: np.ndarray) -> None:
    """A row's step is a 127th of its largest number."""
    table = TermTable.rounded(numbers)
    step = np.abs(numbers).max(axis=1, keepdims=True) / 127
    off = np.abs(table.rows * table.scale[:, None].astype(np.float64) - numbers)
    assert (off <= 0.5001 * step).all()


def test_a_row_of_zeros_stays_one() -> None:
    """A term that training has not seen adds nothing."""
    table = TermTable.rounded(np.zeros((50, 4), np.float32))
    assert not table.product(TERMS).any()


def test_a_row_does_not_depend_on_the_others(table: TermTable) -> None:
    """One row by itself is, bit for bit, what it is among others."""
    np.testing.assert_array_equal(table.product(TERMS[5:6])[0], table.product(TERMS)[5])


def test_no_rows_and_no_terms(table: TermTable) -> None:
    """An empty text is no error."""
    assert table.product(TERMS[:0]).shape == (0, 4)
    assert not table.product(sp.csr_array((2, 50), dtype=np.float32)).any()


def test_a_table_without_terms() -> None:
    """A model that sees no terms adds nothing."""
    table = TermTable.rounded(np.zeros((0, 4), np.float32))
    assert not table.product(sp.csr_array((2, 0), dtype=np.float32)).any()


def test_a_saved_table_is_the_same(table: TermTable, tmp_path: Path) -> None:
    """Mapped from disk, bit for bit."""
    table.save(tmp_path)
    np.testing.assert_array_equal(TermTable.load(tmp_path).product(TERMS), table.product(TERMS))


@pytest.mark.parametrize(
    "array", [np.zeros(3, np.int8), np.zeros((3, 2), np.int8), np.zeros((50, 4))]
)
def test_other_arrays_are_refused(array: np.ndarray, table: TermTable, tmp_path: Path) -> None:
    """Rows of eight bits, as many as there are scales."""
    table.save(tmp_path)
    np.save(tmp_path / "rows.npy", array)
    with pytest.raises(DataError, match="expected rows"):
        TermTable.load(tmp_path)


@pytest.mark.parametrize("content", [b"no array", b""])
def test_a_broken_file_is_named(content: bytes, tmp_path: Path) -> None:
    """The message says which."""
    (tmp_path / "rows.npy").write_bytes(content)
    with pytest.raises(DataError, match=tmp_path.name):
        TermTable.load(tmp_path)
