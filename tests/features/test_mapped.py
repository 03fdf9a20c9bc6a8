"""Rows of large arrays on disk."""

from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

from amlc.errors import DataError
from amlc.features import mapped as module
from amlc.features.mapped import MappedRows, product

TABLE = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
TERMS = sp.csr_array(
    sp.random_array((600, 50), density=0.2, rng=np.random.default_rng(1), dtype=np.float32)
)


@pytest.fixture
def rows(tmp_path: Path) -> MappedRows:
    """Return the table on disk."""
    np.save(tmp_path / "table.npy", TABLE)
    return MappedRows(tmp_path / "table.npy")


def test_a_product_is_that_of_scipy(rows: MappedRows) -> None:
    """Touching few rows gives, bit for bit, what touching all of them does."""
    np.testing.assert_array_equal(product(TERMS, rows), TERMS @ TABLE)


def test_a_table_in_memory_will_do() -> None:
    """Whoever has just fitted a model has its weights at hand."""
    np.testing.assert_array_equal(product(TERMS, TABLE), TERMS @ TABLE)


def test_half_precision_counts_as_the_single_precision_it_stands_for(tmp_path: Path) -> None:
    """Nothing is computed in half precision."""
    half = TABLE.astype(np.float16)
    np.save(tmp_path / "half.npy", half)
    found = product(TERMS, MappedRows(tmp_path / "half.npy"))
    np.testing.assert_array_equal(found, TERMS @ half.astype(np.float32))


def test_a_row_does_not_depend_on_the_others(rows: MappedRows) -> None:
    """One row by itself is, bit for bit, what it is among others."""
    np.testing.assert_array_equal(product(TERMS[5:6], rows)[0], product(TERMS, rows)[5])


def test_no_rows_and_no_terms(rows: MappedRows) -> None:
    """An empty text is no error."""
    assert product(TERMS[:0], rows).shape == (0, 4)
    assert not product(sp.csr_array((2, 50), dtype=np.float32), rows).any()


def test_mapping_anew_changes_nothing(rows: MappedRows, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is resident is dropped, what is read is the same."""
    monkeypatch.setattr(module, "RESIDENT_BYTES", 100)
    before = rows._array
    np.testing.assert_array_equal(product(TERMS, rows), TERMS @ TABLE)
    assert rows._array is not before


@pytest.mark.parametrize("array", [np.zeros(3), np.zeros((3, 2)).T])
def test_other_arrays_are_refused(array: np.ndarray, tmp_path: Path) -> None:
    """Rows have to lie one after another."""
    np.save(tmp_path / "other.npy", array)
    with pytest.raises(DataError, match="expected rows"):
        MappedRows(tmp_path / "other.npy")


@pytest.mark.parametrize("content", [b"no array", b""])
def test_a_broken_file_is_named(content: bytes, tmp_path: Path) -> None:
    """The message says which."""
    (tmp_path / "table.npy").write_bytes(content)
    with pytest.raises(DataError, match=r"table\.npy"):
        MappedRows(tmp_path / "table.npy")
