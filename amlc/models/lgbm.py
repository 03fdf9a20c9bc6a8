"""Gradient boosting by LightGBM."""

import ctypes
import functools
import json
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
from pydantic import Field

from amlc.arrays import Floats, Floats32
from amlc.errors import ModelError
from amlc.files import write_text
from amlc.models.boosting import Boosting, BoostingSettings, Data, smape_of, weighted_derivatives
from amlc.models.design import Design
from amlc.models.losses import center
from amlc.models.target import Target

# Settings that LightGBM gets under the name that they have in params.yaml.
PASSED_ON = (
    "learning_rate",
    "num_leaves",
    "min_child_samples",
    "colsample_bytree",
    "subsample",
    "reg_lambda",
    "max_bin",
)
FIXED = {
    "boost_from_average": False,
    "min_sum_hessian_in_leaf": 1e-6,
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
}


class LightgbmSettings(BoostingSettings):
    """Section `train.lightgbm` of params.yaml."""

    library = "LightGBM"
    reserved = frozenset({*FIXED, "objective", "metric", "bagging_freq", "seed", "num_threads"})

    num_leaves: int = Field(ge=2, le=4096)
    min_child_samples: int = Field(ge=1)
    max_bin: int = Field(ge=2, le=255)

    @classmethod
    def main_name(cls, name: str) -> str:
        """Return LightGBM's main name of a parameter."""
        names = (main for main, aliases in parameter_aliases().items() if name in aliases)
        return next(names, name)

    @classmethod
    def unknown_names(cls, extra: dict[str, Any]) -> list[str]:
        """Return the names that are not in LightGBM's list of parameters."""
        return [name for name in extra if cls.main_name(name) not in parameter_aliases()]


@functools.cache
def parameter_aliases() -> dict[str, list[str]]:
    """Return all parameters of LightGBM by their main name, with their aliases."""
    # The function is documented in LightGBM's C interface; Python has no public way to it.
    library = lgb.basic._LIB  # type: ignore[attr-defined]  # noqa: SLF001 - see above
    dump = library.LGBM_DumpParamAliases
    size = ctypes.c_int64(0)
    dump(size, ctypes.byref(size), None)
    text = ctypes.create_string_buffer(size.value)
    dump(size, ctypes.byref(size), text)
    aliases: dict[str, list[str]] = json.loads(text.value)
    return aliases


class LightGBM(Boosting):
    """Boosted leaf-wise trees.

    Notes
    -----
    LightGBM's number of threads is one variable of the whole process. Every call that takes
    parameters sets it, and a call without a number sets it to the number of cores. A training run
    in another thread then writes beyond its buffers, which were made for fewer threads. So every
    call here passes the number, and all fits in one process must use the same one.
    """

    settings_type = LightgbmSettings
    settings: LightgbmSettings
    # Set by `fit`; a model that was loaded predicts on one thread.
    threads = 1

    def _boost(
        self, train: Data, rounds: int, *, seed: int, threads: int, validation: Data | None = None
    ) -> int:
        design, target = train
        # LightGBM starts custom losses from 0, so the start is subtracted from the labels.
        self.start = center(self.settings.loss, target.log_price)
        self.threads = threads
        parameters = self._parameters(seed)
        options: dict[str, Any] = {}
        if validation is not None:
            patience = self.settings.early_stopping_rounds
            parameters["metric"] = "None"
            options = {
                "valid_sets": [self._data(*validation)],
                "feval": _smape,
                "callbacks": [lgb.early_stopping(patience, verbose=False)],
            }
        self.booster = _train(parameters, self._data(design, target), rounds, **options)
        return int(self.booster.best_iteration)

    def _data(self, design: Design, target: Target) -> Any:
        return lgb.Dataset(
            design.dense,
            target.log_price - self.start,
            weight=target.weight,
            params={
                "max_bin": self.settings.max_bin,
                "num_threads": self.threads,
                "verbosity": -1,
            },
        )

    def _parameters(self, seed: int) -> dict[str, Any]:
        settings = self.settings
        return {
            **FIXED,
            **settings.library_parameters(PASSED_ON),
            "objective": "regression_l1" if settings.loss == "native_l1" else self._objective,
            "bagging_freq": 1 if settings.subsample < 1 else 0,
            "seed": seed,
            "num_threads": self.threads,
        }

    def _objective(self, predicted: Floats, data: Any) -> tuple[Floats, Floats]:
        gap = predicted - data.get_label()
        return weighted_derivatives(self.settings.loss, gap, data.get_weight())

    def _predict(self, design: Design) -> Floats:
        above_start = self.booster.predict(design.dense, num_threads=self.threads)
        return np.asarray(above_start) + self.start

    def _rounds(self) -> int:
        return int(self.booster.num_trees())

    def _start(self) -> float:
        return self.start

    def _sum_of_rounds(self, columns: Floats32, first: int, last: int) -> Floats:
        log_price = self.booster.predict(
            columns,
            start_iteration=first,
            num_iteration=last - first,
            num_threads=self.threads,
        )
        return np.asarray(log_price)

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


def _train(parameters: dict[str, Any], data: Any, rounds: int, **options: Any) -> Any:
    try:
        return lgb.train(parameters, data, rounds, **options)
    except lgb.basic.LightGBMError as error:
        # For example: no column varies.
        raise ModelError(f"LightGBM cannot be fitted: {error}") from None


def _smape(predicted: Floats, data: Any) -> tuple[str, float, bool]:
    return "smape", smape_of(predicted, data), False
