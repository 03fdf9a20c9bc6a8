"""The service behind the routes: it gets pictures, has products priced, and counts them."""

import asyncio
import contextlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from fastapi import UploadFile

from amlc.catalog.links import Link, LinkError, parse_link
from amlc.images.client import Client
from amlc.images.decode import decode
from amlc.images.fetch_result import MALFORMED, TOO_MANY_BYTES, FetchError
from amlc.images.settings import FetchSettings, HostRules
from amlc.pricing.estimates import NO_PICTURE, Pricer, Product, ProductPicture, Reason, ReasonKind
from amlc.pricing.workers import Workers
from amlc.service.batcher import Batcher, QueueFullError
from amlc.service.csv_jobs import CsvJobs
from amlc.service.limits import Limits
from amlc.service.monitoring import Metrics
from amlc.service.problems import bad_field, bad_picture, busy
from amlc.service.schemas import ModelResponse, answered


@dataclass(frozen=True)
class AskedProduct:
    """A product to price, and what to return.

    Parameters
    ----------
    text, own, currency
        As of `amlc.pricing.estimates.Product`.
    link : str or None
        A link to its picture.
    similar, contributions
        As for `Pricer.price`.
    link_field, picture_field : str
        The fields of the request that take the link and the file, for messages.
    """

    text: str
    link: str | None
    similar: int
    contributions: bool
    own: tuple[tuple[str, str], ...] = ()
    currency: str = ""
    link_field: str = "image_url"
    picture_field: str = "image"


class PriceService:
    """Has products priced.

    Parameters
    ----------
    pricer : Pricer
    limits : Limits
    workers : Workers, optional
        Processes for long CSVs.
    """

    def __init__(self, pricer: Pricer, limits: Limits, workers: Workers | None = None) -> None:
        self._pricer = pricer
        self._limits = limits
        self._batcher = Batcher(
            pricer, workers=limits.workers, batch=limits.batch, max_queue=limits.queue
        )
        self._fetching = 0
        self._fetch_pool = ThreadPoolExecutor(limits.fetches, thread_name_prefix="fetch")
        # So that a CSV does not keep single products waiting.
        self._csv_fetch_pool = ThreadPoolExecutor(limits.fetches, thread_name_prefix="csv-fetch")
        self.version = pricer.version
        self.metrics = Metrics(pricer.version, lambda: self._batcher.waiting)
        self.csv_jobs = CsvJobs(
            self._batcher,
            workers,
            limits,
            pricer.catalog,
            self._fetch_all,
            self.metrics.products.labels("/v1/prices").inc,
        )

    def close(self) -> None:
        """Price what is in the queue, and end all threads and processes."""
        self._fetch_pool.shutdown(cancel_futures=True)
        self._csv_fetch_pool.shutdown(cancel_futures=True)
        self.csv_jobs.close()
        self._batcher.close()

    def model(self) -> ModelResponse:
        """Return the model and the limits that a client should know."""
        return ModelResponse(
            model=self.version,
            coverage=self._pricer.coverage,
            image_bytes=self._limits.image_bytes,
            csv_bytes=self._limits.csv_bytes,
            csv_rows=self._limits.csv_rows,
        )

    async def price(self, request: AskedProduct, image: UploadFile | None = None) -> dict[str, Any]:
        """Price one product; return the fields of the response.

        Parameters
        ----------
        request : AskedProduct
        image : UploadFile, optional
            Its picture, where that is not a link.

        Raises
        ------
        Problem
            The picture cannot be used, or the service is busy.
        """
        picture = await self._uploaded_picture(request, image)
        if request.link is not None:
            if picture is not None:
                message = "give the picture as a file or as a link, not both"
                raise bad_field(request.link_field, message)
            picture = await self._linked_picture(request, parse_link(request.link))
        missing = NO_PICTURE if request.picture_field else None
        product = Product(
            request.text, missing if picture is None else picture, request.own, request.currency
        )
        try:
            future = self._batcher.submit(
                [product], similar=request.similar, contributions=request.contributions
            )
            async with asyncio.timeout(self._limits.price_seconds):
                [estimate] = await asyncio.wrap_future(future)
        except QueueFullError:
            raise busy("Too many products are being priced") from None
        except TimeoutError:
            raise busy("Pricing took too long", 5) from None
        for reason in estimate.reasons:
            # A client that sends a picture does not want a price without it.
            if reason.kind is ReasonKind.PICTURE_NOT_USED:
                field = request.picture_field if request.link is None else request.link_field
                raise bad_picture(field, reason.detail)
        self.metrics.products.labels("/v1/price").inc()
        return answered(estimate, self._pricer)

    async def _uploaded_picture(
        self, request: AskedProduct, image: UploadFile | None
    ) -> bytes | None:
        if image is None:
            return None
        data = await image.read(self._limits.image_bytes + 1)
        if len(data) > self._limits.image_bytes:
            raise bad_picture(request.picture_field, TOO_MANY_BYTES)
        # A browser sends an empty file where none was chosen.
        return data or None

    async def _linked_picture(self, request: AskedProduct, link: Link) -> bytes:
        if self._fetching >= self._limits.fetches:
            raise busy("Too many pictures are being fetched", 5)
        self._fetching += 1
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._fetch_pool, fetch, link, self._limits)
        except FetchError as error:
            raise bad_picture(request.link_field, error.reason) from None
        finally:
            self._fetching -= 1

    def _fetch_all(self, links: Sequence[str]) -> list[ProductPicture]:
        """Return the picture of each row of a CSV, reduced, or why there is none."""
        distinct = dict.fromkeys(filter(None, links))
        found = dict(
            zip(distinct, self._csv_fetch_pool.map(self._fetch_one, distinct), strict=True)
        )
        return [found.get(link) for link in links]

    def _fetch_one(self, link: str) -> ProductPicture:
        try:
            body = fetch(parse_link(link), self._limits)
            return decode(body, self._pricer.picture, "a picture")
        except FetchError as error:
            return Reason(ReasonKind.PICTURE_NOT_USED, error.reason)
        except LinkError:
            return Reason(ReasonKind.PICTURE_NOT_USED, MALFORMED)


def fetch(link: Link, limits: Limits) -> bytes:
    """Return the body behind a link, which need not be a picture.

    It connects only to public addresses, also after redirects; bytes and time are bounded. Each
    call has its own client, because a service runs for a long time, and resolved addresses and
    connections to unknown hosts must not accumulate.

    Raises
    ------
    FetchError
        The link is not allowed, or the one try to fetch it failed.
    ImageError
        The CA bundle that the environment names cannot be read.
    """
    seconds = limits.fetch_seconds
    rules = HostRules(allow_hosts=limits.image_hosts, allow_private_hosts=limits.private_hosts)
    fetching = FetchSettings(
        per_host=1,
        connect_seconds=min(5.0, seconds),
        read_seconds=seconds,
        deadline_seconds=seconds,
    )
    with contextlib.closing(Client(rules, limits.image_bytes, fetching)) as client:
        return client.fetch(link).data
