"""The section `encoders` of params.yaml: pretrained encoders by name."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from amlc import params
from amlc.errors import ParamsError

SECTION = "encoders"
# Names become file names, and parts of the names of columns.
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")

Precision = Literal["float32", "bfloat16"]
# The pooling that the model was trained with, or one that is named.
Pooling = Literal["model", "mean", "cls"]
Architecture = Literal[
    "efficientnet_lite0",
    "efficientnet_lite1",
    "efficientnet_lite2",
    "efficientnet_lite3",
    "efficientnet_lite4",
]


class _EncoderSettings(params.Settings):
    """The keys that every encoder has."""

    # A local path, or the name of a model on the Hugging Face hub.
    model: str = Field(min_length=1, max_length=500)
    # A branch, a tag or a commit on the hub; null: its main branch, or a local path.
    revision: str | None = Field(max_length=100)
    pooling: Pooling
    batch_size: int = Field(ge=1, le=4096)
    precision: Precision


class TextEncoderSettings(_EncoderSettings):
    """An encoder of texts."""

    kind: Literal["text"]
    # Texts are cut at this many tokens; null: at as many as the model reads.
    tokens: Annotated[int, Field(ge=4, le=8192)] | None


class ImageEncoderSettings(_EncoderSettings):
    """An encoder of pictures."""

    kind: Literal["image"]
    # Null: the model's config.json names it.
    architecture: Architecture | None


EncoderSettings = TextEncoderSettings | ImageEncoderSettings
_SCHEMAS: dict[str, type[EncoderSettings]] = {
    "text": TextEncoderSettings,
    "image": ImageEncoderSettings,
}


def read_encoders(path: Path = params.PATH) -> dict[str, EncoderSettings]:
    """Read the section `encoders` of params.yaml, sorted by name.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    ParamsError
        The section is missing, is not a mapping, or holds an invalid name or encoder.
    """
    return check_encoders(params.value(SECTION, path), path)


def check_encoders(section: Any, path: Path) -> dict[str, EncoderSettings]:
    """Check the raw value of the section `encoders`, and return the settings sorted by name.

    Parameters
    ----------
    section : object
        What the file holds.
    path : Path
        The file, for messages.

    Raises
    ------
    ParamsError
        It is not a mapping, or holds an invalid name or encoder.
    """
    if not isinstance(section, dict):
        raise ParamsError(
            f"{path}: {SECTION}: expected a mapping of names to encoders, got {section!r}"
        )
    for name in section:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ParamsError(
                f"{path}: {SECTION}: expected names of up to 40 lower-case letters, digits, _ "
                f"and -, got {name!r}"
            )
    return {name: _check_encoder(name, section[name], path) for name in sorted(section)}


def _check_encoder(name: str, raw: Any, path: Path) -> EncoderSettings:
    key = f"{SECTION}.{name}"
    kind = raw.get("kind") if isinstance(raw, dict) else None
    schema = _SCHEMAS.get(kind) if isinstance(kind, str) else None
    if schema is None:
        raise ParamsError(
            f"{path}: {key}: expected a mapping with kind: text or image, got {raw!r}"
        )
    return params.check(schema, raw, key, path)
