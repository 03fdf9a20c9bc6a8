"""Gradient boosting by LightGBM."""

import ctypes
import functools
import json
import re
from typing import TYPE_CHECKING, Any, ClassVar

import lightgbm as lgb
import numpy as np
from pydantic import Field

from amlc.arrays import Floats, Floats32
from amlc.models.boosting import (
    Boosting,
    BoostingSettings,
    Data,
    DistributedSettings,
    dataset_smape,
)
from amlc.models.design import Design
from amlc.models.distributed import Share, free_port
from amlc.models.losses import center
from amlc.models.target import Target

if TYPE_CHECKING:
    from amlc.execution.backend import Member

FIXED = {
    # `_boost` subtracts the start from the labels itself.
    "boost_from_average": False,
    # A row's curvature can be as small as this: see `amlc.models.losses.curvature`.
    "min_sum_hessian_in_leaf": 1e-6,
    # The same bytes in each run, for any load of the machine.
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
}
NATIVE_L1 = "regression_l1"
# What makes the workers of a distributed fit know each other.
NETWORK = ("machines", "local_listen_port", "num_machines", "tree_learner", "pre_partition")
# Lines of a model's text that differ from worker to worker.
_ADDRESSES = re.compile(r"^\[(machines|local_listen_port): .*\]\n", re.MULTILINE)


class LightgbmSettings(BoostingSettings):
    """The keys of a model that LightGBM fits."""

    library = "LightGBM"
    reserved = frozenset(
        {*FIXED, *NETWORK, "objective", "metric", "bagging_freq", "seed", "num_threads"}
    )

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


class LightgbmModelSettings(DistributedSettings, LightgbmSettings):
    """Section `train.lightgbm` of params.yaml."""


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

    name = "lightgbm"
    settings_type: ClassVar[type[LightgbmSettings]] = LightgbmModelSettings
    settings: LightgbmSettings
    library_error = lgb.basic.LightGBMError
    file_name = "booster.txt"
    # Set by `fit`; a model that was loaded predicts on one thread.
    threads = 1

    def _boost(
        self, train: Data, rounds: int, seed: int, threads: int, validation: Data | None = None
    ) -> int:
        design, target = train
        settings = self.settings
        # LightGBM starts custom losses from 0, so the start is subtracted from the labels.
        self.start = center(settings.loss, target.log_price)
        self.threads = threads
        objective = self._objective()
        parameters = {
            **FIXED,
            **settings.library_parameters(),
            "bagging_freq": 1 if settings.subsample < 1 else 0,
            "seed": seed,
            "num_threads": max(threads // self.workers, 1),
        }
        if self.workers > 1:
            label, weight = target.log_price - self.start, target.weight
            whole = Share(design.dense, label, weight, parameters, objective, rounds)
            self.booster = self._fit_together(_prepare, _fit_share, whole, threads)
            return rounds
        data = self._data(design, target, parameters).construct()
        # LightGBM leaves columns out that no split can divide; without any, it does not train.
        if not any(map(data.feature_num_bin, range(data.num_feature()))):
            self.booster = None
            return rounds
        options: dict[str, Any] = {}
        if validation is not None:
            parameters["metric"] = "None"
            options = {
                "valid_sets": [self._data(*validation, parameters)],
                "feval": lambda *arguments: ("smape", dataset_smape(*arguments), False),
                "callbacks": [lgb.early_stopping(settings.early_stopping_rounds, verbose=False)],
            }
        parameters["objective"] = objective or NATIVE_L1
        self.booster = lgb.train(parameters, data, rounds, **options)
        return int(self.booster.best_iteration)

    def _data(self, design: Design, target: Target, parameters: dict[str, Any]) -> Any:
        return lgb.Dataset(
            design.dense, target.log_price - self.start, weight=target.weight, params=parameters
        )

    def _boosted(self, columns: Floats32) -> Floats:
        above_start = self.booster.predict(columns, num_threads=self.threads)
        return np.asarray(above_start) + self.start

    def _rounds(self) -> int:
        return int(self.booster.num_trees())

    def _sum_of_rounds(self, columns: Floats32, first: int, last: int) -> Floats:
        rounds = {"start_iteration": first, "num_iteration": last - first}
        return np.asarray(self.booster.predict(columns, **rounds, num_threads=self.threads))

    def _gains(self) -> Floats:
        return np.asarray(self.booster.feature_importance("gain"), dtype=np.float64)

    def _to_text(self) -> str:
        return str(self.booster.model_to_string())

    def _from_text(self, text: str) -> Any:
        return lgb.Booster(model_str=text)


def _prepare(share: None, member: "Member") -> int:  # noqa: ARG001 - as the backend calls it
    """Return the port on which a worker will wait for the others."""
    return free_port()


def _fit_share(share: Share, member: "Member") -> str:
    """Fit a booster with the other workers, to whose rows they all fit it; return its text."""
    machines = zip(member.hosts, member.prepared, strict=True)
    network: dict[str, Any] = {
        "machines": ",".join(f"{host}:{port}" for host, port in machines),
        "local_listen_port": member.prepared[member.rank],
        "num_machines": len(member.hosts),
        "tree_learner": "data",
        "pre_partition": True,
        "objective": share.objective or NATIVE_L1,
    }
    parameters = {**share.parameters, **network}
    data = lgb.Dataset(share.columns, share.label, weight=share.weight, params=parameters)
    booster = lgb.train(parameters, data, share.rounds)
    booster.free_network()
    return _ADDRESSES.sub("", booster.model_to_string())
