"""Gradient boosting by LightGBM."""

from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
from pydantic import Field

from amlc.arrays import Floats
from amlc.errors import ModelError
from amlc.files import write_text
from amlc.models.base import Target
from amlc.models.boosting import Boosting, BoostingSettings, slopes, smape_of
from amlc.models.design import Design
from amlc.models.losses import center


class LightgbmSettings(BoostingSettings):
    """Section `train.lightgbm` of params.yaml."""

    leaves: int = Field(ge=2, le=4096)
    leaf_rows: int = Field(ge=1)
    bins: int = Field(ge=2, le=255)


class LightGBM(Boosting):
    """Boosted leaf-wise trees.

    Notes
    -----
    LightGBM's number of threads is one variable of the whole process, set by every call that takes
    parameters, and a call without a number sets it to that of the cores. A training in another
    thread then reaches beyond the buffers that it has made for fewer. So each call here gives the
    number, and all fits of a process have to agree on it.
    """

    settings_type = LightgbmSettings
    settings: LightgbmSettings
    # That of the fit; a model that was loaded predicts on one.
    threads = 1

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
        # LightGBM itself starts custom losses from 0.
        self.start = center(self.settings.loss, target.log_price)
        self.threads = threads
        parameters = self._parameters(seed)
        more: dict[str, Any] = {}
        if watched is not None:
            parameters["metric"] = "None"
            more = {
                "valid_sets": [self._data(*watched)],
                "feval": _smape,
                "callbacks": [lgb.early_stopping(self.settings.patience, verbose=False)],
            }
        self.booster = _train(parameters, self._data(design, target), rounds, **more)
        return int(self.booster.best_iteration)

    def _data(self, design: Design, target: Target) -> Any:
        return lgb.Dataset(
            design.dense,
            target.log_price - self.start,
            weight=target.weight,
            params={
                "max_bin": self.settings.bins,
                "num_threads": self.threads,
                "verbosity": -1,
            },
        )

    def _parameters(self, seed: int) -> dict[str, Any]:
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
            "num_threads": self.threads,
            "deterministic": True,
            "force_row_wise": True,
            "verbosity": -1,
        }

    def _objective(self, predicted: Floats, data: Any) -> tuple[Floats, Floats]:
        return slopes(self.settings.loss, predicted - data.get_label(), data.get_weight())

    def _predict(self, design: Design) -> Floats:
        found = self.booster.predict(design.dense, num_threads=self.threads)
        return np.asarray(found) + self.start

    def _rounds(self) -> int:
        return int(self.booster.num_trees())

    def _start(self) -> float:
        return self.start

    def _sum_of_rounds(self, columns: Any, first: int, last: int) -> Floats:
        found = self.booster.predict(
            columns,
            start_iteration=first,
            num_iteration=last - first,
            num_threads=self.threads,
        )
        return np.asarray(found)

    def _gains(self) -> Floats:
        return np.asarray(self.booster.feature_importance("gain"), dtype=np.float64)

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
    return "smape", smape_of(predicted, data), False
