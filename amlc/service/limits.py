"""What the service takes in, at most."""

from typing import Annotated

from pydantic import Field

from amlc.params import Settings

Count = Annotated[int, Field(ge=1, le=1_000_000_000)]
Seconds = Annotated[float, Field(gt=0, le=3600)]


class Limits(Settings):
    """Limits of the service, each an option of ``amlc serve``.

    How many pixels a picture may have stands in the bundle, where the pipeline's own limit is.
    They have defaults, unlike the settings of an experiment: no result depends on them, and a
    bundle is served where no params.yaml is.
    """

    body_bytes: Count = Field(1_000_000, description="bytes of JSON, or of a form's text fields")
    image_bytes: Annotated[int, Field(ge=1_000, le=100_000_000)] = Field(
        20_000_000, description="bytes of a picture, sent or fetched"
    )
    csv_bytes: Count = Field(100_000_000, description="bytes of a CSV")
    csv_rows: Count = Field(200_000, description="rows of a CSV")
    csv_jobs: Count = Field(2, description="CSVs at once; more are answered 503")
    csv_workers: Annotated[int, Field(ge=0, le=64)] = Field(
        2, description="processes that price a long CSV; 0: the threads that price do it"
    )
    # One thread that prices all that waits beats two that share Python's lock: 114 against 67/s.
    workers: Annotated[int, Field(ge=1, le=64)] = Field(1, description="threads that price")
    batch: Annotated[int, Field(ge=1, le=10_000)] = Field(
        64, description="waiting products that one thread prices in one go"
    )
    queue: Count = Field(128, description="products that wait for a thread; more are answered 503")
    fetches: Annotated[int, Field(ge=1, le=256)] = Field(
        8, description="picture links fetched at once; more are answered 503"
    )
    connections: Count = Field(512, description="open connections; more are answered 503")
    price_seconds: Seconds = Field(20.0, description="until a price is given up")
    fetch_seconds: Seconds = Field(10.0, description="to fetch a picture, redirects included")
    header_seconds: Seconds = Field(10.0, description="to send a request's headers")
    idle_seconds: Seconds = Field(10.0, description="without a byte, in either direction")
    upload_seconds: Seconds = Field(120.0, description="to send a request's body")
    keep_alive_seconds: Annotated[int, Field(ge=1, le=3600)] = Field(
        15, description="between two requests of one connection"
    )
    shutdown_seconds: Annotated[int, Field(ge=1, le=3600)] = Field(
        30, description="to finish what is under way after SIGTERM"
    )
    image_hosts: list[str] = Field([], description="the only hosts of picture links; none: any")
    private_hosts: list[str] = Field(
        [], description="hosts of picture links that may have private addresses"
    )
