"""Gradient boosting by LightGBM."""

from pathlib import Path
from typing import Any, Literal

import lightgbm as lgb
import numpy as np
from pydantic import Field

from amlc.errors import ModelError
from amlc.files import write_text
from amlc.metrics import smape_of_logs
from amlc.models.base import DenseSettings, Regressor, Target
from amlc.models.encodings import inner_splits
from amlc.models.objectives import Floats, LossName, center, curvature, gradient
from amlc.models.views import Design


class LightgbmSettings(DenseSettings):
    """Section `train.lightgbm` of params.yaml."""

    # "native_l1" is LightGBM's own: each leaf is set to the median of its residuals.
    loss: LossName | Literal["native_l1"]
    rounds: int = Field(ge=1, le=100_000)
    # Rounds without a better SMAPE on an inner hold-out after which it stops; 0: never.
    patience: int = Field(ge=0)
    learning_rate: float = Field(gt=0, le=1)
    leaves: int = Field(ge=2, le=4096)
    leaf_rows: int = Field(ge=1)
    # Share of the columns tried in each tree, and of the rows.
    columns: float = Field(gt=0, le=1)
    rows: float = Field(gt=0, le=1)
    # Penalty on squared leaf values.
    l2: float = Field(ge=0)
    bins: int = Field(ge=2, le=255)


class Model(Regressor):
    """Boosted leaf-wise trees."""

    settings_type = LightgbmSettings
    settings: LightgbmSettings
    kind = "tree"

    def _fit(self, design: Design, target: Target, *, seed: int, threads: int) -> None:
        parameters = self._parameters(seed, threads)
        rounds = self.settings.rounds
        if self.settings.patience:
            rounds = self._best_rounds(design, target, parameters, seed)
        # LightGBM itself starts custom losses from 0.
        self.start = center(self.settings.loss, target.log_price)
        self.booster = _train(parameters, self._data(design, target), rounds)

    def _best_rounds(
        self, design: Design, target: Target, parameters: dict[str, Any], seed: int
    ) -> int:
        """Return the number of rounds with the lowest SMAPE on a grouped hold-out."""
        fit, held_out = inner_splits(target.groups, seed)[0]
        self.start = center(self.settings.loss, target.log_price[fit])
        booster = _train(
            {**parameters, "metric": "None"},
            self._data(design.take(fit), target.take(fit)),
            self.settings.rounds,
            valid_sets=[self._data(design.take(held_out), target.take(held_out))],
            feval=_smape,
            callbacks=[lgb.early_stopping(self.settings.patience, verbose=False)],
        )
        return int(booster.best_iteration)

    def _data(self, design: Design, target: Target) -> Any:
        return lgb.Dataset(
            design.dense,
            target.log_price - self.start,
            weight=target.weight,
            params={"max_bin": self.settings.bins, "verbosity": -1},
        )

    def _parameters(self, seed: int, threads: int) -> dict[str, Any]:
        settings = self.settings
        native = settings.loss == "native_l1"
        return {
            "objective": "regression_l1" if native else self._objective,
            "boost_from_average": False,
            "learning_rate": settings.learning_rate,
            "num_leaves": settings.leaves,
            "min_data_in_leaf": settings.leaf_rows,
            "min_sum_hessian_in_leaf": 1e-6,
            "feature_fraction": settings.columns,
            "bagging_fraction": settings.rows,
            "bagging_freq": 1 if settings.rows < 1 else 0,
            "lambda_l2": settings.l2,
            "max_bin": settings.bins,
            "seed": seed,
            "num_threads": threads,
            "deterministic": True,
            "force_row_wise": True,
            "verbosity": -1,
        }

    def _objective(self, predicted: Floats, data: Any) -> tuple[Floats, Floats]:
        gap = predicted - data.get_label()
        weight = data.get_weight()
        scale = 1.0 if weight is None else weight
        loss: Any = self.settings.loss
        return scale * gradient(loss, gap), scale * curvature(loss, gap)

    def _predict(self, design: Design) -> Floats:
        return np.asarray(self.booster.predict(design.dense)) + self.start

    def _save(self, folder: Path) -> None:
        write_text(folder / "booster.txt", self.booster.model_to_string())
        write_text(folder / "start.txt", repr(self.start) + "\n")

    def _load(self, folder: Path) -> None:
        self.start = float((folder / "start.txt").read_text(encoding="utf-8"))
        text = (folder / "booster.txt").read_text(encoding="utf-8")
        try:
            self.booster = lgb.Booster(model_str=text)
        except lgb.basic.LightGBMError as error:
            raise ModelError(f"{folder}/booster.txt: {error}") from None


def _train(*arguments: Any, **more: Any) -> Any:
    try:
        return lgb.train(*arguments, **more)
    except lgb.basic.LightGBMError as error:
        # Such as: no column varies.
        raise ModelError(f"LightGBM cannot be fitted: {error}") from None


def _smape(predicted: Floats, data: Any) -> tuple[str, float, bool]:
    return "smape", smape_of_logs(data.get_label(), predicted), False
