"""The settings of pictures: what they are, and how they are fetched.

The defaults are for programs without a params.yaml; the stages take every setting from there, where
each is explained.
"""

from typing import Annotated

from pydantic import AfterValidator, Field

from amlc.catalog.links import parse_host
from amlc.params import Settings

Seconds = Annotated[float, Field(gt=0, le=3600)]
# A host as links have it: in lower case, in ASCII, without the dot at its end.
Host = Annotated[str, AfterValidator(parse_host)]


class PictureSettings(Settings):
    """What a picture is; a bundle keeps it, so that serving treats pictures as training did."""

    size: int = Field(ge=16, le=1024)
    quality: int = Field(ge=50, le=95)
    max_bytes: int = Field(ge=1_000, le=100_000_000)
    # Above this range, Pillow warns of a decompression bomb.
    max_pixels: int = Field(ge=10_000, le=89_000_000)
    max_side: int = Field(ge=1_000, le=100_000)
    min_side: int = Field(ge=1, le=100)


class HostRules(Settings):
    """Which hosts may be asked for pictures, and whether their wishes count."""

    allow_hosts: list[Host] = Field([])
    allow_private_hosts: list[Host] = Field([])
    respect_noai: bool = True


class ImageSettings(PictureSettings, HostRules):
    """Section `images` of params.yaml: everything that decides which picture a link has."""

    shard_links: int = Field(1000, ge=1, le=10_000)
    mirror: str | None = None
    retry_failed: bool = False
    remember_days: int = Field(30, ge=0, le=3650)
    thumbnail: bool = False
    thumbnail_hosts: list[Host] = Field([])
    tries: int = Field(3, ge=1, le=10)


class FetchSettings(Settings):
    """Section `fetching` of params.yaml: how fast and how patiently pictures are fetched."""

    workers: int = Field(60, ge=1, le=1000)
    per_host: int = Field(60, ge=1, le=1000)
    give_up_after: int = Field(20, ge=1, le=10_000)
    connect_seconds: Seconds = 5.0
    read_seconds: Seconds = 10.0
    deadline_seconds: Seconds = 30.0
    backoff_seconds: Seconds = 0.5
    retry_after_seconds: Seconds = 30.0
    ca_bundle: str | None = None
    use_proxy: bool = False
