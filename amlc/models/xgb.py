"""Gradient boosting by XGBoost."""

import contextlib
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import xgboost as xgb
from pydantic import Field

from amlc.arrays import Floats, Floats32
from amlc.errors import ModelError
from amlc.files import write_text
from amlc.models.boosting import Boosting, BoostingSettings, Data, smape_of, weighted_derivatives
from amlc.models.design import Design
from amlc.models.losses import center
from amlc.models.target import Target

# Settings that XGBoost gets under the name that they have in params.yaml.
PASSED_ON = (
    "learning_rate",
    "max_depth",
    "min_child_weight",
    "colsample_bytree",
    "subsample",
    "reg_lambda",
    "max_bin",
)
FIXED = {"disable_default_eval_metric": True, "tree_method": "hist", "verbosity": 0}
# The documented aliases of parameters that amlc passes.
ALIASES = {
    "eta": "learning_rate",
    "lambda": "reg_lambda",
    "random_state": "seed",
    "n_jobs": "nthread",
}


class XgboostSettings(BoostingSettings):
    """Section `train.xgboost` of params.yaml."""

    library = "XGBoost"
    reserved = frozenset({*FIXED, "objective", "base_score", "eval_metric", "seed", "nthread"})

    max_depth: int = Field(ge=1, le=20)
    min_child_weight: float = Field(ge=0)
    max_bin: int = Field(ge=2, le=1024)

    @classmethod
    def main_name(cls, name: str) -> str:
        """Return the name by which amlc passes a parameter."""
        return ALIASES.get(name, name)

    @classmethod
    def unknown_names(cls, extra: dict[str, Any]) -> list[str]:
        """Return the names that XGBoost warns about in a training run on two rows."""
        rows = np.array([[0.0], [1.0]], dtype=np.float32)
        parameters = {**FIXED, **extra, "nthread": 1, "verbosity": 1, "validate_parameters": True}
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            # Values may be faulty, or fit the real columns only: the model's own fit reports them.
            with contextlib.suppress(xgb.core.XGBoostError):
                xgb.train(parameters, xgb.DMatrix(rows, rows[:, 0], nthread=1), 1)
        text = "".join(str(warning.message) for warning in caught)
        return [name for name in extra if f'"{name}"' in text]


class XGBoost(Boosting):
    """Boosted level-wise trees."""

    settings_type = XgboostSettings
    settings: XgboostSettings

    def _boost(
        self, train: Data, rounds: int, *, seed: int, threads: int, validation: Data | None = None
    ) -> int:
        design, target = train
        parameters = self._parameters(seed, threads)
        parameters["base_score"] = self.start = center(self.settings.loss, target.log_price)
        data = xgb.QuantileDMatrix(
            design.dense,
            target.log_price,
            weight=target.weight,
            max_bin=self.settings.max_bin,
            nthread=threads,
        )
        options: dict[str, Any] = {}
        if validation is not None:
            options = {
                "evals": [(_validation_data(*validation, threads), "inner")],
                "custom_metric": _smape,
                "early_stopping_rounds": self.settings.early_stopping_rounds,
                "verbose_eval": False,
            }
        objective = None if self.settings.loss == "native_l1" else self._objective
        self.booster = _train(parameters, data, rounds, obj=objective, **options)
        return rounds if validation is None else int(self.booster.best_iteration) + 1

    def _parameters(self, seed: int, threads: int) -> dict[str, Any]:
        settings = self.settings
        native = {"objective": "reg:absoluteerror"} if settings.loss == "native_l1" else {}
        return {
            **FIXED,
            **native,
            **settings.library_parameters(PASSED_ON),
            "seed": seed,
            "nthread": threads,
        }

    def _objective(self, predicted: Floats, data: Any) -> tuple[Floats, Floats]:
        gap = predicted.astype(np.float64) - data.get_label()
        return weighted_derivatives(self.settings.loss, gap, data.get_weight())

    def _predict(self, design: Design) -> Floats:
        return np.asarray(self.booster.inplace_predict(design.dense), dtype=np.float64)

    def _rounds(self) -> int:
        return int(self.booster.num_boosted_rounds())

    def _start(self) -> float:
        return self.start

    def _sum_of_rounds(self, columns: Floats32, first: int, last: int) -> Floats:
        log_price = self.booster.inplace_predict(columns, iteration_range=(first, last))
        # Each call adds the start.
        return np.asarray(log_price, dtype=np.float64) - self.start

    def _gains(self) -> Floats:
        gains = self.booster.get_score(importance_type="total_gain")
        count = len(self.encoder.columns)
        return np.array([gains.get(f"f{column}", 0.0) for column in range(count)])

    def _save(self, folder: Path) -> None:
        write_text(folder / "booster.json", self.booster.save_raw("json").decode("utf-8"))

    def _load(self, folder: Path) -> None:
        content = bytearray((folder / "booster.json").read_bytes())
        try:
            self.booster = xgb.Booster(model_file=content)
        except xgb.core.XGBoostError as error:
            raise ModelError(f"{folder}/booster.json: {error}") from None


def _train(parameters: dict[str, Any], data: Any, rounds: int, **options: Any) -> Any:
    try:
        return xgb.train(parameters, data, rounds, **options)
    except xgb.core.XGBoostError as error:
        reason = str(error).splitlines()[0]
        raise ModelError(f"XGBoost cannot be fitted: {reason}") from None


def _validation_data(design: Design, target: Target, threads: int) -> Any:
    return xgb.DMatrix(design.dense, target.log_price, nthread=threads)


def _smape(predicted: Floats, data: Any) -> tuple[str, float]:
    return "smape", smape_of(predicted, data)
