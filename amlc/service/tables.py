"""Many products: a CSV in, a CSV out, in bounded memory."""

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
from contextlib import contextmanager
from typing import IO, Self, TextIO

from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from amlc.catalog.reading import CELL_LIMIT, LINE_LIMIT, cell_limit
from amlc.catalog.rows import ProductRows, Row
from amlc.errors import DataError
from amlc.pricing.answers import Answer, Question
from amlc.pricing.batch import HEADER, cells
from amlc.pricing.workers import Workers
from amlc.service import middleware
from amlc.service.batcher import Desk
from amlc.service.bodies import spooled
from amlc.service.limits import Limits
from amlc.service.problems import Problem, busy

# Lines of a row. No product needs more, and with the limit on its characters no row can have more
# cells than fit into memory.
RECORD_LINES = 10_000


def count_rows(file: IO[bytes], most: int) -> int:
    """Return how many products a CSV has, having checked it to its end.

    Parameters
    ----------
    file : file
        UTF-8 text.
    most : int
        Rows that it may have.

    Raises
    ------
    Problem
        422 for a header without the columns that are needed, for no rows, and for broken
        quoting, which makes one row of many; 413 for too many rows.
    """
    # Without the header.
    count = -1
    with _text(file) as stream:
        for count, _ in enumerate(_records(stream)):
            if count > most:
                raise Problem(413, f"The CSV has too many rows: at most {most:,} are taken.")
    with read_rows(file):
        if count < 1:
            raise Problem(422, "The CSV has a header but no rows.")
    return count


@contextmanager
def read_rows(file: IO[bytes]) -> Iterator[Iterator[Row]]:
    """Give an iterator over the products of a CSV that `count_rows` has checked.

    Raises
    ------
    Problem
        422 for a header without the columns that are needed.
    """
    with _text(file) as stream:
        try:
            rows = ProductRows(stream, "the CSV", links=False)
        except DataError as error:
            raise Problem(422, f"{str(error)[:1].upper()}{str(error)[1:]}.") from None
        yield iter(rows)


def written(rows: Iterable[tuple[Row, Answer]]) -> bytes:
    """Return rows of the answer as CSV: id, price, interval, and what was missing or faulty."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(itertools.starmap(cells, rows))
    return text.getvalue().encode()


@contextmanager
def _text(file: IO[bytes]) -> Iterator[TextIO]:
    file.seek(0)
    text = io.TextIOWrapper(file, encoding="utf-8-sig")
    try:
        with cell_limit:
            yield text
    finally:
        # The file outlives its wrapper.
        text.detach()


class _Lines:
    """Iterator over lines that bounds those of one record."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._number = 0
        self.begin()

    def begin(self) -> None:
        """Begin another record."""
        self.start = self._number + 1
        self._characters = 0

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        line = next(self._stream)
        self._number += 1
        self._characters += len(line)
        if self._number - self.start >= RECORD_LINES or self._characters > LINE_LIMIT:
            raise csv.Error("the row does not end")
        return line


def _records(stream: TextIO) -> Iterator[list[str]]:
    """Yield the records that are not blank."""
    lines = _Lines(stream)
    try:
        for cells in csv.reader(lines, strict=True):
            lines.begin()
            if cells:
                yield cells
    except csv.Error as error:
        what = str(error)
        if "field larger" in what:
            what = f"a cell is longer than {CELL_LIMIT:,} characters"
        raise Problem(
            422,
            f"The CSV's quoting is broken in the row from line {lines.start}: {what}; put a cell "
            'that holds a comma, a quote or a line end in quotes, and write a quote inside as "".',
        ) from None


CSV = "text/csv"
# Rows that a worker prices in one go, and the desk, where other products wait meanwhile.
_WORKER_ROWS, _DESK_ROWS = 512, 128
# Fewer rows are priced before a process has started.
LONG = 2_000
# Processes that have nothing to do end after so many seconds: they take memory.
_IDLE_SECONDS = 300.0

_Priced = tuple[list[Row], Future[list[Answer]]]


class Tables:
    """Prices CSVs.

    Parameters
    ----------
    desk : Desk
        Prices short CSVs, and long ones until the workers are ready.
    workers : Workers, optional
        Processes for long CSVs; they start with the first one.
    limits : Limits
    priced : callable
        Is told how many products were priced.
    """

    def __init__(
        self,
        desk: Desk,
        workers: Workers | None,
        limits: Limits,
        priced: Callable[[int], None],
    ) -> None:
        self._desk = desk
        self._workers = workers
        self._limits = limits
        self._count = priced
        self._jobs = 0
        self._rest: asyncio.TimerHandle | None = None

    def close(self) -> None:
        """End the workers."""
        if self._rest is not None:
            self._rest.cancel()
        if self._workers is not None:
            self._workers.stop()

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
        if self._workers is not None and rows > LONG:
            self._workers.start()
        return _Answer(self._priced(file), rows, lambda: self._end(file))

    def _end(self, file: IO[bytes]) -> None:
        self._jobs -= 1
        file.close()
        if self._rest is not None:
            self._rest.cancel()
        loop = asyncio.get_running_loop()
        self._rest = loop.call_later(_IDLE_SECONDS, self._stop_idle)

    def _stop_idle(self) -> None:
        if self._workers is not None and not self._jobs:
            # It takes a moment until they have ended.
            asyncio.get_running_loop().run_in_executor(None, self._workers.stop)

    async def _priced(self, file: IO[bytes]) -> AsyncIterator[bytes]:
        yield (",".join(HEADER) + "\n").encode()
        under_way: deque[_Priced] = deque()
        with read_rows(file) as rows:
            try:
                while group := await asyncio.to_thread(self._group, rows):
                    under_way.append((group, self._submitted(group)))
                    if len(under_way) > self._most_under_way:
                        yield await self._finished(*under_way.popleft())
                while under_way:
                    yield await self._finished(*under_way.popleft())
            finally:
                for _, done in under_way:
                    done.cancel()

    @property
    def _most_under_way(self) -> int:
        """One group more than are priced at once, so that nobody waits for the next."""
        workers = self._ready_workers
        return self._limits.workers if workers is None else 2 * workers.count

    @property
    def _ready_workers(self) -> Workers | None:
        return self._workers if self._workers is not None and self._workers.ready else None

    def _group(self, rows: Iterator[Row]) -> list[Row]:
        size = _DESK_ROWS if self._ready_workers is None else _WORKER_ROWS
        return list(itertools.islice(rows, size))

    def _submitted(self, group: list[Row]) -> Future[list[Answer]]:
        workers = self._ready_workers
        if workers is not None:
            with contextlib.suppress(BrokenProcessPool):
                return workers.submit(_questions(group))
        return self._at_desk(group)

    def _at_desk(self, group: list[Row]) -> Future[list[Answer]]:
        return self._desk.submit(_questions(group), bounded=False)

    async def _finished(self, group: list[Row], done: Future[list[Answer]]) -> bytes:
        try:
            answers = await asyncio.wrap_future(done)
        except BrokenProcessPool:
            middleware.log("workers ended unexpectedly", logging.WARNING)
            self._workers = None
            answers = await asyncio.wrap_future(self._at_desk(group))
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


def _questions(group: list[Row]) -> list[Question]:
    return [Question(row.text) for row in group]
