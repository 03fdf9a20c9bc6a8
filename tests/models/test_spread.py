"""The model of the spread, and intervals whose widths follow it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from amlc.arrays import Floats
from amlc.errors import ModelError, ParamsError
from amlc.features.blocks import Blocks
from amlc.models.blend import Blend
from amlc.models.blend_fitting import BlendFitter, BlendSettings
from amlc.models.spread import Spread, SpreadFitter, SpreadSettings
from amlc.params import check
from tests.helpers.learning import SPREAD, make_products

ROWS = 600
# Prices of products of a kind deviate this much.
DEVIATIONS = np.array([0.1, 0.3, 0.9])
SETTINGS = BlendSettings(calibration_bands=0, coverage=0.8, interval_bands=3)
Problem = tuple[Blocks, Floats, Floats, SpreadFitter]


@pytest.fixture(scope="module")
def problem() -> Problem:
    """Return products, their true deviations, log prices, and what fits the spread."""
    blocks, target, _ = make_products(ROWS, seed=5)
    assert blocks.tabular is not None
    deviation = DEVIATIONS[blocks.tabular.codes[:, 0] % len(DEVIATIONS)]
    actual = target.log_price + np.random.default_rng(2).normal(0, deviation)
    settings = SpreadSettings.model_validate(SPREAD)
    fitter = SpreadFitter(settings, blocks, np.arange(ROWS), target.groups, seed=1)
    return blocks, deviation, actual, fitter


@pytest.fixture(scope="module")
def fitted(problem: Problem) -> tuple[BlendFitter, Floats]:
    """Return the blend of one model that knows the price but for its deviation, out of fold."""
    _, _, actual, spread = problem
    member = make_products(ROWS, seed=5)[1].log_price[:, None]
    folds = spread.groups % 5
    fitter = BlendFitter(["only"], member, actual, SETTINGS, folds, spread)
    return fitter, fitter.predict_out_of_fold()


def test_typical_error_is_larger_where_prices_deviate_more(
    problem: Problem, fitted: tuple[BlendFitter, Floats]
) -> None:
    """It is about the median of the absolute errors of such products."""
    blocks, deviation, _, _ = problem
    fitter, predicted = fitted
    model = fitter.fit_spread()
    assert model is not None
    scale = model.scale(blocks, predicted[:, 0])
    medians = [np.median(scale[deviation == each]) for each in DEVIATIONS]
    assert medians[0] < medians[1] < medians[2]
    assert medians[2] > 2 * medians[0]


def test_kinds_of_product_are_covered_more_alike(
    problem: Problem, fitted: tuple[BlendFitter, Floats]
) -> None:
    """Without the spread, intervals hold nearly all prices of one kind, and half of another."""
    _, deviation, actual, _ = problem
    fitter, predicted = fitted
    plain = BlendFitter(["only"], fitter.members, actual, SETTINGS, fitter.folds)

    def covered(intervals: Floats) -> Floats:
        inside = (intervals[:, 1] <= actual) & (actual <= intervals[:, 2])
        assert inside.mean() == pytest.approx(0.8, abs=0.05)
        return np.array([inside[deviation == each].mean() for each in DEVIATIONS])

    assert np.ptp(covered(predicted)) < np.ptp(covered(plain.predict_out_of_fold())) / 2


def test_intervals_do_not_depend_on_their_own_prices(
    problem: Problem, fitted: tuple[BlendFitter, Floats]
) -> None:
    """Other prices in a fold leave the intervals for it as they are."""
    _, _, actual, spread = problem
    fitter, predicted = fitted
    held_out = fitter.folds == 2
    changed = np.where(held_out, -5.0, actual)
    again = BlendFitter(["only"], fitter.members, changed, SETTINGS, fitter.folds, spread)
    np.testing.assert_array_equal(again.predict_out_of_fold()[held_out], predicted[held_out])


def test_saved_model_predicts_the_same(
    problem: Problem, fitted: tuple[BlendFitter, Floats], tmp_path: Path
) -> None:
    """A bundle's intervals are those of the pipeline."""
    model, log_price = fitted[0].fit_spread(), fitted[1][:, 0]
    assert model is not None
    model.save(tmp_path)
    again = Spread.load(tmp_path)
    scale = model.scale(problem[0], log_price)
    np.testing.assert_array_equal(again.scale(problem[0], log_price), scale)


@pytest.mark.parametrize("scaled", [True, False])
def test_blend_and_spread_must_belong_together(*, scaled: bool) -> None:
    """Limits that are multiples of the spread mean nothing without it, and the reverse."""
    blend = Blend({"a": 1.0}, [], [], [0.0], [-1.0], [1.0], scaled)
    with pytest.raises(ModelError, match="made with" if scaled else "made without"):
        blend.interval(np.zeros(2), None if scaled else np.ones(2))


def test_few_rows_get_intervals() -> None:
    """With too few rows for a split, all products have the same spread."""
    blocks, target, _ = make_products(25, seed=1)
    settings = SpreadSettings.model_validate(SPREAD)
    spread = SpreadFitter(settings, blocks, np.arange(25), target.groups, seed=1)
    members = target.log_price[:, None] + 0.1
    fitter = BlendFitter(["a"], members, target.log_price, SETTINGS, target.groups % 3, spread)
    predicted = fitter.predict_out_of_fold()
    assert np.isfinite(predicted).all()
    assert (predicted[:, 1] <= predicted[:, 2]).all()


def test_two_folds_are_enough() -> None:
    """A fold without the other leaves no rows to learn from, neither weights nor the spread."""
    blocks, target, _ = make_products(60, seed=1)
    settings = SpreadSettings.model_validate(SPREAD)
    spread = SpreadFitter(settings, blocks, np.arange(60), target.groups, seed=1)
    members = target.log_price[:, None] + [0.1, -0.2]
    chosen = SETTINGS.model_copy(update={"calibration_bands": 2})
    folds = target.groups % 2
    fitter = BlendFitter(["a", "b"], members, target.log_price, chosen, folds, spread)
    assert np.isfinite(fitter.predict_out_of_fold()).all()


@pytest.mark.parametrize("blocks", [["vision"], ["tabular", "topics"], []])
def test_other_blocks_are_refused(blocks: list[Any]) -> None:
    """A bundle always has the tabular block and the neighbours, but not always the others."""
    with pytest.raises(ParamsError, match=r"spread\.blocks: "):
        check(SpreadSettings, {**SPREAD, "blocks": blocks}, "spread", Path("params.yaml"))


def test_weights_are_refused() -> None:
    """They would have no effect: all errors count alike."""
    weighted = {"limits": [], "weights": [1.0], "column": None}
    with pytest.raises(ParamsError, match=r"spread\.weights: .*expected null"):
        check(SpreadSettings, {**SPREAD, "weights": weighted}, "spread", Path("params.yaml"))
