"""Price a CSV of any length: rows in, prices out, in order and in bounded memory."""

import csv
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from tqdm import tqdm

from amlc.catalog.table import ID, PRICE
from amlc.errors import DataError, ModelError
from amlc.files import replacing
from amlc.serving.answers import Answer
from amlc.serving.pictures import Pictures
from amlc.serving.pricer import BundlePricer, Prepared
from amlc.serving.rows import Row, open_rows
from amlc.serving.workers import Workers

HEADER = (ID, PRICE, "low", "high", "reason")
# Rows that one worker prices at a time.
CHUNK = 512
# Smaller files are priced before a worker has started.
SMALL_BYTES = 2_000_000


@dataclass(frozen=True)
class Chunk:
    """Some rows, with what of them is priced."""

    rows: list[Row]
    products: list[Prepared]


def price_file(
    source: Path,
    target: Path,
    pricer: BundlePricer,
    workers: Workers | None,
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
        Checks the texts, and prices the rows where there are no workers.
    workers : Workers, optional
        Processes that price the rows.
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
    ModelError
        A worker has ended unexpectedly.
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
        for chunk, answers in _priced(_chunks(rows, pricer, pictures), pricer, workers):
            for row, answer in zip(chunk.rows, answers, strict=True):
                counts.update(["rows", *row.reasons, *answer.reasons])
                writer.writerow(cells(row, answer))
            bar.set_postfix(rows=counts["rows"], refresh=False)
            bar.update(stream.tell() - bar.n)
    return counts


def cells(row: Row, answer: Answer) -> tuple[str, ...]:
    """Return a row of the answer, in the order of `HEADER`."""
    prices = map(shown, (answer.price, answer.low, answer.high))
    return row.sample_id, *prices, "; ".join((*row.reasons, *answer.reasons))


def shown(price: float) -> str:
    """Return a price with four decimals, as in the submission, and with more where it is tiny."""
    return f"{price:.4f}" if price >= 0.01 else f"{price:.10g}"


def _priced(
    chunks: Iterable[Chunk], pricer: BundlePricer, workers: Workers | None
) -> Iterator[tuple[Chunk, list[Answer]]]:
    """Yield each chunk with its answers, in order; few chunks are in memory at once."""
    if workers is None:
        for chunk in chunks:
            yield chunk, pricer.price_prepared(chunk.products)
        return
    waiting: deque[tuple[Chunk, Future[list[Answer]]]] = deque()
    try:
        for chunk in chunks:
            waiting.append((chunk, workers.submit_prepared(chunk.products)))
            if len(waiting) > 2 * workers.count:
                first, future = waiting.popleft()
                yield first, future.result()
        while waiting:
            first, future = waiting.popleft()
            yield first, future.result()
    except BrokenProcessPool:
        raise ModelError(
            "a worker process ended unexpectedly, most likely for want of memory; try --workers 1"
        ) from None


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
