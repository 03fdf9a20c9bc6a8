"""The base of every regressor of log price: settings, fit, predict, save, load."""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, field_validator

from amlc.arrays import Floats
from amlc.errors import DataError, ModelError, ParamsError, read_errors_as
from amlc.features import content
from amlc.features.block_names import BlockName
from amlc.features.blocks import Blocks
from amlc.files import write_json
from amlc.models.design import Design, DesignEncoder, Kind
from amlc.models.predictions import SETTINGS
from amlc.models.target import Target, WeightSettings
from amlc.params import Settings, check

if TYPE_CHECKING:
    # A stage that only loads a model does not depend on where it was fitted.
    from amlc.execution.backend import Backend


class ModelSettings(Settings):
    """The keys that every section of `train` in params.yaml has."""

    blocks: list[BlockName] = Field(min_length=1)
    smoothing: float | None = Field(gt=0)
    neighbours: list[Annotated[int, Field(ge=3, le=1000)]] = Field(min_length=1)
    kriging: float | None = Field(gt=0)
    weights: WeightSettings | None

    @field_validator("blocks")
    @classmethod
    def _no_repeats(cls, blocks: list[BlockName]) -> list[BlockName]:
        if len(set(blocks)) < len(blocks):
            raise ValueError("expected each block once")
        return blocks


class ScaledSettings(ModelSettings):
    """Settings of a model that depends on the scales of its columns."""

    encoder_norm: float = Field(gt=0)


class DenseSettings(ModelSettings):
    """Settings of a model that cannot use the sparse terms."""

    @field_validator("blocks")
    @classmethod
    def _dense(cls, blocks: list[BlockName]) -> list[BlockName]:
        if "terms" in blocks:
            raise ValueError("expected no terms, which are sparse: trees take topics instead")
        return blocks


class Regressor(ABC):
    """A regressor of log price over feature blocks.

    Parameters
    ----------
    settings : ModelSettings
        An instance of the class's own `settings_type`.

    Attributes
    ----------
    needs_content : bool
        Whether the model reads texts and pictures, so that its blocks need the one named content.
    curve_unit : str
        What `staged_predict` counts: "round" of boosting, or "epoch" of a network.
    cluster : Backend or None
        Where `workers` make a fit together.
    """

    # In params.yaml. The registry finds a model by this line of its class.
    name: ClassVar[str]
    settings_type: ClassVar[type[ModelSettings]]
    kind: ClassVar[Kind]
    needs_content: ClassVar[bool] = False
    curve_unit: ClassVar[Literal["round", "epoch"]] = "round"

    def __init__(self, settings: ModelSettings) -> None:
        self.settings = settings
        self.cluster: Backend | None = None
        self.encoder = self._new_encoder()

    def fit(self, blocks: Blocks, target: Target, *, seed: int, threads: int) -> Self:
        """Fit the model to train rows; nothing of an earlier fit remains.

        Parameters
        ----------
        blocks : Blocks
            Features of the train rows; those that the settings do not name are ignored.
        target : Target
            Log prices, groups and weights of the same rows.
        seed : int
            Seed of every random draw.
        threads : int
            Threads for numerical work.

        Raises
        ------
        ModelError
            A block of the settings is missing, the rows do not match, or no column is usable.
        """
        if len(blocks) != len(target.log_price):
            raise ModelError(f"{len(blocks)} rows of features for {len(target.log_price)} prices")
        self.encoder = self._new_encoder()
        selected = self._select(blocks)
        design = self.encoder.fit_transform(selected, target.log_price, target.groups, seed)
        if design.dense.shape[1] == 0 and not design.has_terms:
            raise ModelError("the blocks have no column that this model can use")
        self._fit(design, target, seed=seed, threads=threads)
        return self

    def design(self, blocks: Blocks) -> Design:
        """Return the matrices that the fitted model computes with.

        Raises
        ------
        ModelError
            A block of the settings is missing.
        """
        return self.encoder.transform(self._select(blocks))

    def predict(self, blocks: Blocks) -> Floats:
        """Return log prices.

        Returns
        -------
        ndarray of float64, shape (n,)

        Raises
        ------
        ModelError
            A block of the settings is missing, or a prediction is not finite.
        """
        if len(blocks) == 0:
            return np.zeros(0)
        predicted = np.asarray(self._predict(self.design(blocks)), dtype=np.float64)
        if not np.isfinite(predicted).all():
            count = int((~np.isfinite(predicted)).sum())
            raise ModelError(f"{count} of {predicted.size} predictions are not finite")
        return predicted

    def staged_predict(self, blocks: Blocks) -> Iterator[tuple[int, Floats]]:  # noqa: ARG002 - some models use it
        """Yield (rounds or epochs, log prices after them); most models yield nothing."""
        yield from ()

    def watch(self, blocks: Blocks) -> None:  # noqa: B027 - most models have nothing to do
        """Note held-out rows that the next fit may predict as it goes; most models need none.

        Parameters
        ----------
        blocks : Blocks
            Their features; `staged_predict` is then called with the same.
        """

    @property
    def fits_at_once(self) -> int | None:
        """How many fits may run at the same time; None: as many as there are threads."""
        return None

    @property
    def workers(self) -> int:
        """How many workers of a cluster make one fit together."""
        return 1

    def feature_importances(self) -> dict[str, float]:
        """Return each column's share of the importance; empty for a model without importances.

        Returns
        -------
        dict of str to float
            Shares by the column's name; they sum to 1.
        """
        return {}

    def save(self, folder: Path) -> None:
        """Write the fitted model into a folder, as text, JSON and plain arrays.

        Equal models give equal bytes.
        """
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / SETTINGS, self.settings.model_dump())
        self.encoder.save(folder)
        self._save(folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a model that `save` wrote.

        Raises
        ------
        ModelError
            A file is missing or broken.
        """
        message = f"{folder}: no saved {cls.__name__}"
        with read_errors_as(ModelError, message, ParamsError, DataError):
            path = folder / SETTINGS
            raw = json.loads(path.read_text(encoding="utf-8"))
            model = cls(check(cls.settings_type, raw, "settings", path))
            model.encoder = DesignEncoder.load(folder)
            model._load(folder)
        return model

    def _select(self, blocks: Blocks) -> Blocks:
        """Return only the blocks that the settings name."""
        names = [*self.settings.blocks, *((content.NAME,) if self.needs_content else ())]
        missing = [name for name in names if name not in blocks]
        if missing:
            raise ModelError(f"the model needs the blocks {', '.join(missing)}")
        return blocks.select(names)

    def _new_encoder(self) -> DesignEncoder:
        settings = self.settings
        norm = settings.encoder_norm if isinstance(settings, ScaledSettings) else None
        return DesignEncoder(
            self.kind, settings.smoothing, settings.neighbours, settings.kriging, norm
        )

    @abstractmethod
    def _fit(self, design: Design, target: Target, *, seed: int, threads: int) -> None: ...

    @abstractmethod
    def _predict(self, design: Design) -> Floats: ...

    @abstractmethod
    def _save(self, folder: Path) -> None: ...

    @abstractmethod
    def _load(self, folder: Path) -> None: ...
