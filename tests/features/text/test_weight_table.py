"""Products of sparse terms and a table of 8-bit weights."""

from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from amlc.errors import DataError
from amlc.features.text.weight_table import WeightTable

WEIGHTS = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
TERMS = sp.csr_array(
    sp.random_array((600, 50), density=0.2, rng=np.random.default_rng(1), dtype=np.float32)
)


@pytest.fixture
def table() -> WeightTable:
    """Return the weights in 8 bits."""
    return WeightTable.quantize(WEIGHTS)


def test_products_agree_with_scipy(table: WeightTable) -> None:
    """Reading only the needed rows gives the same bits as a full matrix product."""
    scaled = TERMS.copy()
    scaled.data = TERMS.data * table.scale[TERMS.indices]
    expected = scaled @ table.rows.astype(np.float32)
    np.testing.assert_array_equal(table.product(TERMS), expected)


def test_quantized_products_are_close_to_exact_ones(table: WeightTable) -> None:
    """The rounding errors of 8 bits nearly cancel out in sums of many weights."""
    np.testing.assert_allclose(table.product(TERMS), TERMS @ WEIGHTS, atol=0.05)


@given(
    arrays(
        np.float32,
        array_shapes(min_dims=2, max_dims=2, max_side=6),
        elements=st.floats(-1000, 1000, width=32, allow_subnormal=False),
    )
)
def test_each_weight_is_off_by_half_a_step_at_most(weights: np.ndarray) -> None:
    """The step of a row is its largest magnitude divided by 127."""
    table = WeightTable.quantize(weights)
    step = np.abs(weights).max(axis=1, keepdims=True) / 127
    error = np.abs(table.rows * table.scale[:, None].astype(np.float64) - weights)
    assert (error <= 0.5001 * step).all()


def test_rows_of_zeros_stay_zero() -> None:
    """A term without weights adds nothing."""
    table = WeightTable.quantize(np.zeros((50, 4), np.float32))
    assert not table.product(TERMS).any()


def test_a_row_does_not_depend_on_the_others(table: WeightTable) -> None:
    """A single row has the same bits as among others."""
    np.testing.assert_array_equal(table.product(TERMS[5:6])[0], table.product(TERMS)[5])


def test_no_rows_and_no_terms(table: WeightTable) -> None:
    """An empty text is not an error."""
    assert table.product(TERMS[:0]).shape == (0, 4)
    assert not table.product(sp.csr_array(np.zeros((2, 50), np.float32))).any()


def test_a_table_without_terms() -> None:
    """A model without terms gets products of 0."""
    table = WeightTable.quantize(np.zeros((0, 4), np.float32))
    assert not table.product(sp.csr_array(np.zeros((2, 0), np.float32))).any()


def test_a_loaded_table_gives_the_same_products(table: WeightTable, tmp_path: Path) -> None:
    """A table mapped from disk gives the same bits."""
    table.save(tmp_path)
    np.testing.assert_array_equal(WeightTable.load(tmp_path).product(TERMS), table.product(TERMS))


@pytest.mark.parametrize(
    "array", [np.zeros(3, np.int8), np.zeros((3, 2), np.int8), np.zeros((50, 4))]
)
def test_wrong_arrays_are_refused(array: np.ndarray, table: WeightTable, tmp_path: Path) -> None:
    """The rows are 8-bit integers, one row per scale."""
    table.save(tmp_path)
    np.save(tmp_path / "rows.npy", array)
    with pytest.raises(DataError, match="expected rows"):
        WeightTable.load(tmp_path)


@pytest.mark.parametrize("content", [b"no array", b""])
def test_a_malformed_file_is_named(content: bytes, tmp_path: Path) -> None:
    """The message says which file cannot be read."""
    (tmp_path / "rows.npy").write_bytes(content)
    with pytest.raises(DataError, match=tmp_path.name):
        WeightTable.load(tmp_path)
