"""What LightGBM and XGBoost share: settings, losses, early stopping, predictions by rounds."""

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field, field_validator

from amlc.arrays import Floats, Floats32
from amlc.features.blocks import Blocks
from amlc.metrics import smape_of_logs
from amlc.models.base import DenseSettings, Regressor
from amlc.models.design import Design
from amlc.models.losses import LossName, curvature, gradient
from amlc.models.target import Target
from amlc.models.target_encoding import inner_splits

# Points of a learning curve.
CURVE_POINTS = 40

Scalar = bool | int | float | str
# Some rows: what a model computes with, and their prices.
Data = tuple[Design, Target]


class BoostingSettings(DenseSettings):
    """The keys that the sections of both boosted models have, by the libraries' names."""

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
            if (own := taken.get(cls.main_name(name))) is not None:
                by = f"the key {own}" if own in cls.model_fields else "amlc"
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

    def library_parameters(self, names: Iterable[str]) -> dict[str, Any]:
        """Return the settings of these names and those in `extra`, for the library."""
        return {**{name: getattr(self, name) for name in names}, **self.extra}


class Boosting(Regressor):
    """Boosted trees on the columns of the dense blocks."""

    settings: BoostingSettings
    kind = "tree"

    def _fit(self, design: Design, target: Target, *, seed: int, threads: int) -> None:
        rounds = self.settings.n_estimators
        if self.settings.early_stopping_rounds:
            rounds = self._best_rounds(design, target, seed=seed, threads=threads)
        self._boost((design, target), rounds, seed=seed, threads=threads)

    def _best_rounds(self, design: Design, target: Target, *, seed: int, threads: int) -> int:
        """Return the number of rounds with the lowest SMAPE on a grouped hold-out."""
        fit, held_out = inner_splits(target.groups, seed)[0]
        return self._boost(
            (design.take(fit), target.take(fit)),
            self.settings.n_estimators,
            seed=seed,
            threads=threads,
            validation=(design.take(held_out), target.take(held_out)),
        )

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
        rounds = self._rounds()
        marks = np.unique(np.linspace(0, rounds, CURVE_POINTS + 1).round().astype(int)).tolist()
        log_price = np.full(len(columns), self._start())
        for first, last in pairwise(marks):
            log_price = log_price + self._sum_of_rounds(columns, first, last)
            yield last, log_price

    def feature_importances(self) -> dict[str, float]:
        """Return each column's share of the reduction of the loss by all splits."""
        gains = self._gains()
        total = float(gains.sum()) or 1.0
        return dict(zip(self.encoder.columns, (gains / total).tolist(), strict=True))

    @abstractmethod
    def _boost(
        self, train: Data, rounds: int, *, seed: int, threads: int, validation: Data | None = None
    ) -> int:
        """Fit the booster; return the best number of rounds on the validation rows, if any."""

    @abstractmethod
    def _rounds(self) -> int: ...

    @abstractmethod
    def _start(self) -> float:
        """Return the prediction before the first round."""

    @abstractmethod
    def _sum_of_rounds(self, columns: Floats32, first: int, last: int) -> Floats: ...

    @abstractmethod
    def _gains(self) -> Floats: ...


def weighted_derivatives(loss: str, gap: Floats, weight: Floats | None) -> tuple[Floats, Floats]:
    """Return weighted gradient and curvature of a loss.

    Parameters
    ----------
    loss : str
        A loss of `amlc.models.losses.loss_values`.
    gap : ndarray of float64, shape (n,)
        Predicted less actual log price.
    weight : ndarray of float, shape (n,), optional
        None or empty: all 1.
    """
    name: Any = loss
    scale: Any = 1.0 if weight is None or not len(weight) else weight
    return scale * gradient(name, gap), scale * curvature(name, gap)


def smape_of(predicted: Floats, data: Any) -> float:
    """Return the SMAPE of predicted log prices against a library's data set with its labels."""
    return smape_of_logs(data.get_label(), predicted)
