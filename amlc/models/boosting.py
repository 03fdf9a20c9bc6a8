"""What LightGBM and XGBoost share: settings, losses, early stopping, staged predictions."""

import hashlib
from abc import abstractmethod
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, field_validator, model_validator

from amlc.arrays import Floats, Floats32
from amlc.errors import ModelError, first_line
from amlc.features.blocks import Blocks
from amlc.files import read_json, write_json, write_text
from amlc.metrics import smape_of_logs
from amlc.models.base import DenseSettings, ModelSettings, Regressor
from amlc.models.design import Design
from amlc.models.distributed import Share, fit_together
from amlc.models.losses import LossName, best_constant, curvature, gradient
from amlc.models.target import Target
from amlc.models.target_encoding import inner_splits

if TYPE_CHECKING:
    from amlc.execution.backend import Member

# Settings that the library does not get as they are.
NOT_PASSED = {
    *ModelSettings.model_fields,
    *("loss", "n_estimators", "early_stopping_rounds", "distributed", "extra"),
}
# Points of a learning curve.
CURVE_POINTS = 40
# What is saved beside the library's file: where boosting starts, and the hash of that file.
FIT_FILE = "fit.json"
# What a booster's file holds where there is none.
NO_BOOSTER = "nothing to split on\n"

Scalar = bool | int | float | str
# Some rows: what a model computes with, and their prices.
Data = tuple[Design, Target]


class BoostingSettings(DenseSettings):
    """The keys that both boosted models have, under the libraries' own names."""

    # The library's name, for messages.
    library: ClassVar[str]
    # Names of the parameters that amlc passes to the library besides the settings.
    reserved: ClassVar[frozenset[str]]

    loss: LossName | Literal["native_l1"]
    n_estimators: int = Field(ge=1, le=100_000)
    early_stopping_rounds: int = Field(ge=0)
    learning_rate: float = Field(gt=0, le=1)
    colsample_bytree: float = Field(gt=0, le=1)
    subsample: float = Field(gt=0, le=1)
    reg_lambda: float = Field(ge=0)
    extra: dict[str, Scalar | list[Scalar]]

    @field_validator("extra")
    @classmethod
    def _known_and_free(cls, extra: dict[str, Any]) -> dict[str, Any]:
        """Refuse names that the library does not know, and those that amlc passes itself."""
        if not extra:
            return extra
        taken = {cls.main_name(name): name for name in (*cls.reserved, *cls.model_fields)}
        for name in extra:
            if (key := taken.get(cls.main_name(name))) is not None:
                by = f"the key {key}" if key in cls.model_fields else "amlc"
                raise ValueError(f"{name} is already set by {by}")
        if unknown := cls.unknown_names(extra):
            raise ValueError(f"unknown to {cls.library}: {', '.join(unknown)}")
        return extra

    @classmethod
    def main_name(cls, name: str) -> str:
        """Return the library's main name of a parameter, which may be given by an alias."""
        raise NotImplementedError

    @classmethod
    def unknown_names(cls, extra: dict[str, Any]) -> list[str]:
        """Return the names that the library does not know."""
        raise NotImplementedError

    @property
    def workers(self) -> int:
        """How many workers make one fit together."""
        return 1

    def library_parameters(self) -> dict[str, Any]:
        """Return the settings that the library gets as they are, and those in `extra`."""
        return {**self.model_dump(exclude=NOT_PASSED), **self.extra}


class DistributedSettings(BoostingSettings):
    """The keys of a booster that several workers of a cluster can fit together."""

    # Left out where it is null, so that a model's file says only what made it.
    distributed: Annotated[int, Field(ge=2, le=1000)] | None = Field(
        None, exclude_if=lambda workers: workers is None
    )

    @model_validator(mode="after")
    def _fits_end_together(self) -> Self:
        if self.distributed is not None and self.early_stopping_rounds:
            raise ValueError(
                "distributed: expected early_stopping_rounds: 0, because no worker has all of the "
                "held-out rows"
            )
        return self

    @property
    def workers(self) -> int:
        """How many workers make one fit together."""
        return self.distributed or 1


class Boosting(Regressor):
    """Boosted trees on the columns of the dense blocks.

    Attributes
    ----------
    booster : Any
        Fitted: the library's model; None if there was nothing to split on.
    start : float
        Fitted: the log price that boosting starts from, and the prediction if there is no booster.
    """

    settings: BoostingSettings
    kind = "tree"
    # The library's error, and the file that its model is saved in.
    library_error: ClassVar[type[Exception]]
    file_name: ClassVar[str]
    booster: Any
    start: float

    @property
    def workers(self) -> int:
        """How many workers make one fit together, by `distributed` in params.yaml."""
        return self.settings.workers

    @property
    def fits_at_once(self) -> int | None:
        """One fit, if several workers make it together; else as many as there are threads."""
        return 1 if self.workers > 1 else None

    def _fit(self, design: Design, target: Target, *, seed: int, threads: int) -> None:
        rounds, library = self.settings.n_estimators, self.settings.library
        try:
            if self.settings.early_stopping_rounds:
                # The number of rounds with the lowest SMAPE on a grouped hold-out.
                fit, held_out = (
                    (design.take(rows), target.take(rows))
                    for rows in inner_splits(target.groups, seed)[0]
                )
                rounds = self._boost(fit, rounds, seed, threads, validation=held_out)
            self._boost((design, target), rounds, seed, threads)
        except self.library_error as error:
            # Such as: the library refuses the value of an `extra` parameter.
            reason = first_line(error)
            raise ModelError(f"{library} cannot be fitted: {reason}") from None
        if self.booster is None or not self._gains().any():
            # Too few rows, columns that do not vary, or equal prices: no tree has a split.
            self.booster = None
            self.start = best_constant(self.settings.loss, target.log_price, target.weight)

    def _predict(self, design: Design) -> Floats:
        if self.booster is None:
            return np.full(len(design.dense), self.start)
        return self._boosted(design.dense)

    def staged_predict(self, blocks: Blocks) -> Iterator[tuple[int, Floats]]:
        """Yield the log prices after some of the rounds.

        Yields
        ------
        int
            Number of rounds.
        ndarray of float64, shape (n,)
            What the model predicts after them.
        """
        columns = self.design(blocks).dense
        rounds = 0 if self.booster is None else self._rounds()
        marks = np.linspace(0, rounds, CURVE_POINTS + 1).round().astype(int)
        log_price = np.full(len(columns), self.start)
        for first, last in pairwise(np.unique(marks).tolist()):
            log_price = log_price + self._sum_of_rounds(columns, first, last)
            yield last, log_price

    def feature_importances(self) -> dict[str, float]:
        """Return each column's share of the reduction of the loss by all splits."""
        gains = np.zeros(len(self.encoder.columns)) if self.booster is None else self._gains()
        total = float(gains.sum()) or 1.0
        return dict(zip(self.encoder.columns, (gains / total).tolist(), strict=True))

    def _objective(self) -> Callable[..., Any] | None:
        """Return the loss for the library; None: its own L1 loss."""
        loss = self.settings.loss
        return None if loss == "native_l1" else partial(derivatives, loss)

    def _fit_together(
        self,
        prepare: "Callable[[None, Member], Any]",
        fit: "Callable[[Share, Member], str]",
        whole: Share,
        threads: int,
    ) -> Any:
        """Return the booster that the workers fit together; None if no column varies."""
        if not np.ptp(whole.columns, axis=0).any():
            return None
        text = fit_together(
            self.cluster,
            *(prepare, fit, whole),
            name=self.name,
            workers=self.workers,
            threads=max(threads // self.workers, 1),
            errors=self.library_error,
        )
        return self._from_text(text)

    def _save(self, folder: Path) -> None:
        text = NO_BOOSTER if self.booster is None else self._to_text()
        write_text(folder / self.file_name, text)
        write_json(folder / FIT_FILE, {"sha256": _sha256(text), "start": self.start})

    def _load(self, folder: Path) -> None:
        path = folder / self.file_name
        text = path.read_bytes().decode()
        fit = read_json(folder / FIT_FILE)
        self.start = float(fit["start"])
        # Both libraries end the process when they read a damaged file, or predict with it.
        if fit["sha256"] != _sha256(text):
            raise ModelError(f"{path}: damaged since it was written: run dvc repro")
        try:
            self.booster = None if text == NO_BOOSTER else self._from_text(text)
        except self.library_error as error:
            raise ModelError(f"{path}: {error}") from None

    @abstractmethod
    def _boost(
        self, train: Data, rounds: int, seed: int, threads: int, validation: Data | None = None
    ) -> int:
        """Fit the booster; return the best number of rounds on the validation rows, if any."""

    @abstractmethod
    def _boosted(self, columns: Floats32) -> Floats: ...

    @abstractmethod
    def _rounds(self) -> int: ...

    @abstractmethod
    def _sum_of_rounds(self, columns: Floats32, first: int, last: int) -> Floats: ...

    @abstractmethod
    def _gains(self) -> Floats: ...

    @abstractmethod
    def _to_text(self) -> str: ...

    @abstractmethod
    def _from_text(self, text: str) -> Any: ...


def derivatives(loss: LossName, predicted: Floats, data: Any) -> tuple[Floats, Floats]:
    """Return gradient and curvature of each row's loss, as both libraries ask for them.

    Parameters
    ----------
    loss : str
        As in `amlc.models.losses.gradient`.
    predicted : ndarray of float, shape (n,)
        Predicted log prices.
    data : Any
        The library's data set, with labels and weights.
    """
    gap = predicted.astype(np.float64) - data.get_label()
    weight = data.get_weight()
    scale: Any = 1.0 if weight is None or not len(weight) else weight
    return scale * gradient(loss, gap), scale * curvature(loss, gap)


def dataset_smape(predicted: Floats, data: Any) -> float:
    """Return the SMAPE of predicted log prices against the labels of a library's data set."""
    return smape_of_logs(data.get_label(), predicted)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
