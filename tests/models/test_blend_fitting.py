"""Weights, calibration and intervals of the blend, and its score out of fold."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from amlc.arrays import Floats
from amlc.errors import DataError
from amlc.metrics import smape_of_logs
from amlc.models import blend_fitting
from amlc.models.blend import read_blend_predictions
from amlc.models.blend_fitting import Blended, BlendFitter, BlendSettings, simplex_weights

NAMES = ["good", "other", "noise"]
FOLDS = np.arange(900) % 5


def settings(**changes: float | str) -> BlendSettings:
    """Return settings, with some changes."""
    plain = {
        "calibration_bands": 0,
        "coverage": 0.8,
        "interval_bands": 3,
    }
    return BlendSettings.model_validate({**plain, **changes})


@pytest.fixture(scope="module")
def problem() -> tuple[Floats, Floats]:
    """Return two members with independent errors and one of pure noise, and the log prices."""
    rng = np.random.default_rng(3)
    actual = rng.normal(2.5, 1, 900)
    errors = rng.normal(0, 0.4, (900, 2))
    members = np.column_stack([actual[:, None] + errors, rng.normal(2.5, 1, 900)])
    return members, actual


def test_simplex_weights_find_the_best_of_a_grid(problem: tuple[Floats, Floats]) -> None:
    """No point of a fine grid on the simplex is better by more than rounding errors."""
    members, actual = problem
    weights = simplex_weights(members, actual)
    grid = np.linspace(0, 1, 41)
    points = [np.array([a, b, 1 - a - b]) for a in grid for b in grid if a + b <= 1 + 1e-12]
    best = min(smape_of_logs(actual, members @ point) for point in points)
    assert smape_of_logs(actual, members @ weights) <= best + 1e-3
    assert weights.sum() == pytest.approx(1)
    assert (weights >= 0).all()


def test_blend_beats_each_member(problem: tuple[Floats, Floats]) -> None:
    """Two members with independent errors score better together, out of fold too."""
    members, actual = problem
    predicted = BlendFitter(NAMES, members, actual, settings(), FOLDS).predict_out_of_fold()
    best = min(smape_of_logs(actual, member) for member in members.T)
    assert smape_of_logs(actual, predicted[:, 0]) < best - 2


def test_a_single_member_is_unchanged(problem: tuple[Floats, Floats]) -> None:
    """The blend of one member gives it weight 1."""
    members, actual = problem
    blend = BlendFitter(["good"], members[:, :1], actual, settings(), FOLDS).fit()
    assert blend.weights == {"good": 1.0}
    np.testing.assert_array_equal(blend.log_price(members[:, :1]), members[:, 0])


def test_predictions_do_not_depend_on_their_own_fold(
    problem: tuple[Floats, Floats],
) -> None:
    """Changing a fold's prices does not change the predictions for it."""
    members, actual = problem
    changed = np.where(FOLDS == 2, -5.0, actual)
    chosen = settings(calibration_bands=4)
    before = BlendFitter(NAMES, members, actual, chosen, FOLDS).predict_out_of_fold()
    after = BlendFitter(NAMES, members, changed, chosen, FOLDS).predict_out_of_fold()
    np.testing.assert_array_equal(before[FOLDS == 2], after[FOLDS == 2])
    assert not np.allclose(before[FOLDS == 3], after[FOLDS == 3])


def test_no_weights_are_searched_twice(
    problem: tuple[Floats, Floats], monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is one search for all folds, one without each fold and one without each pair."""
    searched: list[bytes] = []

    def recorded(members: Floats, actual: Floats) -> Floats:
        searched.append(actual.tobytes())
        return simplex_weights(members, actual)

    monkeypatch.setattr(blend_fitting, "simplex_weights", recorded)
    fitter = BlendFitter(NAMES, *problem, settings(calibration_bands=4), FOLDS)
    fitter.fit()
    fitter.predict_out_of_fold()
    kept = [~np.isin(FOLDS, out) for size in range(3) for out in combinations(range(5), size)]
    assert sorted(searched) == sorted(problem[1][rows].tobytes() for rows in kept)


def test_calibration_is_kept_where_it_improves_the_score(problem: tuple[Floats, Floats]) -> None:
    """Members that are too low for cheap products get a shift there."""
    members, actual = problem
    tilted = members - 0.25 * (members < 2)
    blend = BlendFitter(NAMES, tilted, actual, settings(calibration_bands=4), FOLDS).fit()
    assert blend.shift[0] > 0.05
    plain = BlendFitter(NAMES, tilted, actual, settings(), FOLDS).predict_out_of_fold()[:, 0]
    shifted = BlendFitter(
        NAMES, tilted, actual, settings(calibration_bands=4), FOLDS
    ).predict_out_of_fold()[:, 0]
    assert smape_of_logs(actual, shifted) < smape_of_logs(actual, plain)


def test_calibration_is_left_out_where_it_does_not_improve_the_score() -> None:
    """Exact members need no shift."""
    actual = np.random.default_rng(0).normal(2, 1, 300)
    members = np.column_stack([actual, actual])
    blend = BlendFitter(
        ["a", "b"], members, actual, settings(calibration_bands=4), FOLDS[:300]
    ).fit()
    assert blend.shift == []


@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.95])
def test_interval_has_the_wanted_coverage(problem: tuple[Floats, Floats], coverage: float) -> None:
    """The share of prices inside is near the wanted one, with as many below as above."""
    members, actual = problem
    predicted = BlendFitter(
        NAMES, members, actual, settings(coverage=coverage), FOLDS
    ).predict_out_of_fold()
    low, high = predicted[:, 1], predicted[:, 2]
    assert np.mean((low <= actual) & (actual <= high)) == pytest.approx(coverage, abs=0.03)
    assert np.mean(actual < low) == pytest.approx((1 - coverage) / 2, abs=0.03)


def test_interval_is_wider_where_residuals_are_larger(problem: tuple[Floats, Floats]) -> None:
    """Each band of the blended price has its own limits."""
    _, actual = problem
    noise = np.random.default_rng(8).normal(0, 0.1 + 0.5 * (actual > 2.5))
    member = (actual + noise)[:, None]
    blend = BlendFitter(["only"], member, actual, settings(), FOLDS).fit()
    width = np.subtract(blend.high, blend.low)
    assert width[-1] > 3 * width[0]


def test_files_of_a_blend(problem: tuple[Floats, Floats], tmp_path: Path) -> None:
    """Predictions are read as they were written; those of other products are refused."""
    members, actual = problem
    blend = BlendFitter(NAMES, members, actual, settings(), FOLDS).fit()
    products = pd.DataFrame({"sample_id": [str(row) for row in range(900)]})
    predicted = blend.interval(blend.log_price(members))
    Blended(blend, predicted, 50.0).save(tmp_path / "blend", products)
    frame = read_blend_predictions(tmp_path / "blend", products)
    assert list(frame.columns) == ["log_price", "log_low", "log_high"]
    np.testing.assert_array_equal(frame.to_numpy(), predicted)
    with pytest.raises(DataError, match="run the stage blend"):
        read_blend_predictions(tmp_path / "blend", products.iloc[1:])
