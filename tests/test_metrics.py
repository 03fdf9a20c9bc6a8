"""SMAPE and its uncertainty agree with naive computations."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import ArrayLike

from amlc import metrics

VALUES = st.floats(-1.7e308, 1.7e308).filter(lambda x: x == 0 or abs(x) > 1e-300)
PRICES = st.floats(1e-3, 1e6)


def naive_smape(actual: float, predicted: float) -> float:
    """Compute one row's SMAPE from its definition, scaled so that nothing overflows."""
    top = max(abs(actual), abs(predicted))
    if top == 0:
        return 0.0
    a, f = actual / top, predicted / top
    return 200 * abs(f - a) / (abs(a) + abs(f))


@given(st.lists(st.tuples(VALUES, VALUES)))
def test_row_smape_agrees_with_its_definition(pairs: list[tuple[float, float]]) -> None:
    """The formula holds for every pair of finite numbers, even the largest."""
    actual, predicted = [a for a, _ in pairs], [f for _, f in pairs]
    expected = [naive_smape(a, f) for a, f in pairs]
    assert metrics.row_smape(actual, predicted).tolist() == pytest.approx(expected, abs=1e-9)


@given(PRICES, PRICES)
def test_row_smape_is_symmetric_and_bounded(a: float, b: float) -> None:
    """Swapping the two prices makes no difference, and the scale is from 0 to 200."""
    score, swapped = metrics.row_smape([a, b], [b, a])
    assert score == swapped
    assert 0 <= score < 200


@given(st.lists(st.tuples(PRICES, PRICES), min_size=1))
def test_smape_of_logs_agrees_with_smape(pairs: list[tuple[float, float]]) -> None:
    """The mean of 200 tanh(|D| / 2) is the same number."""
    actual, predicted = np.array(pairs).T
    in_logs = metrics.smape_of_logs(np.log(actual), np.log(predicted))
    assert in_logs == pytest.approx(metrics.smape(actual, predicted), abs=1e-6)


def test_smape_is_on_the_200_scale() -> None:
    """It is not the variant whose maximum is 100."""
    assert metrics.smape([1.0], [0.0]) == 200
    assert metrics.smape([100.0], [150.0]) == pytest.approx(40)


def test_smape_of_no_rows_is_nan() -> None:
    """NumPy's warning about the mean of an empty array is avoided."""
    assert math.isnan(metrics.smape([], []))


@pytest.mark.parametrize(
    ("actual", "predicted"),
    [([1.0], [1.0, 2.0]), ([[1.0]], [[1.0]]), (1.0, 1.0), ([np.nan], [1.0]), ([1.0], [np.inf])],
)
def test_row_smape_refuses_other_shapes_and_values(actual: ArrayLike, predicted: ArrayLike) -> None:
    """Shapes that NumPy would broadcast and values that are not finite are errors."""
    with pytest.raises(ValueError, match=r"expected two vectors|finite"):
        metrics.row_smape(actual, predicted)


@given(st.lists(st.tuples(st.floats(0, 200), st.integers(0, 3)), min_size=4))
def test_standard_error_agrees_with_its_definition(rows: list[tuple[float, int]]) -> None:
    """It is the standard deviation of the folds' means, divided by the square root of n."""
    rows = [*rows, (1.0, 0), (2.0, 1)]
    folds = sorted({fold for _, fold in rows})
    means = []
    for fold in folds:
        scores = [score for score, label in rows if label == fold]
        means.append(sum(scores) / len(scores))
    centre = sum(means) / len(means)
    variance = sum((mean - centre) ** 2 for mean in means) / (len(means) - 1)
    error = metrics.standard_error_over_folds([s for s, _ in rows], [f for _, f in rows])
    assert error == pytest.approx(math.sqrt(variance / len(means)), abs=1e-9)


def interval(
    rows: ArrayLike, groups: ArrayLike, *, seed: int = 1, draws: int = 400
) -> tuple[float, float]:
    """Return a bootstrap interval with usual settings."""
    return metrics.bootstrap_interval(rows, groups, seed=seed, draws=draws, level=0.95)


def test_bootstrap_interval_is_repeatable() -> None:
    """The draws depend on the seed alone."""
    rows = np.arange(50.0)
    assert interval(rows, rows, seed=3) == interval(rows, rows, seed=3)
    assert interval(rows, rows, seed=3) != interval(rows, rows, seed=4)


def test_bootstrap_interval_agrees_with_theory() -> None:
    """For independent rows it is about 1.96 standard errors on each side of the mean."""
    rows = np.random.default_rng(0).normal(50, 10, 2000)
    low, high = interval(rows, np.arange(2000), draws=2000)
    half = 1.96 * rows.std() / math.sqrt(2000)
    assert (low, high) == pytest.approx((rows.mean() - half, rows.mean() + half), abs=0.1)


def test_bootstrap_interval_draws_whole_groups() -> None:
    """Copies add no evidence: the interval is the same as that of the rows without copies."""
    rows = np.random.default_rng(0).normal(50, 10, 100)
    once = interval(rows, np.arange(100))
    copied = interval(np.repeat(rows, 9), np.repeat(np.arange(100), 9))
    assert copied == pytest.approx(once)


def test_bootstrap_interval_accepts_any_group_labels() -> None:
    """Labels may be negative and have gaps."""
    rows = np.arange(6.0)
    assert interval(rows, [-5, -5, 9, 9, 70, 70]) == interval(rows, [0, 0, 1, 1, 2, 2])


def test_bootstrap_interval_of_equal_rows_is_a_point() -> None:
    """Rows without spread have no uncertainty."""
    assert interval([7.0] * 5, range(5)) == (7.0, 7.0)


@given(st.lists(st.tuples(st.floats(0, 200), st.sampled_from(["b", "a", None, 1, "é"]))))
def test_slices_are_means_by_label(rows: list[tuple[float, object]]) -> None:
    """Every label has the mean and the count of its rows."""
    slices = metrics.slices([score for score, _ in rows], [label for _, label in rows])
    assert list(slices) == sorted({str(label) for _, label in rows})
    for name, part in slices.items():
        scores = [score for score, label in rows if str(label) == name]
        assert part["rows"] == len(scores)
        assert part["smape"] == pytest.approx(sum(scores) / len(scores), abs=1e-9)
