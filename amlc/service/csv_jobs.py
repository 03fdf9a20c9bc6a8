"""Uploaded CSVs: received, checked to their end, and priced while the response is sent."""

import asyncio
import logging
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from typing import IO

from amlc.catalog.reading import ByteCheck
from amlc.catalog.rows import ProductRows, Row, read_rows
from amlc.errors import DataError
from amlc.pricing.batch import CHUNK_ROWS, Group, csv_header, csv_lines, price_rows
from amlc.pricing.catalog_settings import CatalogSettings
from amlc.pricing.estimates import NO_PICTURE, Estimate, Product, ProductPicture, Reason, ReasonKind
from amlc.pricing.pictures import products_of
from amlc.pricing.workers import Workers
from amlc.service.batcher import Batcher
from amlc.service.limits import Limits
from amlc.service.monitoring import log
from amlc.service.problems import Problem, busy

# Rows that the batcher prices at a time: fewer than a worker, because the products of other
# requests wait meanwhile.
_BATCHER_ROWS = 64
# With pictures, so that some lines are sent before a client takes the service for stuck.
_PICTURE_ROWS = 8
# A CSV with at most this many rows is priced in less time than worker processes take to start.
LONG_ROWS = 2_000
# Worker processes take memory, so they end after this time without a CSV.
_IDLE_SECONDS = 300.0
# Where they ended unexpectedly this often within this time, most likely for lack of memory, the
# threads of the service price the rest.
_MAX_FAILURES, _FAILURE_SECONDS = 3, 3600.0

_NAME = "the CSV"
# A larger CSV is kept on disk.
_MEMORY_BYTES = 1_000_000


@contextmanager
def _data_errors_as_problems() -> Iterator[None]:
    try:
        yield
    except DataError as error:
        raise Problem(422, f"{str(error)[:1].upper()}{str(error)[1:]}.") from None


async def _receive(parts: AsyncIterator[bytes], file: IO[bytes], encoding: str) -> None:
    """Write a body to a file; a NUL or an endless line is refused as soon as it is there."""
    # In UTF-16 and the like, NUL is a part of many characters.
    check = ByteCheck(_NAME, strict="\0" not in "a".encode(encoding).decode("latin-1"))
    with _data_errors_as_problems():
        async for part in parts:
            check.add(part)
            await asyncio.to_thread(file.write, part)


def count_rows(file: IO[bytes], max_rows: int, catalog: CatalogSettings, *, links: bool) -> int:
    """Return the number of products of a CSV, after checking it to its end.

    Raises
    ------
    Problem
        422 for a file that is not a CSV of products, for no rows, and for broken quoting, which
        joins rows; 413 for more than `max_rows` products.
    """
    count = 0
    with open_csv(file, catalog, links=links) as rows:
        for count, _ in enumerate(rows.records, 1):
            if count > max_rows:
                raise Problem(413, f"The CSV has too many rows: at most {max_rows:,} are allowed.")
    if not count:
        raise Problem(422, "The CSV has a header but no rows.")
    return count


@contextmanager
def open_csv(file: IO[bytes], catalog: CatalogSettings, *, links: bool) -> Iterator[ProductRows]:
    """Read the products of a CSV from its beginning; its errors are raised as `Problem` 422."""
    file.seek(0)
    with (
        _data_errors_as_problems(),
        read_rows(
            file,
            _NAME,
            links=links,
            strict=True,
            columns=catalog.columns,
            read=catalog.read,
            rates=catalog.rates,
            csv_only=True,
        ) as rows,
    ):
        yield rows


@dataclass(frozen=True)
class PricedCsv:
    """A CSV whose rows are priced while its lines are read.

    Parameters
    ----------
    rows : int
        The number of products.
    lines : generator of str
        The header, then the lines of each group of rows.
    """

    rows: int
    lines: Generator[str]


class CsvJobs:
    """Prices CSVs, a bounded number at once.

    Parameters
    ----------
    batcher : Batcher
        Prices short CSVs, and long ones until the workers are ready.
    workers : Workers, optional
        Processes for long CSVs; they start with the first one.
    limits : Limits
    catalog : CatalogSettings
        The layout of the CSVs.
    fetch : callable
        Returns the pictures of links, of which some may be empty.
    count_products : callable
        Called with the number of products whenever some have been priced.
    """

    def __init__(
        self,
        batcher: Batcher,
        workers: Workers | None,
        limits: Limits,
        catalog: CatalogSettings,
        fetch: Callable[[Sequence[str]], list[ProductPicture]],
        count_products: Callable[[int], None],
    ) -> None:
        self._batcher = batcher
        self._workers = workers
        self._limits = limits
        self._catalog = catalog
        self._fetch = fetch
        self._count_products = count_products
        self._jobs = 0
        self._failures: list[float] = []
        self._restarting = threading.Lock()
        self._idle_timer: asyncio.TimerHandle | None = None

    def close(self) -> None:
        """End the workers."""
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        if self._workers is not None:
            self._workers.stop()

    @asynccontextmanager
    async def price(
        self, parts: AsyncIterator[bytes], *, spreadsheet: bool = False, pictures: bool = False
    ) -> AsyncIterator[PricedCsv]:
        """Receive a CSV and check it to its end; its rows are priced while the lines are read.

        No line can come before the whole CSV is here: a browser does not read a response while it
        is still sending.

        Parameters
        ----------
        parts : async iterator of bytes
            The parts of the CSV.
        spreadsheet : bool
            As in `amlc.pricing.batch.csv_lines`.
        pictures : bool
            Whether to fetch the pictures behind links.

        Raises
        ------
        Problem
            422 or 413 where the CSV cannot be used; 503 where too many are being priced.
        """
        if self._jobs >= self._limits.csv_jobs:
            raise busy("Too many CSVs are being priced", 5)
        if pictures and not self._catalog.has_links:
            raise Problem(422, "The catalogue has no column of links to pictures.")
        self._jobs += 1
        try:
            with tempfile.SpooledTemporaryFile(_MEMORY_BYTES) as file:
                await _receive(parts, file, self._catalog.read.encoding)
                rows = await asyncio.to_thread(
                    count_rows, file, self._limits.csv_rows, self._catalog, links=pictures
                )
                if rows > LONG_ROWS:
                    self._start_workers()
                lines = self._lines(file, spreadsheet=spreadsheet, pictures=pictures)
                try:
                    yield PricedCsv(rows, lines)
                finally:
                    # When the server stops it, a thread may still be pricing a group.
                    with suppress(ValueError):
                        lines.close()
        finally:
            self._jobs -= 1
            self._start_idle_timer()

    def _start_idle_timer(self) -> None:
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        loop = asyncio.get_running_loop()
        self._idle_timer = loop.call_later(_IDLE_SECONDS, self._stop_idle)

    def _stop_idle(self) -> None:
        if self._workers is not None and not self._jobs:
            # In a thread, because it waits until the processes have ended.
            asyncio.get_running_loop().run_in_executor(None, self._workers.stop)

    def _lines(self, file: IO[bytes], *, spreadsheet: bool, pictures: bool) -> Generator[str]:
        """Yield the header, then the lines of each group of rows."""
        with open_csv(file, self._catalog, links=pictures) as rows:
            yield csv_header(rows.header, self._catalog.columns)
            groups = self._groups(iter(rows), pictures=pictures)
            priced = price_rows(groups, self._submit, self._ahead, self._retry)
            with closing(priced):
                yield from self._priced_lines(priced, spreadsheet=spreadsheet)

    def _priced_lines(
        self, priced: Iterable[tuple[list[Row], list[Estimate]]], *, spreadsheet: bool
    ) -> Iterator[str]:
        for group, estimates in priced:
            self._count_products(len(group))
            yield csv_lines(group, estimates, spreadsheet=spreadsheet)

    @property
    def _ready_workers(self) -> Workers | None:
        return self._workers if self._workers is not None and self._workers.ready else None

    def _ahead(self) -> int:
        """Return the number of groups to price ahead of the one being sent."""
        workers = self._ready_workers
        return self._limits.workers if workers is None else 2 * workers.count

    def _groups(self, rows: Iterator[Row], *, pictures: bool) -> Iterator[Group]:
        if pictures:
            yield from self._pictured_groups(rows)
            return
        # A catalogue without pictures lacks none.
        picture = None if self._catalog.columns.image is None else NO_PICTURE
        while group := list(islice(rows, CHUNK_ROWS if self._ready_workers else _BATCHER_ROWS)):
            yield group, [Product(row.text, picture, row.own, row.currency) for row in group]

    def _pictured_groups(self, rows: Iterator[Row]) -> Iterator[Group]:
        most = self._limits.csv_pictures
        refused = Reason(ReasonKind.NOT_FETCHED, f"{most:,}")
        fetched = 0

        def find(links: Sequence[str]) -> list[ProductPicture]:
            nonlocal fetched
            wanted = [link for link in links if link][: most - fetched]
            fetched += len(wanted)
            allowed = set(wanted)
            found = self._fetch([link if link in allowed else "" for link in links])
            return [
                refused if link and link not in allowed else picture
                for link, picture in zip(links, found, strict=True)
            ]

        while group := list(islice(rows, _PICTURE_ROWS)):
            yield group, products_of(group, find)

    def _submit(self, products: Sequence[Product]) -> Future[list[Estimate]]:
        if (workers := self._ready_workers) is not None:
            with suppress(BrokenProcessPool):
                return workers.submit(products)
        # Also if they ended while they were starting.
        if self._workers is not None and self._workers.broken:
            self._restart_workers(self._workers)
        return self._retry(products)

    def _retry(self, products: Sequence[Product]) -> Future[list[Estimate]]:
        return self._batcher.submit(products, background=True)

    def _start_workers(self) -> None:
        """Start the workers unless they run, or ended unexpectedly too often."""
        if self._workers is not None and len(self._recent_failures()) < _MAX_FAILURES:
            self._workers.start()

    def _restart_workers(self, workers: Workers) -> None:
        """Start other workers in place of those that ended unexpectedly."""
        with self._restarting:
            # The groups of another CSV may have found this out at the same time.
            if not workers.broken:
                return
            log("workers ended unexpectedly", logging.WARNING)
            self._failures = [*self._recent_failures(), time.monotonic()]
            workers.stop()
            self._start_workers()

    def _recent_failures(self) -> list[float]:
        return [at for at in self._failures if time.monotonic() - at < _FAILURE_SECONDS]
