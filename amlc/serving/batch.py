"""Price a CSV of any length: rows in, prices out, in order and in bounded memory."""

import csv
import multiprocessing
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Self

from tqdm import tqdm

from amlc.catalog.table import ID, PRICE
from amlc.errors import DataError, ModelError
from amlc.files import replacing
from amlc.serving.pictures import Pictures
from amlc.serving.pricer import BundlePricer, Prepared
from amlc.serving.rows import Row, open_rows

HEADER = (ID, PRICE, "low", "high", "reason")
# Rows that one worker prices at a time.
CHUNK = 512
# Smaller files are priced before a worker has started.
SMALL_BYTES = 2_000_000

Price = tuple[float, float, float]


@dataclass(frozen=True)
class Chunk:
    """Some rows, with what of them is priced."""

    rows: list[Row]
    products: list[Prepared]


class Workers:
    """Prices chunks in other processes, or in this one; use it as a context.

    Parameters
    ----------
    pricer : BundlePricer
        Prices here where there is one worker only.
    bundle : Path
        What other processes load.
    count : int
        Processes.
    """

    def __init__(self, pricer: BundlePricer, bundle: Path, count: int) -> None:
        self._pricer = pricer
        self._count = count
        # A process that is started afresh shares no lock and no thread with this one.
        self._pool = (
            ProcessPoolExecutor(
                count, multiprocessing.get_context("spawn"), initializer=_load, initargs=(bundle,)
            )
            if count > 1
            else None
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def price(self, chunks: Iterable[Chunk]) -> Iterator[tuple[Chunk, list[Price]]]:
        """Yield each chunk with its prices, in order; few chunks are in memory at once."""
        if self._pool is None:
            for chunk in chunks:
                yield chunk, _prices(self._pricer, chunk.products)
            return
        waiting: deque[tuple[Chunk, Future[list[Price]]]] = deque()
        try:
            for chunk in chunks:
                waiting.append((chunk, self._pool.submit(_price, chunk.products)))
                if len(waiting) > 2 * self._count:
                    first, future = waiting.popleft()
                    yield first, future.result()
            while waiting:
                first, future = waiting.popleft()
                yield first, future.result()
        except BrokenProcessPool:
            raise ModelError(
                "a worker process ended unexpectedly, most likely for want of memory; "
                "try --workers 1"
            ) from None


# The pricer of a worker process.
_pricer: BundlePricer | None = None


def _load(bundle: Path) -> None:
    global _pricer  # noqa: PLW0603 - a worker has one, and nobody to hand it over
    _pricer = BundlePricer.load(bundle)


def _price(products: Sequence[Prepared]) -> list[Price]:
    assert _pricer is not None
    return _prices(_pricer, products)


def _prices(pricer: BundlePricer, products: Sequence[Prepared]) -> list[Price]:
    answers = pricer.price_prepared(products)
    return [(answer.price, answer.low, answer.high) for answer in answers]


def price_file(
    source: Path,
    target: Path,
    pricer: BundlePricer,
    workers: Workers,
    pictures: Pictures,
    *,
    links: bool,
) -> Counter[str]:
    """Price the products of a CSV file.

    Parameters
    ----------
    source : Path
        See `amlc.serving.rows.ProductRows`.
    target : Path
        Gets one row for each row of `source`, in its order, with the columns `HEADER`; it appears
        when all of it is there.
    pricer : BundlePricer
        Checks the texts.
    workers : Workers
        What prices the rows.
    pictures : Pictures
        Where the pictures are.
    links : bool
        Whether `source` has to have a column of links.

    Returns
    -------
    Counter
        Rows by reason; ``"rows"``: all of them.

    Raises
    ------
    DataError
        `source` is no CSV of products, or `target` cannot be written.
    """
    counts: Counter[str] = Counter()
    size = source.stat().st_size if source.is_file() else None
    with (
        open_rows(source, links=links) as (rows, stream),
        _written(target) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as out,
        tqdm(total=size, unit="B", unit_scale=True, disable=None) as bar,
    ):
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(HEADER)
        for chunk, prices in workers.price(_chunks(rows, pricer, pictures)):
            for row, product, price in zip(chunk.rows, chunk.products, prices, strict=True):
                reasons = (*row.reasons, *product.reasons)
                counts.update(["rows", *reasons])
                writer.writerow([row.sample_id, *map(shown, price), "; ".join(reasons)])
            bar.set_postfix(rows=counts["rows"], refresh=False)
            bar.update(stream.tell() - bar.n)
    return counts


def shown(price: float) -> str:
    """Return a price with four decimals, as in the submission, and with more where it is tiny."""
    return f"{price:.4f}" if price >= 0.01 else f"{price:.10g}"


def _chunks(rows: Iterable[Row], pricer: BundlePricer, pictures: Pictures) -> Iterator[Chunk]:
    waiting = iter(rows)
    while some := list(islice(waiting, CHUNK)):
        found = pictures.find([row.link for row in some])
        products = []
        for row, one in zip(some, found, strict=True):
            text, reasons = pricer.prepare_text(row.text)
            if one.reason:
                reasons.append(one.reason)
            products.append(Prepared(text, one.picture, tuple(reasons)))
        yield Chunk(some, products)


@contextmanager
def _written(path: Path) -> Iterator[Path]:
    try:
        with replacing(path) as temporary:
            yield temporary
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error.strerror}") from None
