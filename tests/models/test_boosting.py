"""What LightGBM and XGBoost have in common."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import pytest

from amlc.errors import ModelError
from amlc.features.blocks import Blocks
from amlc.models.base import Regressor
from amlc.models.registry import regressor
from tests.helpers.learning import SECTIONS, Catalogue

BOOSTERS = ["lightgbm", "xgboost"]
FIT, NEW = np.arange(180), np.arange(180, 240)


def fitted(name: str, catalogue: Catalogue, **changes: Any) -> Regressor:
    """Return a model fitted to the first 180 products."""
    blocks, target, _ = catalogue
    found = regressor(name)
    model = found(found.settings_type.model_validate({**SECTIONS[name], **changes}))
    return model.fit(blocks.take(FIT), target.take(FIT), seed=5, threads=1)


def rounds(model: Any) -> int:
    """Return the number of trees."""
    booster = model.booster
    return int(getattr(booster, "num_trees", getattr(booster, "num_boosted_rounds", None))())


@pytest.mark.parametrize("name", BOOSTERS)
@pytest.mark.parametrize("loss", ["squared", "l1", "huber", "smape", "native_l1"])
def test_each_loss_learns(name: str, loss: str, catalogue: Catalogue) -> None:
    """Each objective beats the median on new products."""
    blocks, target, _ = catalogue
    actual = target.log_price[NEW]
    predicted = fitted(name, catalogue, loss=loss, rounds=40).predict(blocks.take(NEW))
    assert np.abs(predicted - actual).mean() < 0.6 * np.abs(actual - np.median(actual)).mean()


@pytest.mark.parametrize("name", BOOSTERS)
def test_robust_losses_predict_the_median(name: str, catalogue: Catalogue) -> None:
    """Where features tell nothing, absolute loss gives the median and squared loss the mean."""
    _, target, products = catalogue
    skewed = np.where(np.arange(240) % 4 == 0, 9.0, 1.0)
    blind = Blocks(vision=(np.arange(240)[:, None] % 7 < 3).astype(np.float32))
    changes: dict[str, Any] = {"blocks": ["vision"], "rounds": 60, "rows": 1.0}
    for loss, expected in [("l1", 1.0), ("squared", skewed[FIT].mean())]:
        model = fitted(
            name, (blind, replace(target, log_price=skewed), products), loss=loss, **changes
        )
        np.testing.assert_allclose(model.predict(blind.take(NEW)), expected, atol=0.15)


@pytest.mark.parametrize("name", BOOSTERS)
def test_early_stopping_uses_fewer_rounds(name: str, catalogue: Catalogue) -> None:
    """Noise alone is soon found out on the inner hold-out."""
    blocks, target, products = catalogue
    noise = replace(target, log_price=np.random.default_rng(0).normal(size=240))
    model = fitted(name, (blocks, noise, products), rounds=300, patience=5)
    assert 1 <= rounds(model) < 150


@pytest.mark.parametrize("name", BOOSTERS)
def test_without_patience_all_rounds_run(name: str, catalogue: Catalogue) -> None:
    """The number of rounds is the one asked for."""
    assert rounds(fitted(name, catalogue, rounds=7)) == 7


@pytest.mark.parametrize(
    ("name", "file"), [("lightgbm", "booster.txt"), ("xgboost", "booster.json")]
)
def test_broken_booster_is_refused(
    name: str, file: str, catalogue: Catalogue, tmp_path: Path
) -> None:
    """A damaged file is named, not crashed on."""
    fitted(name, catalogue).save(tmp_path)
    (tmp_path / file).write_text("broken")
    with pytest.raises(ModelError, match=file):
        regressor(name).load(tmp_path)


@pytest.mark.parametrize("name", BOOSTERS)
@pytest.mark.parametrize("loss", ["huber", "native_l1"])
def test_the_last_stage_is_the_prediction(name: str, loss: str, catalogue: Catalogue) -> None:
    """Rounds summed one after another end at what the whole model says."""
    blocks, _, _ = catalogue
    model = fitted(name, catalogue, loss=loss, rounds=50)
    stages = list(model.staged(blocks.take(NEW)))
    assert [count for count, _ in stages][-1] == 50
    np.testing.assert_allclose(stages[-1][1], model.predict(blocks.take(NEW)), rtol=1e-5)


@pytest.mark.parametrize("name", BOOSTERS)
def test_a_stage_is_what_a_model_of_so_many_rounds_predicts(
    name: str, catalogue: Catalogue
) -> None:
    """The curve is that of one training run."""
    blocks, _, _ = catalogue
    stages = dict(fitted(name, catalogue, rounds=40).staged(blocks.take(NEW)))
    short = fitted(name, catalogue, rounds=10).predict(blocks.take(NEW))
    np.testing.assert_allclose(stages[10], short, rtol=1e-5)


def test_every_call_tells_lightgbm_the_number_of_threads(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that does not changes it under a training that is under way, which then crashes."""
    found: list[Any] = []

    def recorded(original: Any) -> Any:
        def call(*arguments: Any, **more: Any) -> Any:
            parameters = more.get("params", {}) | more
            parameters |= arguments[0] if isinstance(arguments[0], dict) else {}
            found.append(parameters.get("num_threads"))
            return original(*arguments, **more)

        return call

    for owner, name in ((lgb, "Dataset"), (lgb, "train"), (lgb.Booster, "predict")):
        monkeypatch.setattr(owner, name, recorded(getattr(owner, name)))
    model = fitted("lightgbm", catalogue, patience=3)
    model.predict(catalogue[0].take(NEW))
    assert list(model.staged(catalogue[0].take(NEW)))
    assert len(found) > 5
    assert set(found) == {1}
