"""What every regressor of log price is: settings, fit, predict, save, load."""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from amlc.arrays import Floats, Rows
from amlc.errors import DataError, ModelError, ParamsError
from amlc.features.blocks import BlockName, Blocks
from amlc.files import write_json
from amlc.models.design import Design, DesignEncoder, Kind
from amlc.models.losses import WeightSettings
from amlc.params import Settings, check


class ModelSettings(Settings):
    """What every section of `train` has."""

    # Which feature blocks the model sees.
    blocks: list[BlockName] = Field(min_length=1)
    # Rows that the overall mean counts for in target encoding; null leaves those columns out.
    smoothing: float | None = Field(gt=0)
    # How many of the most similar products to look at, where `blocks` has neighbours.
    neighbours: list[Annotated[int, Field(ge=3, le=1000)]] = Field(min_length=1)
    weights: WeightSettings

    @field_validator("blocks")
    @classmethod
    def _no_repeats(cls, blocks: list[BlockName]) -> list[BlockName]:
        if len(set(blocks)) < len(blocks):
            raise ValueError("expected each block once")
        return blocks


class DenseSettings(ModelSettings):
    """Settings of a model that cannot use the sparse terms."""

    @field_validator("blocks")
    @classmethod
    def _dense(cls, blocks: list[BlockName]) -> list[BlockName]:
        if "terms" in blocks:
            raise ValueError("expected no terms, which are sparse: trees take topics instead")
        return blocks


@dataclass(frozen=True)
class Target:
    """What a model learns.

    Parameters
    ----------
    log_price : ndarray of float64, shape (n,)
        Natural logarithm of the price.
    groups : ndarray of int, shape (n,)
        Rows of one group stay together in every split.
    weight : ndarray of float64, shape (n,), optional
        Weight of each row in the loss; None: all 1.
    """

    log_price: Floats
    groups: NDArray[Any]
    weight: Floats | None = None

    def take(self, rows: Rows) -> Self:
        """Return some rows."""
        weight = None if self.weight is None else self.weight[rows]
        return type(self)(self.log_price[rows], self.groups[rows], weight)


class Regressor(ABC):
    """A regressor of log price over feature blocks.

    Parameters
    ----------
    settings : ModelSettings
        Of the class's own type, `settings_type`.
    """

    settings_type: ClassVar[type[ModelSettings]]
    kind: ClassVar[Kind]

    def __init__(self, settings: ModelSettings) -> None:
        self.settings = settings
        self.view = _view(self.kind, settings)

    def fit(self, blocks: Blocks, target: Target, *, seed: int, threads: int) -> Self:
        """Fit to the rows given; an earlier fit leaves nothing behind.

        Raises
        ------
        ModelError
            A block of the settings is missing, the rows do not match, or no column is usable.
        """
        if len(blocks) != len(target.log_price):
            raise ModelError(f"{len(blocks)} rows of features for {len(target.log_price)} prices")
        self.view = _view(self.kind, self.settings)
        chosen = self._chosen(blocks)
        design = self.view.fit_transform(chosen, target.log_price, target.groups, seed)
        if design.dense.shape[1] == 0 and design.terms is None:
            raise ModelError("the blocks have no column that this model can use")
        self._fit(design, target, seed=seed, threads=threads)
        return self

    def predict(self, blocks: Blocks) -> Floats:
        """Return log prices.

        Returns
        -------
        ndarray of float64, shape (n,)

        Raises
        ------
        ModelError
            A block is missing, or a prediction is not finite.
        """
        if len(blocks) == 0:
            return np.zeros(0)
        predicted = np.asarray(
            self._predict(self.view.transform(self._chosen(blocks))), dtype=np.float64
        )
        if not np.isfinite(predicted).all():
            count = int((~np.isfinite(predicted)).sum())
            raise ModelError(f"{count} of {predicted.size} predictions are not finite")
        return predicted

    def staged(self, blocks: Blocks) -> Iterator[tuple[int, Floats]]:  # noqa: ARG002 - see Boosting
        """Yield rounds of training and log prices after them; nothing where a model has none."""
        yield from ()

    def importance(self) -> dict[str, float]:
        """Return shares of importance by column, of sum 1; empty where a model has none."""
        return {}

    def save(self, folder: Path) -> None:
        """Write the fitted model into a folder; equal models give equal bytes, none pickled."""
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "settings.json", self.settings.model_dump())
        self.view.save(folder)
        self._save(folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote.

        Raises
        ------
        ModelError
            A file is missing or broken.
        """
        try:
            path = folder / "settings.json"
            raw = json.loads(path.read_text(encoding="utf-8"))
            model = cls(check(cls.settings_type, raw, "settings", path))
            model.view = DesignEncoder.load(folder)
            model._load(folder)
        except (OSError, ValueError, KeyError, ParamsError, DataError) as error:
            raise ModelError(f"{folder}: no saved {cls.__name__}: {error}") from None
        return model

    def _chosen(self, blocks: Blocks) -> Blocks:
        """Return the blocks that the settings name, and no other."""
        missing = [name for name in self.settings.blocks if getattr(blocks, name) is None]
        if missing:
            raise ModelError(f"the model needs the blocks {', '.join(missing)}")
        return Blocks(**{name: getattr(blocks, name) for name in self.settings.blocks})

    @abstractmethod
    def _fit(self, design: Design, target: Target, *, seed: int, threads: int) -> None: ...

    @abstractmethod
    def _predict(self, design: Design) -> Floats: ...

    @abstractmethod
    def _save(self, folder: Path) -> None: ...

    @abstractmethod
    def _load(self, folder: Path) -> None: ...


def _view(kind: Kind, settings: ModelSettings) -> DesignEncoder:
    return DesignEncoder(kind, settings.smoothing, settings.neighbours)
