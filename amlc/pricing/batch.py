"""Price a CSV of any length, with the pictures of its rows, in order and in bounded memory."""

import csv
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from tqdm import tqdm

from amlc import params
from amlc.catalog.products import ID, PRICE
from amlc.catalog.rows import Row, open_rows
from amlc.catalog.submission import format_price
from amlc.errors import DataError, ModelError
from amlc.files import replacing
from amlc.images.decode import pillow_warning_filters
from amlc.images.settings import FetchSettings, ImageSettings, PictureSettings
from amlc.images.store import default_path
from amlc.pricing.estimates import Estimate
from amlc.pricing.pictures import DownloadedPictures, FolderPictures, NoPictures, PictureSource
from amlc.pricing.pricer import BundlePricer, CheckedProduct
from amlc.pricing.workers import Workers

# The columns of the CSV that is written.
HEADER = (ID, PRICE, "low", "high", "reason")
# Rows that one worker prices at a time.
CHUNK_ROWS = 512
# A smaller file is priced in less time than worker processes take to start.
SMALL_BYTES = 2_000_000


@dataclass(frozen=True)
class Chunk:
    """Consecutive rows and their products."""

    rows: list[Row]
    products: list[CheckedProduct]


def price_csv(
    source: Path,
    target: Path,
    bundle: Path,
    *,
    images: Path | None = None,
    no_images: bool = False,
    workers: int = 1,
) -> str:
    """Price the products of a CSV file with a bundle; return a summary for the user.

    Parameters
    ----------
    source : Path
        A CSV with the columns ``sample_id``, ``catalog_content`` and, unless `no_images`,
        ``image_link``.
    target : Path
        The CSV to write; `price_file` describes it.
    bundle : Path
        Folder that the stage ``bundle`` wrote.
    images : Path, optional
        A folder of pictures, named by the last part of their link; if given, nothing is downloaded.
    no_images : bool
        Price by text alone.
    workers : int
        Number of processes for a file larger than `SMALL_BYTES`.

    Raises
    ------
    AmlcError
        Any error of `price_file`, or the bundle cannot be used.
    """
    with open_rows(source, links=not no_images):
        # A file that is not a CSV of products is refused before a bundle is loaded for it.
        pass
    with ExitStack() as stack:
        stack.enter_context(pillow_warning_filters())
        pricer = BundlePricer.load(bundle)
        pictures = _picture_source(source, images, pricer.bundle.picture, no_images=no_images)
        processes = workers if source.stat().st_size > SMALL_BYTES else 1
        pool = stack.enter_context(Workers(bundle, processes)) if processes > 1 else None
        counts = price_file(source, target, pricer, pool, pictures, links=not no_images)
    reasons = [
        f"  {count:8,}  {reason}" for reason, count in counts.most_common() if reason != "rows"
    ]
    head = f"{counts['rows']:,} prices in {target}, by model {pricer.version}"
    return "\n".join([head, *reasons])


def _picture_source(
    source: Path, images: Path | None, limits: PictureSettings, *, no_images: bool
) -> PictureSource:
    if no_images:
        return NoPictures()
    if images is not None:
        with open_rows(source, links=True) as (rows, _):
            return FolderPictures(images, (row.link for row in rows), limits)
    # A params.yaml in the current folder decides how pictures are fetched.
    settings, fetching = ImageSettings(**limits.model_dump()), FetchSettings()
    if params.PATH.exists():
        fetching = params.load(FetchSettings, "fetching")
        # Pictures must be like those that the models were trained on.
        changes = {**limits.model_dump(), "mirror": None}
        settings = params.load(ImageSettings, "images").model_copy(update=changes)
    return DownloadedPictures(settings, fetching, default_path())


def price_file(
    source: Path,
    target: Path,
    pricer: BundlePricer,
    workers: Workers | None,
    pictures: PictureSource,
    *,
    links: bool,
) -> Counter[str]:
    """Price the products of a CSV file.

    Parameters
    ----------
    source : Path
        A CSV as `amlc.catalog.rows.ProductRows` reads it.
    target : Path
        The CSV to write: the columns `HEADER`, and one row for each row of `source`, in its order.
        It appears once it is complete.
    pricer : BundlePricer
        Checks the texts, and prices the rows where there are no workers.
    workers : Workers, optional
        Processes that price the rows.
    pictures : PictureSource
        Finds the pictures of the rows' links.
    links : bool
        Whether `source` must have a column of links.

    Returns
    -------
    Counter
        Number of rows with each reason; ``"rows"`` counts all rows.

    Raises
    ------
    DataError
        `source` is not a CSV of products, or `target` cannot be written.
    ModelError
        A worker has ended unexpectedly.
    """
    counts: Counter[str] = Counter()
    size = source.stat().st_size if source.is_file() else None
    with (
        open_rows(source, links=links) as (rows, stream),
        _replacing(target) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as out,
        tqdm(total=size, unit="B", unit_scale=True, disable=None) as bar,
    ):
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(HEADER)
        for chunk, estimates in _price_chunks(_chunks(rows, pricer, pictures), pricer, workers):
            for row, estimate in zip(chunk.rows, estimates, strict=True):
                counts.update(["rows", *row.reasons, *map(str, estimate.reasons)])
                writer.writerow(cells(row, estimate))
            bar.set_postfix(rows=counts["rows"], refresh=False)
            bar.update(stream.tell() - bar.n)
    return counts


def cells(row: Row, estimate: Estimate) -> tuple[str, ...]:
    """Return a row of the CSV that is written, in the order of `HEADER`."""
    prices = map(format_price, (estimate.price, estimate.low, estimate.high))
    return row.sample_id, *prices, "; ".join((*row.reasons, *map(str, estimate.reasons)))


def _chunks(rows: Iterable[Row], pricer: BundlePricer, pictures: PictureSource) -> Iterator[Chunk]:
    remaining = iter(rows)
    while chunk := list(islice(remaining, CHUNK_ROWS)):
        linked = pictures.find([row.link for row in chunk])
        products = []
        for row, link in zip(chunk, linked, strict=True):
            text, reasons = pricer.check_text(row.text)
            if link.reason:
                reasons.append(link.reason)
            products.append(CheckedProduct(text, link.picture, tuple(reasons)))
        yield Chunk(chunk, products)


def _price_chunks(
    chunks: Iterable[Chunk], pricer: BundlePricer, workers: Workers | None
) -> Iterator[tuple[Chunk, list[Estimate]]]:
    """Yield each chunk with its estimates, in order; few chunks are in memory at once."""
    if workers is None:
        for chunk in chunks:
            yield chunk, pricer.price_checked(chunk.products)
        return
    pending: deque[tuple[Chunk, Future[list[Estimate]]]] = deque()
    try:
        for chunk in chunks:
            pending.append((chunk, workers.submit_checked(chunk.products)))
            if len(pending) > 2 * workers.count:
                first, future = pending.popleft()
                yield first, future.result()
        while pending:
            first, future = pending.popleft()
            yield first, future.result()
    except BrokenProcessPool:
        raise ModelError(
            "a worker process ended unexpectedly, most likely for lack of memory; try --workers 1"
        ) from None


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    try:
        with replacing(path) as temporary:
            yield temporary
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error.strerror}") from None
