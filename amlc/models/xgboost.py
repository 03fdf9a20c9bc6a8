"""Gradient boosting by XGBoost."""

from pathlib import Path
from typing import Any, Literal

import numpy as np
import xgboost as xgb
from pydantic import Field

from amlc.errors import ModelError
from amlc.files import write_text
from amlc.metrics import smape_of_logs
from amlc.models.base import DenseSettings, Regressor, Target
from amlc.models.encodings import inner_splits
from amlc.models.objectives import Floats, LossName, center, curvature, gradient
from amlc.models.views import Design


class XgboostSettings(DenseSettings):
    """Section `train.xgboost` of params.yaml."""

    # "native_l1" is XGBoost's own: each leaf is set to the median of its residuals.
    loss: LossName | Literal["native_l1"]
    rounds: int = Field(ge=1, le=100_000)
    # Rounds without a better SMAPE on an inner hold-out after which it stops; 0: never.
    patience: int = Field(ge=0)
    learning_rate: float = Field(gt=0, le=1)
    depth: int = Field(ge=1, le=20)
    # Sum of the loss's curvature in a leaf, at least.
    leaf_weight: float = Field(ge=0)
    # Share of the columns tried in each tree, and of the rows.
    columns: float = Field(gt=0, le=1)
    rows: float = Field(gt=0, le=1)
    # Penalty on squared leaf values.
    l2: float = Field(ge=0)
    bins: int = Field(ge=2, le=1024)


class Model(Regressor):
    """Boosted level-wise trees."""

    settings_type = XgboostSettings
    settings: XgboostSettings
    kind = "tree"

    def _fit(self, design: Design, target: Target, *, seed: int, threads: int) -> None:
        rounds = self.settings.rounds
        if self.settings.patience:
            rounds = self._best_rounds(design, target, seed, threads)
        self.booster = self._train(design, target, rounds, seed, threads)

    def _best_rounds(self, design: Design, target: Target, seed: int, threads: int) -> int:
        """Return the number of rounds with the lowest SMAPE on a grouped hold-out."""
        fit, held_out = inner_splits(target.groups, seed)[0]
        booster = self._train(
            design.take(fit),
            target.take(fit),
            self.settings.rounds,
            seed,
            threads,
            evals=[(xgb.DMatrix(design.take(held_out).dense, target.log_price[held_out]), "inner")],
            custom_metric=_smape,
            early_stopping_rounds=self.settings.patience,
            verbose_eval=False,
        )
        return int(booster.best_iteration) + 1

    def _train(
        self, design: Design, target: Target, rounds: int, seed: int, threads: int, **more: Any
    ) -> Any:
        parameters = self._parameters(seed, threads)
        parameters["base_score"] = center(self.settings.loss, target.log_price)
        data = xgb.QuantileDMatrix(
            design.dense, target.log_price, weight=target.weight, max_bin=self.settings.bins
        )
        objective = None if self.settings.loss == "native_l1" else self._objective
        return xgb.train(parameters, data, rounds, obj=objective, **more)

    def _parameters(self, seed: int, threads: int) -> dict[str, Any]:
        settings = self.settings
        native = {"objective": "reg:absoluteerror"} if settings.loss == "native_l1" else {}
        return {
            **native,
            "disable_default_eval_metric": True,
            "tree_method": "hist",
            "eta": settings.learning_rate,
            "max_depth": settings.depth,
            "min_child_weight": settings.leaf_weight,
            "colsample_bytree": settings.columns,
            "subsample": settings.rows,
            "lambda": settings.l2,
            "max_bin": settings.bins,
            "seed": seed,
            "nthread": threads,
            "verbosity": 0,
        }

    def _objective(self, predicted: Floats, data: Any) -> tuple[Floats, Floats]:
        gap = predicted.astype(np.float64) - data.get_label()
        weight = data.get_weight()
        scale = weight if weight.size else 1.0
        loss: Any = self.settings.loss
        return scale * gradient(loss, gap), scale * curvature(loss, gap)

    def _predict(self, design: Design) -> Floats:
        return np.asarray(self.booster.inplace_predict(design.dense), dtype=np.float64)

    def _save(self, folder: Path) -> None:
        write_text(folder / "booster.json", self.booster.save_raw("json").decode("utf-8"))

    def _load(self, folder: Path) -> None:
        content = bytearray((folder / "booster.json").read_bytes())
        try:
            self.booster = xgb.Booster(model_file=content)
        except xgb.core.XGBoostError as error:
            raise ModelError(f"{folder}/booster.json: {error}") from None


def _smape(predicted: Floats, data: Any) -> tuple[str, float]:
    return "smape", smape_of_logs(data.get_label(), predicted)
