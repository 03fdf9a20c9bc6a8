"""Behaviour that LightGBM and XGBoost share."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import pytest

from amlc.arrays import Rows
from amlc.errors import ModelError, ParamsError
from amlc.features.blocks import Blocks, Dense
from amlc.models.base import Regressor
from amlc.models.losses import best_constant
from amlc.models.registry import regressor
from amlc.params import check
from tests.helpers.learning import SECTIONS, Catalogue, make_products

BOOSTERS = ["lightgbm", "xgboost"]
FIT, NEW = np.arange(180), np.arange(180, 240)


def fitted(name: str, catalogue: Catalogue, rows: Rows = FIT, **changes: Any) -> Regressor:
    """Return a model fitted to some products, by default the first 180."""
    blocks, target, _ = catalogue
    model = regressor(name)
    settings = model.settings_type.model_validate({**SECTIONS[name], **changes})
    return model(settings).fit(blocks.take(rows), target.take(rows), seed=5, threads=1)


def rounds(model: Any) -> int:
    """Return the number of trees."""
    booster = model.booster
    count = booster.num_trees if isinstance(booster, lgb.Booster) else booster.num_boosted_rounds
    return int(count())


@pytest.mark.parametrize("name", BOOSTERS)
@pytest.mark.parametrize("loss", ["squared", "l1", "huber", "smape", "native_l1"])
def test_each_loss_learns(name: str, loss: str, catalogue: Catalogue) -> None:
    """Each objective beats the median on new products."""
    blocks, target, _ = catalogue
    actual = target.log_price[NEW]
    predicted = fitted(name, catalogue, loss=loss, n_estimators=40).predict(blocks.take(NEW))
    assert np.abs(predicted - actual).mean() < 0.6 * np.abs(actual - np.median(actual)).mean()


@pytest.mark.parametrize("name", BOOSTERS)
def test_robust_losses_predict_the_median(name: str, catalogue: Catalogue) -> None:
    """Without useful features, absolute loss gives the median and squared loss the mean."""
    _, target, products = catalogue
    skewed = np.where(np.arange(240) % 4 == 0, 9.0, 1.0)
    blind = Blocks(vision=Dense.numbered((np.arange(240)[:, None] % 7 < 3).astype(np.float32)))
    changes: dict[str, Any] = {"blocks": ["vision"], "n_estimators": 60, "subsample": 1.0}
    for loss, expected in [("l1", 1.0), ("squared", skewed[FIT].mean())]:
        model = fitted(
            name, (blind, replace(target, log_price=skewed), products), loss=loss, **changes
        )
        np.testing.assert_allclose(model.predict(blind.take(NEW)), expected, atol=0.15)


@pytest.mark.parametrize("name", BOOSTERS)
def test_early_stopping_uses_fewer_rounds(name: str, catalogue: Catalogue) -> None:
    """On noise alone, the score of the inner hold-out soon stops improving."""
    blocks, target, products = catalogue
    noise = replace(target, log_price=np.random.default_rng(0).normal(size=240))
    model = fitted(name, (blocks, noise, products), n_estimators=300, early_stopping_rounds=5)
    assert 1 <= rounds(model) < 150


@pytest.mark.parametrize("name", BOOSTERS)
def test_without_early_stopping_all_rounds_run(name: str, catalogue: Catalogue) -> None:
    """The number of rounds is that of the settings."""
    assert rounds(fitted(name, catalogue, n_estimators=7)) == 7


@pytest.mark.parametrize(
    ("name", "file"), [("lightgbm", "booster.txt"), ("xgboost", "booster.json")]
)
def test_broken_booster_is_refused(
    name: str, file: str, catalogue: Catalogue, tmp_path: Path
) -> None:
    """The error names the damaged file, which would end the process in the library's own code."""
    fitted(name, catalogue).save(tmp_path)
    whole = (tmp_path / file).read_bytes()
    half = len(whole) // 2
    flipped = bytes([whole[half] ^ 1])
    for damaged in (b"broken", b"", whole[:half], whole[:half] + flipped + whole[half + 1 :]):
        (tmp_path / file).write_bytes(damaged)
        with pytest.raises(ModelError, match=rf"{file}: damaged since it was written"):
            regressor(name).load(tmp_path)


@pytest.mark.parametrize("name", BOOSTERS)
@pytest.mark.parametrize("loss", ["huber", "native_l1"])
def test_the_last_stage_is_the_prediction(name: str, loss: str, catalogue: Catalogue) -> None:
    """The sum of all rounds equals the prediction of the whole model."""
    blocks, _, _ = catalogue
    model = fitted(name, catalogue, loss=loss, n_estimators=50)
    stages = list(model.staged_predict(blocks.take(NEW)))
    assert [count for count, _ in stages][-1] == 50
    np.testing.assert_allclose(stages[-1][1], model.predict(blocks.take(NEW)), rtol=1e-5)


@pytest.mark.parametrize("name", BOOSTERS)
def test_a_loaded_model_has_the_same_stages(
    name: str, catalogue: Catalogue, tmp_path: Path
) -> None:
    """The price that boosting starts from is saved, too."""
    new = catalogue[0].take(NEW)
    model = fitted(name, catalogue)
    model.save(tmp_path)
    loaded = regressor(name).load(tmp_path)
    for (_, before), (_, after) in zip(
        model.staged_predict(new), loaded.staged_predict(new), strict=True
    ):
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("name", BOOSTERS)
def test_a_stage_equals_a_model_with_that_number_of_rounds(name: str, catalogue: Catalogue) -> None:
    """A model of 10 rounds predicts what a model of 40 predicts after 10."""
    blocks, _, _ = catalogue
    stages = dict(fitted(name, catalogue, n_estimators=40).staged_predict(blocks.take(NEW)))
    short = fitted(name, catalogue, n_estimators=10).predict(blocks.take(NEW))
    np.testing.assert_allclose(stages[10], short, rtol=1e-5)


def test_every_call_of_lightgbm_passes_the_number_of_threads(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call without it changes the number during other training runs, which then crash."""
    passed: list[Any] = []

    def recorded(original: Any) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            parameters = options.get("params", {}) | options
            parameters |= arguments[0] if isinstance(arguments[0], dict) else {}
            passed.append(parameters.get("num_threads"))
            return original(*arguments, **options)

        return call

    for owner, name in ((lgb, "Dataset"), (lgb, "train"), (lgb.Booster, "predict")):
        monkeypatch.setattr(owner, name, recorded(getattr(owner, name)))
    model = fitted("lightgbm", catalogue, early_stopping_rounds=3)
    model.predict(catalogue[0].take(NEW))
    assert list(model.staged_predict(catalogue[0].take(NEW)))
    assert len(passed) > 5
    assert set(passed) == {1}


@pytest.mark.parametrize("name", BOOSTERS)
@pytest.mark.parametrize("stopping", [0, 3])
@pytest.mark.parametrize("loss", ["squared", "l1", "huber", "smape", "native_l1"])
@pytest.mark.parametrize("rows", [10, 400])
def test_without_anything_to_split_on_the_best_constant_is_predicted(
    name: str, loss: str, stopping: int, rows: int, tmp_path: Path
) -> None:
    """It is saved and loaded, and has neither stages nor importances."""
    _, target, products = make_products(rows, seed=1)
    blocks = Blocks(vision=Dense.numbered(np.ones((rows, 3), np.float32)))
    changes = {"loss": loss, "blocks": ["vision"], "early_stopping_rounds": stopping}
    model = fitted(name, (blocks, target, products), np.arange(rows), **changes)
    predicted = model.predict(blocks)
    np.testing.assert_array_equal(predicted, best_constant(loss, target.log_price))
    model.save(tmp_path)
    loaded = regressor(name).load(tmp_path)
    np.testing.assert_array_equal(loaded.predict(blocks), predicted)
    assert list(loaded.staged_predict(blocks)) == []
    assert set(loaded.feature_importances().values()) == {0}


EXTRA = {"lightgbm": "min_split_gain", "xgboost": "gamma"}


def checked(name: str, extra: dict[str, Any]) -> None:
    """Check the section of a model with these extra parameters."""
    section = {**SECTIONS[name], "extra": extra}
    check(regressor(name).settings_type, section, f"train.{name}", Path("params.yaml"))


@pytest.mark.parametrize("name", BOOSTERS)
def test_an_extra_parameter_reaches_the_library(name: str, catalogue: Catalogue) -> None:
    """Splits that have to gain a lot are not made."""
    blocks, _, _ = catalogue
    stump = fitted(name, catalogue, extra={EXTRA[name]: 1e9}).predict(blocks.take(NEW))
    assert np.ptp(stump) == pytest.approx(0, abs=1e-6)
    assert np.ptp(fitted(name, catalogue).predict(blocks.take(NEW))) > 1


@pytest.mark.parametrize("name", BOOSTERS)
def test_an_unknown_extra_parameter_is_named(name: str) -> None:
    """Only the unknown one of several parameters is named."""
    extra = {EXTRA[name]: 0.1, "min_split_gian": 0.1}
    with pytest.raises(ParamsError, match=rf"train\.{name}\.extra: unknown to .*: min_split_gian,"):
        checked(name, extra)


@pytest.mark.parametrize(
    ("name", "parameter", "own"),
    [
        ("lightgbm", "num_leaves", "num_leaves"),
        ("lightgbm", "max_leaf_nodes", "num_leaves"),
        ("lightgbm", "feature_fraction", "colsample_bytree"),
        ("lightgbm", "num_iterations", "n_estimators"),
        ("lightgbm", "early_stopping_round", "early_stopping_rounds"),
        ("xgboost", "max_depth", "max_depth"),
        ("xgboost", "eta", "learning_rate"),
        ("xgboost", "lambda", "reg_lambda"),
        ("xgboost", "n_estimators", "n_estimators"),
    ],
)
def test_an_extra_parameter_that_has_a_key_is_refused(name: str, parameter: str, own: str) -> None:
    """The error names the key, for an alias of it too."""
    with pytest.raises(ParamsError, match=rf"extra: {parameter} is already set by the key {own},"):
        checked(name, {parameter: 3})


@pytest.mark.parametrize(
    ("name", "parameter"),
    [
        ("lightgbm", "objective"),
        ("lightgbm", "seed"),
        ("lightgbm", "random_state"),
        ("lightgbm", "n_jobs"),
        ("xgboost", "objective"),
        ("xgboost", "seed"),
        ("xgboost", "random_state"),
        ("xgboost", "nthread"),
        ("xgboost", "n_jobs"),
    ],
)
def test_an_extra_parameter_that_amlc_sets_is_refused(name: str, parameter: str) -> None:
    """Loss, seed and threads have keys of their own outside the library's parameters."""
    with pytest.raises(ParamsError, match=rf"extra: {parameter} is already set by "):
        checked(name, {parameter: 3})


@pytest.mark.parametrize("name", BOOSTERS)
def test_an_invalid_value_of_an_extra_parameter_is_a_model_error(
    name: str, catalogue: Catalogue
) -> None:
    """The library checks the values when the model is fitted."""
    with pytest.raises(ModelError, match="cannot be fitted"):
        fitted(name, catalogue, extra={EXTRA[name]: "large"})
