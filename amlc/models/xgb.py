"""Gradient boosting by XGBoost."""

from pathlib import Path
from typing import Any

import numpy as np
import xgboost as xgb
from pydantic import Field

from amlc.arrays import Floats
from amlc.errors import ModelError
from amlc.files import write_text
from amlc.models.base import Target
from amlc.models.boosting import Boosting, BoostingSettings, slopes, smape_of
from amlc.models.design import Design
from amlc.models.losses import center


class XgboostSettings(BoostingSettings):
    """Section `train.xgboost` of params.yaml."""

    depth: int = Field(ge=1, le=20)
    # Sum of the loss's curvature in a leaf, at least.
    leaf_weight: float = Field(ge=0)
    bins: int = Field(ge=2, le=1024)


class XGBoost(Boosting):
    """Boosted level-wise trees."""

    settings_type = XgboostSettings
    settings: XgboostSettings

    def _boost(
        self,
        design: Design,
        target: Target,
        rounds: int,
        *,
        seed: int,
        threads: int,
        watched: tuple[Design, Target] | None = None,
    ) -> int:
        parameters = self._parameters(seed, threads)
        parameters["base_score"] = self.start = center(self.settings.loss, target.log_price)
        data = xgb.QuantileDMatrix(
            design.dense,
            target.log_price,
            weight=target.weight,
            max_bin=self.settings.bins,
            nthread=threads,
        )
        more: dict[str, Any] = {}
        if watched is not None:
            more = {
                "evals": [(_watched(*watched, threads), "inner")],
                "custom_metric": _smape,
                "early_stopping_rounds": self.settings.patience,
                "verbose_eval": False,
            }
        objective = None if self.settings.loss == "native_l1" else self._objective
        self.booster = xgb.train(parameters, data, rounds, obj=objective, **more)
        return rounds if watched is None else int(self.booster.best_iteration) + 1

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
        return slopes(self.settings.loss, gap, data.get_weight())

    def _predict(self, design: Design) -> Floats:
        return np.asarray(self.booster.inplace_predict(design.dense), dtype=np.float64)

    def _rounds(self) -> int:
        return int(self.booster.num_boosted_rounds())

    def _start(self) -> float:
        return self.start

    def _sum_of_rounds(self, columns: Any, first: int, last: int) -> Floats:
        found = self.booster.inplace_predict(columns, iteration_range=(first, last))
        # Each call adds the start.
        return np.asarray(found, dtype=np.float64) - self.start

    def _gains(self) -> Floats:
        gains = self.booster.get_score(importance_type="total_gain")
        return np.array([gains.get(f"f{column}", 0.0) for column in range(len(self.view.columns))])

    def _save(self, folder: Path) -> None:
        write_text(folder / "booster.json", self.booster.save_raw("json").decode("utf-8"))

    def _load(self, folder: Path) -> None:
        content = bytearray((folder / "booster.json").read_bytes())
        try:
            self.booster = xgb.Booster(model_file=content)
        except xgb.core.XGBoostError as error:
            raise ModelError(f"{folder}/booster.json: {error}") from None


def _watched(design: Design, target: Target, threads: int) -> Any:
    return xgb.DMatrix(design.dense, target.log_price, nthread=threads)


def _smape(predicted: Floats, data: Any) -> tuple[str, float]:
    return "smape", smape_of(predicted, data)
