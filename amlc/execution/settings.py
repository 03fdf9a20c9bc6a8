"""Section `executor` of params.yaml: where pieces are computed, which no result depends on."""

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from amlc.params import Settings

_LOCAL = re.compile(r"local:([1-9][0-9]{0,2})")
_REMOTE = re.compile(r"(tcp|tls)://[^\s/:@]+:[0-9]{1,5}|(tcp|tls)://\[[0-9a-fA-F:]+\]:[0-9]{1,5}")
Seconds = Annotated[float, Field(gt=0, le=30 * 86400)]


def _address(text: str) -> str:
    if not (_LOCAL.fullmatch(text) or _REMOTE.fullmatch(text)):
        raise ValueError("expected local:N, tcp://HOST:PORT or tls://HOST:PORT")
    return text


class TlsSettings(Settings):
    """Files of a certificate for the connections between client, scheduler and workers."""

    ca_file: str = Field(min_length=1)
    cert: str = Field(min_length=1)
    key: str = Field(min_length=1)


class ExecutorSettings(Settings):
    """Section `executor` of params.yaml."""

    kind: Literal["threads", "processes", "dask"]
    scheduler: Annotated[str, AfterValidator(_address)]
    tls: TlsSettings | None
    shared_folder: str | None = Field(min_length=1)
    connect_seconds: Seconds
    piece_seconds: Seconds | None
    retries: int = Field(ge=0, le=100)

    @model_validator(mode="after")
    def _tls_fits_the_address(self) -> Self:
        if self.local_workers is None and self.scheduler.startswith("tls") != (
            self.tls is not None
        ):
            raise ValueError(
                "scheduler: expected tls:// with the files of tls, or tcp:// with tls: null"
            )
        return self

    @property
    def local_workers(self) -> int | None:
        """The number of processes of ``local:N``; None: the scheduler runs elsewhere."""
        match = _LOCAL.fullmatch(self.scheduler)
        return int(match[1]) if match else None
