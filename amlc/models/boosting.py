"""What LightGBM and XGBoost have in common: settings, losses, early stopping, rounds one by one."""

from abc import abstractmethod
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from pydantic import Field

from amlc.arrays import Floats
from amlc.features.blocks import Blocks
from amlc.metrics import smape_of_logs
from amlc.models.base import DenseSettings, Regressor, Target
from amlc.models.design import Design
from amlc.models.losses import LossName, curvature, gradient
from amlc.models.target_encoding import inner_splits

# Points of a learning curve.
CURVE_POINTS = 40


class BoostingSettings(DenseSettings):
    """What the sections of both boosted models have."""

    # "native_l1" is the library's own: each leaf is set to the median of its residuals.
    loss: LossName | Literal["native_l1"]
    rounds: int = Field(ge=1, le=100_000)
    # Rounds without a better SMAPE on an inner hold-out after which it stops; 0: never.
    patience: int = Field(ge=0)
    learning_rate: float = Field(gt=0, le=1)
    # Share of the columns tried in each tree, and of the rows.
    columns: float = Field(gt=0, le=1)
    rows: float = Field(gt=0, le=1)
    # Penalty on squared leaf values.
    l2: float = Field(ge=0)


class Boosting(Regressor):
    """Boosted trees on the columns of the dense blocks."""

    settings: BoostingSettings
    kind = "tree"

    def _fit(self, design: Design, target: Target, *, seed: int, threads: int) -> None:
        rounds = self.settings.rounds
        if self.settings.patience:
            rounds = self._best_rounds(design, target, seed=seed, threads=threads)
        self._boost(design, target, rounds, seed=seed, threads=threads)

    def _best_rounds(self, design: Design, target: Target, *, seed: int, threads: int) -> int:
        """Return the number of rounds with the lowest SMAPE on a grouped hold-out."""
        fit, held_out = inner_splits(target.groups, seed)[0]
        watched = design.take(held_out), target.take(held_out)
        return self._boost(
            design.take(fit),
            target.take(fit),
            self.settings.rounds,
            seed=seed,
            threads=threads,
            watched=watched,
        )

    def staged(self, blocks: Blocks) -> Iterator[tuple[int, Floats]]:
        """Yield numbers of rounds, and the log prices that the first so many rounds predict."""
        columns = self.view.transform(self._chosen(blocks)).dense
        count = self._rounds()
        marks = np.unique(np.linspace(0, count, CURVE_POINTS + 1).round().astype(int)).tolist()
        total = np.full(len(columns), self._start())
        for first, last in pairwise(marks):
            total = total + self._sum_of_rounds(columns, first, last)
            yield last, total

    def importance(self) -> dict[str, float]:
        """Return each column's share of the loss that splits on it saved."""
        gains = self._gains()
        total = float(gains.sum()) or 1.0
        return dict(zip(self.view.columns, (gains / total).tolist(), strict=True))

    @abstractmethod
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
        """Fit the booster; return the best number of rounds on what is watched, if anything is."""

    @abstractmethod
    def _rounds(self) -> int: ...

    @abstractmethod
    def _start(self) -> float:
        """Return what no rounds at all predict."""

    @abstractmethod
    def _sum_of_rounds(self, columns: Any, first: int, last: int) -> Floats: ...

    @abstractmethod
    def _gains(self) -> Floats: ...


def slopes(loss: str, gap: Floats, weight: Floats | None) -> tuple[Floats, Floats]:
    """Return weighted gradient and curvature of a loss.

    Parameters
    ----------
    loss : str
        See `amlc.models.losses`.
    gap : ndarray of float64, shape (n,)
        Predicted less actual log price.
    weight : ndarray of float, shape (n,), optional
        None or empty: all 1.
    """
    name: Any = loss
    scale: Any = 1.0 if weight is None or not len(weight) else weight
    return scale * gradient(name, gap), scale * curvature(name, gap)


def smape_of(predicted: Floats, data: Any) -> float:
    """Return SMAPE of predicted log prices against a data set's labels."""
    return smape_of_logs(data.get_label(), predicted)
