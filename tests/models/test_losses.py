"""Losses, their gradients and surrogate curvatures."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amlc.metrics import row_smape
from amlc.models.losses import LossName, center, curvature, gradient
from tests.helpers.losses import loss_values

LOSSES = ["squared", "l1", "huber", "smape"]
GAPS = np.array([-5.0, -1.3, -0.4, -0.03, 0.02, 0.3, 0.9, 4.0])


@pytest.mark.parametrize("loss", LOSSES)
def test_gradient_is_the_slope_of_the_value(loss: LossName) -> None:
    """Central finite differences give the gradient."""
    step = 1e-6
    slope = (loss_values(loss, GAPS + step) - loss_values(loss, GAPS - step)) / (2 * step)
    np.testing.assert_allclose(gradient(loss, GAPS), slope, rtol=1e-6, atol=1e-7)


@given(st.floats(-3, 3), st.floats(-3, 3))
def test_smape_loss_is_the_metric(actual: float, predicted: float) -> None:
    """The loss of two log prices is the SMAPE of their prices."""
    metric = row_smape(np.exp([actual]), np.exp([predicted]))
    np.testing.assert_allclose(
        loss_values("smape", np.array([predicted - actual])), metric, rtol=1e-9, atol=1e-9
    )


@pytest.mark.parametrize("loss", LOSSES)
@given(gap=st.floats(-1e6, 1e6))
def test_curvature_is_positive_and_finite(loss: LossName, gap: float) -> None:
    """Boosting can divide by the curvature for any residual."""
    curved = curvature(loss, np.array([gap]))
    assert np.isfinite(curved).all()
    assert (curved > 0).all()


@pytest.mark.parametrize("loss", LOSSES)
@given(here=st.floats(-4, 4), there=st.floats(-4, 4))
def test_curvature_bounds_the_loss_from_above(loss: LossName, here: float, there: float) -> None:
    """A parabola with the slope and curvature of one point never lies below the loss."""
    if abs(here) < 0.1:
        here = 0.1
    at = np.array([here])
    step = there - here
    bound = loss_values(loss, at) + gradient(loss, at) * step + curvature(loss, at) * step**2 / 2
    assert loss_values(loss, np.array([there]))[0] <= bound[0] + 1e-9


def test_boosting_starts_from_the_best_constant() -> None:
    """The mean minimises squared loss, the median absolute loss."""
    skewed = np.array([0.0, 0.0, 3.0])
    assert center("squared", skewed) == 1.0
    assert center("native_l1", skewed) == center("smape", skewed) == 0.0
