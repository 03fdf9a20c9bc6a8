"""The learning curve: nested shares, the fitted power law, its interval."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import learning_curve
import numpy as np
import pytest
from learning_curve import (
    SHARES,
    Scores,
    Study,
    blended,
    draw,
    measure,
    nested,
    power_laws,
    resampled,
    table,
    trend,
)

from amlc.execution.processes import ProcessBackend
from amlc.features.text.neighbour_index import NeighboursSettings
from amlc.metrics import smape_of_logs
from amlc.models.registry import regressor
from tests.execution.test_settings import settings
from tests.helpers.learning import SECTIONS, make_products

SIZES = np.array([700.0, 1400.0, 2800.0, 5600.0])


def study() -> Study:
    """Return synthetic products with two fast models."""
    blocks, _, products = make_products(160, seed=1)
    names = ("linear", "ridge")
    models = {
        name: regressor(name)(regressor(name).settings_type(**SECTIONS[name])) for name in names
    }
    settings = NeighboursSettings(
        n_neighbors=8, n_compared=4, max_df=0.5, candidates=32, index_max_df=0.2, max_postings=1000
    )
    return Study(products, blocks, models, settings, seed=3)


def test_shares_are_nested_and_keep_groups_whole() -> None:
    """Each share contains the one before, and no group is split."""
    groups = np.random.default_rng(1).integers(0, 60, 200)
    parts = nested(groups, SHARES, seed=2)
    for smaller, larger in pairwise(parts):
        assert set(smaller) < set(larger)
    for rows, share in zip(parts, SHARES, strict=True):
        rest = np.setdiff1d(np.arange(200), rows)
        assert not set(groups[rows]) & set(groups[rest])
        assert share * 200 <= len(rows) < share * 200 + np.bincount(groups).max()


@pytest.mark.parametrize(
    ("floor", "scale", "exponent"), [(40.0, 200.0, 0.4), (0.0, 110.0, 0.1), (30.0, 900.0, 0.6)]
)
def test_known_parameters_are_recovered(floor: float, scale: float, exponent: float) -> None:
    """Without noise, the curve through four points is the true curve."""
    scores = floor + scale * SIZES**-exponent
    curve = power_laws(SIZES, scores[None, :], np.array([0.5, 0.4, 0.3, 0.3]))
    assert curve.exponent[0] == pytest.approx(exponent)
    assert curve.floor[0] == pytest.approx(floor, abs=1e-6)
    assert curve.scale[0] == pytest.approx(scale)
    assert curve.at(np.array([75e3]))[0, 0] == pytest.approx(floor + scale * 75e3**-exponent)


def test_the_bounds_hold() -> None:
    """A rising curve is fitted as a constant; one that falls too fast has a floor of 0."""
    rising = power_laws(SIZES, np.array([[50.0, 51.0, 52.0, 53.0]]), np.ones(4))
    assert rising.scale[0] == 0
    falling = power_laws(SIZES, np.array([[60.0, 45.0, 20.0, 1.0]]), np.ones(4))
    assert falling.floor[0] == 0
    assert falling.scale[0] > 0


def test_a_point_counts_by_its_error() -> None:
    """A wrong point with a large standard error hardly changes the curve."""
    scores = 40 + 200 * SIZES**-0.4
    wrong = scores + np.array([3.0, 0, 0, 0])
    sure = power_laws(SIZES, wrong[None, :], np.array([0.1, 1, 1, 1])).at(SIZES[:1])[0, 0]
    unsure = power_laws(SIZES, wrong[None, :], np.array([50.0, 1, 1, 1])).at(SIZES[:1])[0, 0]
    assert abs(sure - wrong[0]) < 0.05
    assert abs(unsure - scores[0]) < 0.1


def test_resamples_vary_as_rows_and_folds_do() -> None:
    """Their variance is the sum of those within folds and of the folds' means."""
    rng = np.random.default_rng(1)
    rows, folds = rng.normal(50, 30, (600, 2)), np.arange(600) % 5
    draws = resampled(rows, np.arange(600), folds, seed=2)
    means = np.array([rows[folds == fold, 0].mean() for fold in range(5)])
    within = np.mean([rows[folds == fold, 0].var() for fold in range(5)]) / 600
    assert draws.mean(axis=0) == pytest.approx(rows.mean(axis=0), abs=0.3)
    assert draws.std(axis=0)[0] == pytest.approx(np.sqrt(within + means.var() / 5), rel=0.1)


def test_more_rows_give_better_scores() -> None:
    """Scores of synthetic products improve with the number of train rows."""
    scores = measure(study(), 2, 1)
    assert list(scores.rows) == ["linear", "ridge", "blend"]
    assert len(scores.groups) == (study().products["fold"] < 2).sum()
    for rows in scores.rows.values():
        assert rows[:, -1].mean() < rows[:, 0].mean()


def test_processes_give_the_scores_of_threads() -> None:
    """To the last bit."""
    small = replace(study(), fractions=SHARES[-1:])
    with ProcessBackend(settings()) as backend:
        there = measure(small, 1, 1, backend)
    here = measure(small, 1, 1)
    assert there.rows.keys() == here.rows.keys()
    for name, rows in here.rows.items():
        assert there.rows[name].tobytes() == rows.tobytes()


def test_a_fold_is_predicted_without_its_prices() -> None:
    """Changing the prices of the held-out fold does not change its predictions."""
    plain = study()
    planted = plain.products.copy()
    planted.loc[planted["fold"] == 0, "price"] *= 50
    before = plain.predict(0, 3)
    after = Study(planted, plain.blocks, plain.models, plain.neighbours, 3).predict(0, 3)
    np.testing.assert_array_equal(after["ridge"], before["ridge"])


def test_blend_weights_come_from_the_other_folds() -> None:
    """A member that is perfect only in one fold does not help that fold."""
    log_price = np.random.default_rng(1).normal(size=80)
    folds = np.arange(80) % 2
    noise = np.random.default_rng(2).normal(size=(80, 2))
    first = np.where(folds == 0, log_price, log_price + 5)
    second = np.where(folds == 1, log_price, log_price + 5)
    members = np.stack([first, second], axis=1)[:, None, :] + 0 * noise[:, None, :]
    mixed = blended(members, log_price, folds)
    assert smape_of_logs(log_price, mixed[:, 0]) > 150


def test_table_and_picture_show_every_model(tmp_path: Path) -> None:
    """Both have the measured points, the estimate and its interval."""
    rng = np.random.default_rng(1)
    means = 40 + 200 * SIZES**-0.4
    rows = {name: rng.normal(means, 20, (300, 4)) for name in ("ridge", "blend")}
    scores = Scores(rows, np.arange(300), np.arange(300) % 3, SIZES)
    trends = {name: trend(scores, name, 1) for name in rows}
    text = table(trends, SIZES, 75_000)
    assert "5,600 rows" in text
    assert "at 75,000 rows" in text
    assert text.count("\n") == 3
    draw(tmp_path / "curve.png", trends, SIZES, 75_000)
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
    estimate, low, high = trends["blend"].at(np.array([75e3]))
    assert low[0] <= estimate[0] <= high[0]
    assert learning_curve.LEVEL == 0.9
