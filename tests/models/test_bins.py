"""Piecewise-linear encoding of numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amlc.models.bins import DEVIATION, Bins


def bins(*values: float) -> Bins:
    """Return the two bins of a column, not standardised."""
    fitted = Bins.fit(np.array(values, np.float32)[:, None], 2)
    zeros = np.zeros_like(fitted.center)
    return Bins(fitted.column, fitted.low, fitted.width, zeros, zeros + 1)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(-5, [0, 0]), (0, [0, 0]), (0.5, [0.5, 0]), (1, [1, 0]), (2, [1, 0.5]), (9, [1, 1])],
)
def test_a_number_fills_the_bins_below_it(value: float, expected: list[float]) -> None:
    """Bins from 0 to the median 1 and from there to 3: 0 below a bin, 1 above, linear within."""
    encoded = bins(0, 1, 3).encode(np.array([[value]], np.float32))
    np.testing.assert_allclose(encoded, [expected], atol=1e-6)


def test_a_column_of_two_values_is_left_out() -> None:
    """A one-hot or constant column gains nothing from bins."""
    rng = np.random.default_rng(0)
    numbers = rng.random(50)
    dense = np.stack([np.arange(50) % 2, numbers, np.ones(50)], axis=1).astype(np.float32)
    assert set(Bins.fit(dense, 1).column) == set()
    assert set(Bins.fit(dense[:, [1, 2]], 4).column) == {0}


def test_without_a_usable_column_there_are_no_bins() -> None:
    """The encoding has no columns then."""
    dense = np.ones((5, 2), np.float32)
    assert Bins.fit(dense, 4).encode(dense).shape == (5, 0)


def test_encoded_columns_are_standardised() -> None:
    """Over the train rows their mean is 0, and their deviation that of the module."""
    dense = np.random.default_rng(1).normal(size=(400, 3)).astype(np.float32)
    encoded = Bins.fit(dense, 4).encode(dense)
    assert encoded.shape == (400, 12)
    np.testing.assert_allclose(encoded.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(encoded.std(axis=0), DEVIATION, rtol=1e-3)


@given(st.lists(st.floats(-4, 4, width=32), min_size=1, max_size=30), st.integers(1, 9))
def test_any_column_can_be_encoded(values: list[float], count: int) -> None:
    """Repeated and close values give no division by 0, and larger numbers never smaller codes."""
    dense = np.sort(np.array(values, np.float32))[:, None]
    encoded = Bins.fit(dense, count).encode(dense)
    assert np.isfinite(encoded).all()
    assert (np.diff(encoded, axis=0) >= 0).all()
