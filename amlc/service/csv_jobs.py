"""Pricing of uploaded CSVs in bounded memory: each group of rows is sent once it is priced."""

import asyncio
import contextlib
import csv
import io
import itertools
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from typing import IO

from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from amlc.catalog.rows import Row
from amlc.pricing.batch import HEADER, cells
from amlc.pricing.estimates import Estimate, Product
from amlc.pricing.workers import Workers
from amlc.service.batcher import Batcher
from amlc.service.csv_upload import count_rows, open_csv, receive_csv
from amlc.service.limits import Limits
from amlc.service.middleware import CSV, media_type
from amlc.service.monitoring import log
from amlc.service.problems import Problem, busy

# Rows that a worker process prices at a time; fewer for the batcher, where the products of other
# requests wait meanwhile.
_WORKER_ROWS, _BATCHER_ROWS = 512, 128
# A CSV with at most this many rows is priced in less time than worker processes take to start.
LONG_ROWS = 2_000
# Worker processes take memory, so they end after this time without a CSV.
_IDLE_SECONDS = 300.0

_Group = tuple[list[Row], Future[list[Estimate]]]


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
        if media_type(request.scope) != CSV:
            raise Problem(415, f"Send the products as {CSV}.")
        if self._jobs >= self._limits.csv_jobs:
            raise busy("Too many CSVs are being priced", 5)
        self._jobs += 1
        try:
            file = await receive_csv(request)
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

    async def _lines(self, file: IO[bytes]) -> AsyncIterator[bytes]:
        """Yield the header, then the lines of each group of rows."""
        yield (",".join(HEADER) + "\n").encode()
        pending: deque[_Group] = deque()
        with open_csv(file) as rows:
            remaining = iter(rows)
            try:
                while group := await asyncio.to_thread(self._next_group, remaining):
                    pending.append((group, self._submit(group)))
                    if len(pending) > self._max_pending:
                        yield await self._finish(*pending.popleft())
                while pending:
                    yield await self._finish(*pending.popleft())
            finally:
                for _, future in pending:
                    future.cancel()

    @property
    def _ready_workers(self) -> Workers | None:
        return self._workers if self._workers is not None and self._workers.ready else None

    @property
    def _max_pending(self) -> int:
        """The number of groups to price ahead of the one being sent, to keep all workers busy."""
        workers = self._ready_workers
        return self._limits.workers if workers is None else 2 * workers.count

    def _next_group(self, rows: Iterator[Row]) -> list[Row]:
        size = _BATCHER_ROWS if self._ready_workers is None else _WORKER_ROWS
        return list(itertools.islice(rows, size))

    def _submit(self, group: list[Row]) -> Future[list[Estimate]]:
        workers = self._ready_workers
        if workers is not None:
            with contextlib.suppress(BrokenProcessPool):
                return workers.submit(_products(group))
        return self._submit_to_batcher(group)

    def _submit_to_batcher(self, group: list[Row]) -> Future[list[Estimate]]:
        return self._batcher.submit(_products(group), bounded=False)

    async def _finish(self, group: list[Row], future: Future[list[Estimate]]) -> bytes:
        try:
            estimates = await asyncio.wrap_future(future)
        except BrokenProcessPool:
            log("workers ended unexpectedly", logging.WARNING)
            self._workers = None
            estimates = await asyncio.wrap_future(self._submit_to_batcher(group))
        self._count_products(len(group))
        return _csv_lines(zip(group, estimates, strict=True))


class _CsvResponse(StreamingResponse):
    """A CSV that is priced while it is sent; the header X-Rows has its number of rows."""

    def __init__(self, parts: AsyncIterator[bytes], rows: int, end: Callable[[], None]) -> None:
        headers = {
            "X-Rows": str(rows),
            "Content-Disposition": 'attachment; filename="prices.csv"',
        }
        super().__init__(parts, headers=headers, media_type=CSV)
        self._end = end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._end()


def _products(group: list[Row]) -> list[Product]:
    return [Product(row.text) for row in group]


def _csv_lines(rows: Iterable[tuple[Row, Estimate]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(itertools.starmap(cells, rows))
    return text.getvalue().encode()
