"""Losses, their gradients and surrogate curvatures."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amlc.metrics import row_smape
from amlc.models.losses import LossName, best_constant, center, curvature, gradient
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


@pytest.mark.parametrize("loss", LOSSES)
@given(
    rows=st.lists(st.tuples(st.floats(-3, 6), st.floats(0.1, 5)), min_size=1, max_size=30),
)
def test_no_constant_is_better_than_the_best(
    loss: LossName, rows: list[tuple[float, float]]
) -> None:
    """A search over a fine grid and all log prices finds no constant that is noticeably better."""
    log_price, weight = np.array(rows).T
    found = best_constant(loss, log_price, weight)
    candidates = [*log_price, *np.linspace(-3, 6, 181)]

    def total(constant: float) -> float:
        return float((weight * loss_values(loss, constant - log_price)).sum())

    assert total(found) <= 1.001 * min(map(total, candidates)) + 1e-3


@pytest.mark.parametrize("loss", [*LOSSES, "native_l1"])
def test_the_best_constant_of_equal_prices_is_that_price(loss: str) -> None:
    """However far it is from 0; two prices as far apart as numbers can be have one, too."""
    assert best_constant(loss, np.full(9, 690.0)) == pytest.approx(690)
    assert -740 <= best_constant(loss, np.array([-740.0, 700.0])) <= 700


def test_boosting_starts_from_the_best_constant() -> None:
    """The mean minimises squared loss, the median absolute loss."""
    skewed = np.array([0.0, 0.0, 3.0])
    assert center("squared", skewed) == 1.0
    assert center("native_l1", skewed) == center("smape", skewed) == 0.0
