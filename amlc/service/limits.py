"""The limits of the service: sizes, numbers and times."""

from typing import Annotated

from pydantic import Field

from amlc.images.settings import Host
from amlc.params import Settings

Count = Annotated[int, Field(ge=1, le=1_000_000_000)]
Seconds = Annotated[float, Field(gt=0, le=3600)]


class Limits(Settings):
    """Limits of the service, each an option of ``amlc serve``.

    Unlike the settings of an experiment, these have defaults: no result depends on them, and a
    bundle may be served where there is no params.yaml. The largest number of pixels of a picture is
    not among them, because the bundle holds the pipeline's own limit.
    """

    body_bytes: Count = Field(
        1_000_000, description="largest JSON body, or largest text fields of a form, in bytes"
    )
    image_bytes: Annotated[int, Field(ge=1_000, le=100_000_000)] = Field(
        20_000_000, description="largest picture, uploaded or fetched, in bytes"
    )
    csv_bytes: Count = Field(100_000_000, description="largest CSV, in bytes")
    csv_rows: Count = Field(200_000, description="largest number of rows of a CSV")
    csv_pictures: Count = Field(
        1_000, description="pictures fetched for a CSV; further rows are priced by text alone"
    )
    csv_jobs: Count = Field(2, description="CSVs priced at once; further ones are refused with 503")
    csv_workers: Annotated[int, Field(ge=0, le=64)] = Field(
        2, description="processes that price a long CSV; 0: use the threads of the service"
    )
    # One thread that prices everything in the queue beats two that share Python's lock: 114
    # against 67 prices a second.
    workers: Annotated[int, Field(ge=1, le=64)] = Field(
        1, description="threads that price products"
    )
    batch: Annotated[int, Field(ge=1, le=10_000)] = Field(
        64, description="products from the queue that a thread prices together"
    )
    queue: Count = Field(
        128, description="products in the queue; further ones are refused with 503"
    )
    fetches: Annotated[int, Field(ge=1, le=256)] = Field(
        8, description="picture links fetched at once; further ones are refused with 503"
    )
    connections: Count = Field(
        512, description="open connections; further ones are refused with 503"
    )
    price_seconds: Seconds = Field(20.0, description="time to price a product")
    fetch_seconds: Seconds = Field(10.0, description="time to fetch a picture, including redirects")
    header_seconds: Seconds = Field(10.0, description="time to send the headers of a request")
    idle_seconds: Seconds = Field(10.0, description="time without any data, in either direction")
    upload_seconds: Seconds = Field(120.0, description="time to send the body of a request")
    keep_alive_seconds: Annotated[int, Field(ge=1, le=3600)] = Field(
        15, description="time between two requests on one connection"
    )
    shutdown_seconds: Annotated[int, Field(ge=1, le=3600)] = Field(
        30, description="time to finish running requests after SIGTERM"
    )
    image_hosts: list[Host] = Field(
        [], description="the only hosts that pictures are fetched from; if none is given, any host"
    )
    private_hosts: list[Host] = Field(
        [], description="hosts that pictures may be fetched from at private addresses"
    )
    allowed_hosts: list[Host] = Field(
        [],
        description="names that requests may give as Host, without port; loopback addresses take "
        "no others but loopback names, further addresses any if none is given",
    )
