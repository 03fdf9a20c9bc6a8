"""The paired difference and its standard error."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amlc.experiments.paired import Difference, paired_difference


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=40))
def test_without_duplicates_the_error_is_that_of_a_mean(gaps: list[float]) -> None:
    """It is the sample's standard deviation over the root of the number of rows."""
    difference = paired_difference(np.zeros(len(gaps)), gaps, range(len(gaps)))
    assert difference.mean == pytest.approx(np.mean(gaps), abs=1e-9)
    expected = np.std(gaps, ddof=1) / np.sqrt(len(gaps))
    assert difference.se == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_copies_of_every_row_leave_the_error_as_it_was() -> None:
    """Duplicates are no further evidence."""
    gaps = np.random.default_rng(0).normal(-1, 5, 60)
    once = paired_difference(np.zeros(60), gaps, range(60))
    twice = paired_difference(np.zeros(120), np.tile(gaps, 2), np.tile(np.arange(60), 2))
    assert twice.mean == pytest.approx(once.mean)
    assert twice.se == pytest.approx(once.se)


def test_it_agrees_with_resampling_whole_groups() -> None:
    """The cluster bootstrap estimates the same standard error."""
    rng = np.random.default_rng(1)
    groups = rng.integers(0, 300, 500)
    gaps = rng.normal(0, 4, 500) + rng.normal(0, 3, 300)[groups]
    sums, counts = np.bincount(groups, gaps, 300), np.bincount(groups, minlength=300)
    draws = rng.integers(0, 300, (4000, 300))
    means = sums[draws].sum(axis=1) / counts[draws].sum(axis=1)
    difference = paired_difference(np.zeros(500), gaps, groups)
    assert difference.se == pytest.approx(means.std(), rel=0.1)


def test_one_group_has_no_standard_error() -> None:
    """Nothing tells how much the difference would vary."""
    difference = paired_difference([1.0, 2.0], [2.0, 2.0], [7, 7])
    assert math.isnan(difference.se)
    assert difference.finite_se is None
    assert str(difference) == "+0.50"
    assert difference.verdict == "unclear"


@pytest.mark.parametrize(
    ("mean", "se", "verdict"),
    [(-0.5, 0.2, "better"), (0.5, 0.2, "worse"), (-0.39, 0.2, "unclear"), (0.0, 0.0, "same")],
)
def test_a_verdict_needs_more_than_two_standard_errors(
    mean: float, se: float, verdict: str
) -> None:
    """A negative difference is an improvement."""
    assert Difference(mean, se).verdict == verdict
