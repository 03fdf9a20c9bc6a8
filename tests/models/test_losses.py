"""Losses, their gradients and surrogate curvatures."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amlc.errors import DataError, ParamsError
from amlc.features.blocks import Tabular
from amlc.metrics import row_smape
from amlc.models.losses import (
    LossName,
    WeightSettings,
    center,
    curvature,
    gradient,
    row_weights,
    value,
)

LOSSES = ["squared", "l1", "huber", "smape"]
GAPS = np.array([-5.0, -1.3, -0.4, -0.03, 0.02, 0.3, 0.9, 4.0])
LOG_PRICE = np.log([2.0, 10.0, 30.0, 100.0])


@pytest.mark.parametrize("loss", LOSSES)
def test_gradient_is_the_slope_of_the_value(loss: LossName) -> None:
    """Central finite differences give the gradient."""
    step = 1e-6
    slope = (value(loss, GAPS + step) - value(loss, GAPS - step)) / (2 * step)
    np.testing.assert_allclose(gradient(loss, GAPS), slope, rtol=1e-6, atol=1e-7)


@given(st.floats(-3, 3), st.floats(-3, 3))
def test_smape_loss_is_the_metric(actual: float, predicted: float) -> None:
    """The loss of two log prices is the SMAPE of their prices."""
    metric = row_smape(np.exp([actual]), np.exp([predicted]))
    np.testing.assert_allclose(
        value("smape", np.array([predicted - actual])), metric, rtol=1e-9, atol=1e-9
    )


@pytest.mark.parametrize("loss", LOSSES)
@given(gap=st.floats(-1e6, 1e6))
def test_curvature_is_positive_and_finite(loss: LossName, gap: float) -> None:
    """Boosting can divide by the curvature whatever the residual."""
    found = curvature(loss, np.array([gap]))
    assert np.isfinite(found).all()
    assert (found > 0).all()


@pytest.mark.parametrize("loss", LOSSES)
@given(here=st.floats(-4, 4), there=st.floats(-4, 4))
def test_curvature_bounds_the_loss_from_above(loss: LossName, here: float, there: float) -> None:
    """A parabola with the slope and curvature of one point is nowhere below the loss."""
    if abs(here) < 0.1:
        here = 0.1
    at = np.array([here])
    step = there - here
    bound = value(loss, at) + gradient(loss, at) * step + curvature(loss, at) * step**2 / 2
    assert value(loss, np.array([there]))[0] <= bound[0] + 1e-9


def test_boosting_starts_from_the_best_constant() -> None:
    """The mean minimises squared loss, the median absolute loss."""
    skewed = np.array([0.0, 0.0, 3.0])
    assert center("squared", skewed) == 1.0
    assert center("native_l1", skewed) == center("smape", skewed) == 0.0


def test_weights_by_price_band() -> None:
    """Each row takes its band's weight; the mean is 1."""
    settings = WeightSettings(limits=[10.0, 50.0], weights=[1.0, 2.0, 3.0], column=None)
    found = row_weights(settings, LOG_PRICE + 1e-9, None)
    np.testing.assert_allclose(found, np.array([1, 2, 2, 3]) / 2)


def test_weights_by_column() -> None:
    """A numeric column of the tabular block can be the weight."""
    settings = WeightSettings(limits=[], weights=[], column="num_w")
    tabular = Tabular.from_frame(pd.DataFrame({"num_w": [0.0, 1.0, 1.0, 2.0]}))
    np.testing.assert_allclose(row_weights(settings, LOG_PRICE, tabular), [0, 1, 1, 2])


def test_no_weights_are_none() -> None:
    """Even weights are left out, which libraries handle faster."""
    settings = WeightSettings(limits=[], weights=[], column=None)
    assert row_weights(settings, LOG_PRICE, None) is None


def test_weight_column_that_is_missing() -> None:
    """The error names the column."""
    settings = WeightSettings(limits=[], weights=[], column="num_w")
    with pytest.raises(ParamsError, match="num_w"):
        row_weights(settings, LOG_PRICE, Tabular.from_frame(pd.DataFrame({"num_x": [1.0] * 4})))


def test_negative_weights_are_named() -> None:
    """The error counts the faulty rows and names the first."""
    settings = WeightSettings(limits=[], weights=[], column="num_w")
    tabular = Tabular.from_frame(pd.DataFrame({"num_w": [1.0, 1.0, -1.0, 1.0]}))
    with pytest.raises(DataError, match=r"1 of 4 rows.*first rows: 2"):
        row_weights(settings, LOG_PRICE, tabular)


@pytest.mark.parametrize(
    ("limits", "weights"), [([2.0, 1.0], [1.0, 1.0, 1.0]), ([1.0], [1.0]), ([], [0.0])]
)
def test_weight_settings_that_do_not_fit(limits: list[float], weights: list[float]) -> None:
    """Limits ascend, weights are positive, and there is one weight more than limits."""
    with pytest.raises(ValueError, match="expected"):
        WeightSettings(limits=limits, weights=weights, column=None)
