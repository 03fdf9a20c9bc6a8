"""Standard errors of paired differences."""

import numpy as np
import pytest
from paired import bootstrap_error, bootstrap_means, group_sums


def naive_means(rows: np.ndarray, groups: np.ndarray, seed: int, draws: int) -> list[float]:
    """Resample group by group, row by row."""
    names = sorted(set(groups.tolist()))
    rng = np.random.default_rng(seed)
    means = []
    for _ in range(draws):
        drawn = [names[number] for number in rng.integers(0, len(names), len(names))]
        picked = [rows[row] for name in drawn for row in range(len(rows)) if groups[row] == name]
        means.append(sum(picked) / len(picked))
    return means


def test_resamples_agree_with_a_naive_oracle() -> None:
    """Resamples of group sums equal resamples of rows."""
    rng = np.random.default_rng(1)
    rows, groups = rng.normal(size=40), rng.integers(0, 12, 40)
    expected = naive_means(rows, groups, seed=3, draws=25)
    assert bootstrap_means(rows, groups, seed=3, draws=25) == pytest.approx(expected)


def test_columns_are_resampled_together() -> None:
    """The difference of two resampled columns equals the resampled difference."""
    rng = np.random.default_rng(1)
    rows, groups = rng.normal(size=(40, 2)), np.arange(40)
    both = bootstrap_means(rows, groups, seed=3, draws=25)
    difference = bootstrap_means(rows[:, 0] - rows[:, 1], groups, seed=3, draws=25)
    assert both[:, 0] - both[:, 1] == pytest.approx(difference)


def test_without_duplicates_the_error_is_the_textbook_one() -> None:
    """It is the standard deviation divided by the root of the count."""
    rows = np.random.default_rng(1).normal(size=400)
    error = bootstrap_error(rows, np.arange(400), seed=3)
    assert error == pytest.approx(rows.std(ddof=1) / 20, rel=0.06)


def test_duplicates_are_no_more_evidence() -> None:
    """The error of rows repeated four times equals that of the single rows."""
    rows = np.random.default_rng(1).normal(size=200)
    single = bootstrap_error(rows, np.arange(200), seed=3)
    assert bootstrap_error(np.repeat(rows, 4), np.repeat(np.arange(200), 4), seed=3) == (
        pytest.approx(single)
    )


def test_group_numbers_may_have_gaps() -> None:
    """Only groups that occur have a sum."""
    sums, counts = group_sums(np.array([1.0, 2.0, 4.0]), np.array([7, 3, 7]))
    assert sums.tolist() == [2.0, 5.0]
    assert counts.tolist() == [1.0, 2.0]
