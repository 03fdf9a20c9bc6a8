"""Many products: a CSV in, a CSV out, in bounded memory."""

import asyncio
import itertools
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from typing import IO

from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from amlc.serving.answers import Answer, Question
from amlc.serving.app_desk import Desk
from amlc.serving.app_problems import Problem, busy
from amlc.serving.app_rows import count_rows, read_rows, written
from amlc.serving.app_spool import spooled
from amlc.serving.batch import HEADER
from amlc.serving.limits import Limits
from amlc.serving.rows import Row

CSV = "text/csv"
_ROWS = 128  # priced in one go


class Tables:
    """Prices CSVs.

    Parameters
    ----------
    desk : Desk
    limits : Limits
    priced : callable
        Is told how many products were priced.
    """

    def __init__(self, desk: Desk, limits: Limits, priced: Callable[[int], None]) -> None:
        self._desk = desk
        self._limits = limits
        self._count = priced
        self._jobs = 0

    async def answer(self, request: Request) -> StreamingResponse:
        """Read the CSV that a request brings, and return an answer that prices it row by row.

        Raises
        ------
        Problem
            415 where it is no CSV; 408, 413, 422 for what is wrong with it; 503 where too many
            are being priced.
        """
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != CSV:
            raise Problem(415, f"Send the products as {CSV}.")
        if self._jobs >= self._limits.csv_jobs:
            raise busy("Too many CSVs are being priced", 5)
        self._jobs += 1
        try:
            file = await spooled(request, self._limits)
            return await self._answer(file)
        except BaseException:
            self._jobs -= 1
            raise

    async def _answer(self, file: IO[bytes]) -> StreamingResponse:
        try:
            rows = await asyncio.to_thread(count_rows, file, self._limits.csv_rows)
        except BaseException:
            file.close()
            raise
        return _Answer(self._priced(file), rows, lambda: self._end(file))

    def _end(self, file: IO[bytes]) -> None:
        self._jobs -= 1
        file.close()

    async def _priced(self, file: IO[bytes]) -> AsyncIterator[bytes]:
        yield (",".join(HEADER) + "\n").encode()
        under_way: deque[tuple[list[Row], Future[list[Answer]]]] = deque()
        with read_rows(file) as rows:
            try:
                while group := await asyncio.to_thread(_group, rows):
                    under_way.append((group, self._submitted(group)))
                    # One group more than there are threads, so that none waits for the next.
                    if len(under_way) > self._limits.workers:
                        yield await self._finished(*under_way.popleft())
                while under_way:
                    yield await self._finished(*under_way.popleft())
            finally:
                for _, done in under_way:
                    done.cancel()

    def _submitted(self, group: list[Row]) -> Future[list[Answer]]:
        return self._desk.submit([Question(row.text) for row in group], bounded=False)

    async def _finished(self, group: list[Row], done: Future[list[Answer]]) -> bytes:
        answers = await asyncio.wrap_future(done)
        self._count(len(group))
        return written(zip(group, answers, strict=True))


class _Answer(StreamingResponse):
    """A CSV that is made while it is sent; X-Rows says how many rows it will have."""

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


def _group(rows: Iterator[Row]) -> list[Row]:
    return list(itertools.islice(rows, _ROWS))
