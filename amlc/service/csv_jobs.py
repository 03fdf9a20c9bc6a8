"""Uploaded CSVs: received, checked to their end, and priced while the response is sent."""

import asyncio
import logging
import tempfile
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager, suppress
from itertools import islice
from typing import IO

from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from amlc.catalog.reading import ByteCheck
from amlc.catalog.rows import ProductRows, Row, read_rows
from amlc.errors import DataError
from amlc.pricing.batch import HEADER, Group, csv_lines, price_rows
from amlc.pricing.estimates import Estimate, Product
from amlc.pricing.workers import Workers
from amlc.service.batcher import Batcher
from amlc.service.limits import Limits
from amlc.service.middleware import bound_body
from amlc.service.monitoring import log
from amlc.service.problems import Problem, busy

CSV = "text/csv"
# Rows that a worker process prices at a time; fewer for the batcher, where the products of other
# requests wait meanwhile.
_WORKER_ROWS, _BATCHER_ROWS = 512, 128
# A CSV with at most this many rows is priced in less time than worker processes take to start.
LONG_ROWS = 2_000
# Worker processes take memory, so they end after this time without a CSV.
_IDLE_SECONDS = 300.0

_NAME = "the CSV"
# A larger CSV is kept on disk.
_MEMORY_BYTES = 1_000_000


@contextmanager
def _data_errors_as_problems() -> Iterator[None]:
    try:
        yield
    except DataError as error:
        raise Problem(422, f"{str(error)[:1].upper()}{str(error)[1:]}.") from None


async def receive_csv(request: Request, limits: Limits) -> IO[bytes]:
    """Receive the body of a request in a temporary file, which the caller closes.

    The response cannot begin before the whole CSV is here: a browser does not read a response
    while it is still sending.

    Raises
    ------
    Problem
        408, 413, or 422 for a NUL or an endless line; as soon as that is clear.
    """
    check = ByteCheck(_NAME)
    body = bound_body(request, limits.csv_bytes, limits)
    file = tempfile.SpooledTemporaryFile(_MEMORY_BYTES)  # noqa: SIM115 - the caller closes it
    try:
        with _data_errors_as_problems():
            async for part in body.stream():
                check.add(part)
                await asyncio.to_thread(file.write, part)
    except BaseException:
        file.close()
        raise
    return file


def count_rows(file: IO[bytes], max_rows: int) -> int:
    """Return the number of products of a CSV, after checking it to its end.

    Raises
    ------
    Problem
        422 for a file that is not a CSV of products, for no rows, and for broken quoting, which
        joins rows; 413 for more than `max_rows` products.
    """
    count = 0
    with open_csv(file) as rows:
        for count, _ in enumerate(rows.records, 1):
            if count > max_rows:
                raise Problem(413, f"The CSV has too many rows: at most {max_rows:,} are allowed.")
    if not count:
        raise Problem(422, "The CSV has a header but no rows.")
    return count


@contextmanager
def open_csv(file: IO[bytes]) -> Iterator[ProductRows]:
    """Read the products of a CSV from its beginning; its errors are raised as `Problem` 422."""
    file.seek(0)
    with (
        _data_errors_as_problems(),
        read_rows(file, _NAME, links=False, strict=True) as rows,
    ):
        yield rows


class CsvJobs:
    """Prices CSVs, a bounded number at once.

    Parameters
    ----------
    batcher : Batcher
        Prices short CSVs, and long ones until the workers are ready.
    workers : Workers, optional
        Processes for long CSVs; they start with the first one.
    limits : Limits
    count_products : callable
        Called with the number of products whenever some have been priced.
    """

    def __init__(
        self,
        batcher: Batcher,
        workers: Workers | None,
        limits: Limits,
        count_products: Callable[[int], None],
    ) -> None:
        self._batcher = batcher
        self._workers = workers
        self._limits = limits
        self._count_products = count_products
        self._jobs = 0
        self._idle_timer: asyncio.TimerHandle | None = None

    def close(self) -> None:
        """End the workers."""
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        if self._workers is not None:
            self._workers.stop()

    async def respond(self, request: Request) -> StreamingResponse:
        """Receive the CSV of a request; return a response that prices it while it is sent.

        Raises
        ------
        Problem
            415 where the body is not a CSV; 408, 413 or 422 where it cannot be used; 503 where too
            many are being priced.
        """
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type != CSV:
            raise Problem(415, f"Send the products as {CSV}.")
        if self._jobs >= self._limits.csv_jobs:
            raise busy("Too many CSVs are being priced", 5)
        self._jobs += 1
        try:
            file = await receive_csv(request, self._limits)
            return await self._response(file)
        except BaseException:
            self._jobs -= 1
            raise

    async def _response(self, file: IO[bytes]) -> StreamingResponse:
        try:
            rows = await asyncio.to_thread(count_rows, file, self._limits.csv_rows)
        except BaseException:
            file.close()
            raise
        if self._workers is not None and rows > LONG_ROWS:
            self._workers.start()
        return _CsvResponse(self._lines(file), rows, lambda: self._end(file))

    def _end(self, file: IO[bytes]) -> None:
        self._jobs -= 1
        file.close()
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        loop = asyncio.get_running_loop()
        self._idle_timer = loop.call_later(_IDLE_SECONDS, self._stop_idle)

    def _stop_idle(self) -> None:
        if self._workers is not None and not self._jobs:
            # In a thread, because it waits until the processes have ended.
            asyncio.get_running_loop().run_in_executor(None, self._workers.stop)

    def _lines(self, file: IO[bytes]) -> Generator[str]:
        """Yield the header, then the lines of each group of rows."""
        yield ",".join(HEADER) + "\n"
        with (
            open_csv(file) as rows,
            closing(
                price_rows(self._groups(iter(rows)), self._submit, self._ahead, self._retry)
            ) as priced,
        ):
            for group, estimates in priced:
                self._count_products(len(group))
                yield csv_lines(group, estimates)

    @property
    def _ready_workers(self) -> Workers | None:
        return self._workers if self._workers is not None and self._workers.ready else None

    def _ahead(self) -> int:
        """Return the number of groups to price ahead of the one being sent."""
        workers = self._ready_workers
        return self._limits.workers if workers is None else 2 * workers.count

    def _groups(self, rows: Iterator[Row]) -> Iterator[Group]:
        while group := list(islice(rows, _WORKER_ROWS if self._ready_workers else _BATCHER_ROWS)):
            yield group, [Product(row.text) for row in group]

    def _submit(self, products: Sequence[Product]) -> Future[list[Estimate]]:
        workers = self._ready_workers
        if workers is not None:
            with suppress(BrokenProcessPool):
                return workers.submit(products)
        return self._batcher.submit(products, bounded=False)

    def _retry(self, products: Sequence[Product]) -> Future[list[Estimate]]:
        log("workers ended unexpectedly", logging.WARNING)
        self._workers = None
        return self._batcher.submit(products, bounded=False)


class _CsvResponse(StreamingResponse):
    """A CSV that is priced while it is sent; the header X-Rows has its number of rows."""

    def __init__(self, lines: Generator[str], rows: int, end: Callable[[], None]) -> None:
        headers = {
            "X-Rows": str(rows),
            "Content-Disposition": 'attachment; filename="prices.csv"',
        }
        super().__init__(lines, headers=headers, media_type=CSV)
        self._lines = lines
        self._end = end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            # When the server stops it, a thread may still be pricing a group.
            with suppress(ValueError):
                self._lines.close()
            self._end()
