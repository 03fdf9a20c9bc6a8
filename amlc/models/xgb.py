"""Gradient boosting by XGBoost."""

import contextlib
import threading
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import xgboost as xgb
from pydantic import Field
from xgboost.tracker import RabitTracker

from amlc.arrays import Floats, Floats32
from amlc.models.boosting import Boosting, Data, DistributedSettings, dataset_smape
from amlc.models.distributed import Share
from amlc.models.losses import center

if TYPE_CHECKING:
    from amlc.execution.backend import Member

FIXED = {"disable_default_eval_metric": True, "tree_method": "hist", "verbosity": 0}
# Documented aliases of the parameters that amlc passes, and the names that it passes them by.
ALIASES = {
    "eta": "learning_rate",
    "lambda": "reg_lambda",
    "random_state": "seed",
    "n_jobs": "nthread",
}


class XgboostSettings(DistributedSettings):
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
            # A value may be wrong here but right for the real columns: the fit itself reports it.
            with contextlib.suppress(xgb.core.XGBoostError):
                xgb.train(parameters, xgb.DMatrix(rows, rows[:, 0], nthread=1), 1)
        text = "".join(str(warning.message) for warning in caught)
        return [name for name in extra if f'"{name}"' in text]


class XGBoost(Boosting):
    """Boosted level-wise trees."""

    name = "xgboost"
    settings_type = XgboostSettings
    settings: XgboostSettings
    library_error = xgb.core.XGBoostError
    file_name = "booster.json"

    def _boost(
        self, train: Data, rounds: int, seed: int, threads: int, validation: Data | None = None
    ) -> int:
        (design, target), settings = train, self.settings
        objective = self._objective()
        self.start = center(settings.loss, target.log_price)
        parameters = {
            **FIXED,
            **({} if objective else {"objective": "reg:absoluteerror"}),
            **settings.library_parameters(),
            "base_score": self.start,
            "seed": seed,
            "nthread": max(threads // self.workers, 1),
        }
        columns = (design.dense, target.log_price, target.weight)
        whole = Share(*columns, parameters, objective, rounds)
        if self.workers > 1:
            self.booster = self._fit_together(_prepare, _fit_share, whole, threads)
            return rounds
        options: dict[str, Any] = {}
        if validation is not None:
            held_out, actual = validation
            inner = xgb.DMatrix(held_out.dense, actual.log_price, nthread=threads)
            options = {
                "evals": [(inner, "inner")],
                "custom_metric": lambda *arguments: ("smape", dataset_smape(*arguments)),
                "early_stopping_rounds": settings.early_stopping_rounds,
                "verbose_eval": False,
            }
        self.booster = xgb.train(parameters, _data(whole), rounds, obj=objective, **options)
        return rounds if validation is None else int(self.booster.best_iteration) + 1

    def _boosted(self, columns: Floats32) -> Floats:
        return np.asarray(self.booster.inplace_predict(columns), dtype=np.float64)

    def _rounds(self) -> int:
        return int(self.booster.num_boosted_rounds())

    def _sum_of_rounds(self, columns: Floats32, first: int, last: int) -> Floats:
        log_price = self.booster.inplace_predict(columns, iteration_range=(first, last))
        # Each call adds the start.
        return np.asarray(log_price, dtype=np.float64) - self.start

    def _gains(self) -> Floats:
        gains = self.booster.get_score(importance_type="total_gain")
        count = len(self.encoder.columns)
        return np.array([gains.get(f"f{column}", 0.0) for column in range(count)])

    def _to_text(self) -> str:
        return _text(self.booster)

    def _from_text(self, text: str) -> Any:
        return xgb.Booster(model_file=bytearray(text, "utf-8"))


def _data(share: Share) -> Any:
    return xgb.QuantileDMatrix(
        share.columns,
        share.label,
        weight=share.weight,
        max_bin=share.parameters["max_bin"],
        nthread=share.parameters["nthread"],
    )


def _text(booster: Any) -> str:
    return str(booster.save_raw("json"), "utf-8")


def _prepare(share: None, member: "Member") -> dict[str, Any]:  # noqa: ARG001 - as the backend calls it
    """Return how the workers find each other, which is by a thread of the first."""
    if member.rank > 0:
        return {}
    tracker = RabitTracker(n_workers=len(member.hosts), host_ip=member.hosts[0], sortby="task")
    tracker.start()
    # The thread keeps the tracker until the last worker has left.
    threading.Thread(target=tracker.wait_for, daemon=True).start()
    return dict(tracker.worker_args())


def _fit_share(share: Share, member: "Member") -> str:
    """Fit a booster with the other workers, to whose rows they all fit it; return its text."""
    # Ranks follow the order of these names.
    name = f"{member.rank:06}"
    with xgb.collective.CommunicatorContext(**member.prepared[0], dmlc_task_id=name):
        data, parameters = _data(share), share.parameters
        return _text(xgb.train(parameters, data, share.rounds, obj=share.objective))
