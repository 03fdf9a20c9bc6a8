"""Section `train.fusion` of params.yaml."""

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from amlc.features.block_names import BlockName
from amlc.features.encoders.settings import (
    Architecture,
    ImageEncoderSettings,
    Pooling,
    Precision,
    TextEncoderSettings,
)
from amlc.models.base import ScaledSettings
from amlc.models.losses import LossName
from amlc.params import Settings

# A part of a product's text.
Part = Literal["title", "quantity", "pack", "bullets", "description"]
Share = Annotated[float, Field(ge=0, le=1)]
Device = Annotated[str, Field(pattern=r"^(cpu|cuda:\d{1,3})$")]


class TextTowerSettings(Settings):
    """The pretrained text encoder, and what it reads."""

    model: str = Field(min_length=1, max_length=500)
    revision: str | None = Field(max_length=100)
    pooling: Pooling
    tokens: int = Field(ge=4, le=8192)
    layouts: list[list[Part]] = Field(min_length=1, max_length=16)

    @field_validator("layouts")
    @classmethod
    def _each_part_once(cls, layouts: list[list[Part]]) -> list[list[Part]]:
        if any(not layout or len(set(layout)) < len(layout) for layout in layouts):
            raise ValueError("expected layouts of one or more parts, each part once")
        return layouts

    def encoder(self) -> TextEncoderSettings:
        """Return what loading the tower needs."""
        return TextEncoderSettings(
            kind="text",
            model=self.model,
            revision=self.revision,
            pooling=self.pooling,
            tokens=self.tokens,
            batch_size=1,
            precision="float32",
        )


class ImageTowerSettings(Settings):
    """The pretrained image encoder."""

    model: str = Field(min_length=1, max_length=500)
    revision: str | None = Field(max_length=100)
    pooling: Pooling
    architecture: Architecture | None

    def encoder(self) -> ImageEncoderSettings:
        """Return what loading the tower needs."""
        return ImageEncoderSettings(
            kind="image",
            model=self.model,
            revision=self.revision,
            pooling=self.pooling,
            architecture=self.architecture,
            batch_size=1,
            precision="float32",
        )


class AugmentSettings(Settings):
    """Random changes of the training rows; 0 switches one off."""

    drop_bullets: Share
    mask_words: Share
    crop: Share
    flip: Share
    colour: Share
    erase: Share


class CheckpointSettings(Settings):
    """How often checkpoints are written, and how long they are kept; no result depends on it."""

    seconds: float = Field(gt=0)
    days: float = Field(gt=0)
    count: int = Field(ge=1, le=10_000)


class FusionSettings(ScaledSettings):
    """Section `train.fusion` of params.yaml."""

    text: TextTowerSettings | None
    image: ImageTowerSettings | None
    loss: LossName
    epochs: int = Field(ge=1, le=1000)
    batch_size: int = Field(ge=1, le=65_536)
    accumulation: int = Field(ge=1, le=65_536)
    learning_rate: float = Field(gt=0, le=1)
    layer_decay: float = Field(gt=0, le=1)
    head_learning_rate: float = Field(gt=0, le=1)
    warm_up: Share
    schedule: Literal["cosine", "linear"]
    weight_decay: float = Field(ge=0)
    max_norm: float | None = Field(gt=0)
    hidden_size: int = Field(ge=1, le=8192)
    bins: int = Field(ge=0, le=256)
    dropout: float = Field(ge=0, lt=1)
    precision: Precision
    weight_average: float | None = Field(gt=0, lt=1)
    lora_rank: int | None = Field(ge=1, le=1024)
    gradient_checkpointing: bool
    early_stopping_epochs: int = Field(ge=0)
    networks: int = Field(ge=1, le=64)
    augment: AugmentSettings
    devices: list[Device] = Field(min_length=1, max_length=64)
    accelerate: str | None = Field(min_length=1, max_length=500)
    checkpoints: CheckpointSettings

    @field_validator("blocks")
    @classmethod
    def _dense(cls, blocks: list[BlockName]) -> list[BlockName]:
        if "terms" in blocks:
            raise ValueError("expected no terms, which are sparse: the text tower reads the text")
        return blocks

    @field_validator("devices")
    @classmethod
    def _one_kind(cls, devices: list[str]) -> list[str]:
        if len(set(devices)) < len(devices):
            raise ValueError("expected each device once")
        if "cpu" in devices and len(devices) > 1:
            raise ValueError("expected either cpu or CUDA devices")
        return devices

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.text is None and self.image is None:
            raise ValueError("text, image: expected at least one tower: mlp needs none")
        if self.accumulation > self.batch_size:
            raise ValueError("accumulation: expected at most batch_size")
        return self

    def trained(self) -> dict[str, object]:
        """Return the settings on which the weights of a network depend."""
        return self.model_dump(exclude={"devices", "accelerate", "checkpoints", "networks"})
