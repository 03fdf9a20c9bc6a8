"""The settings of the image downloader."""

from typing import Annotated

from pydantic import Field

from amlc.params import Settings

Seconds = Annotated[float, Field(gt=0, le=3600)]


class ImageSettings(Settings):
    """Section `images` of params.yaml."""

    size: int = Field(ge=16, le=1024)
    quality: int = Field(ge=50, le=95)
    shard_links: int = Field(ge=1, le=10_000)
    mirror: str | None
    retry_failed: bool
    remember_days: int = Field(ge=0, le=3650)
    allow_hosts: list[str]
    allow_private_hosts: list[str]
    ca_bundle: str | None
    respect_noai: bool
    thumbnail: bool
    thumbnail_hosts: list[str]
    max_bytes: int = Field(ge=1_000, le=100_000_000)
    # Above this range, Pillow warns of a decompression bomb.
    max_pixels: int = Field(ge=10_000, le=89_000_000)
    tries: int = Field(ge=1, le=10)
    workers: int = Field(ge=1, le=1000)
    per_host: int = Field(ge=1, le=1000)
    give_up_after: int = Field(ge=1, le=10_000)
    connect_seconds: Seconds
    read_seconds: Seconds
    deadline_seconds: Seconds
    backoff_seconds: Seconds
    retry_after_seconds: Seconds


def serving_settings(**overrides: object) -> ImageSettings:
    """Return settings for programs that price products without a params.yaml.

    These are their defaults; for the stages, params.yaml has to give every setting.

    Parameters
    ----------
    **overrides : object
        Settings that replace defaults.

    Raises
    ------
    pydantic.ValidationError
        An override is unknown or out of range.
    """
    settings: dict[str, object] = {
        "size": 256,
        "quality": 90,
        "shard_links": 1000,
        "mirror": None,
        "retry_failed": False,
        "remember_days": 30,
        "allow_hosts": [],
        "allow_private_hosts": [],
        "ca_bundle": None,
        "respect_noai": True,
        "thumbnail": False,
        "thumbnail_hosts": [],
        "max_bytes": 20_000_000,
        "max_pixels": 25_000_000,
        "tries": 3,
        "workers": 60,
        "per_host": 60,
        "give_up_after": 20,
        "connect_seconds": 5.0,
        "read_seconds": 10.0,
        "deadline_seconds": 30.0,
        "backoff_seconds": 0.5,
        "retry_after_seconds": 30.0,
    }
    return ImageSettings.model_validate({**settings, **overrides})
