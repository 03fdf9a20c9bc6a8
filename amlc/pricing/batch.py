"""Price CSVs of any length, with the pictures of their rows, in order and in bounded memory."""

import csv
import io
import os
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import IO

from tqdm import tqdm

from amlc import params
from amlc.catalog.columns import COMPETITION, ColumnMap
from amlc.catalog.products import ID, PRICE
from amlc.catalog.rows import ProductRows, Row, open_rows
from amlc.catalog.submission import format_price
from amlc.errors import DataError, ModelError
from amlc.files import without_formula, writing
from amlc.images.decode import pillow_warning_filters
from amlc.images.mirror import Mirror
from amlc.images.settings import FetchSettings, ImageSettings, PictureSettings
from amlc.images.store import default_path
from amlc.pricing.catalog_settings import read_catalog_settings
from amlc.pricing.estimates import Estimate, Product
from amlc.pricing.pictures import (
    FindPictures,
    download_pictures,
    find_pictures,
    products_of,
)
from amlc.pricing.pricer import MAX_ROWS, BundlePricer
from amlc.pricing.workers import Workers

# The columns of the CSV that is written.
HEADER = (ID, PRICE, "low", "high", "reason")
# Rows that are priced at a time: as many as go through the models together.
CHUNK_ROWS = MAX_ROWS
# A smaller file is priced in less time than worker processes take to start.
SMALL_BYTES = 2_000_000

Group = tuple[list[Row], list[Product]]
Submit = Callable[[Sequence[Product]], Future[list[Estimate]]]
OpenRows = Callable[..., AbstractContextManager[tuple[ProductRows, IO[bytes]]]]


def price_rows(
    groups: Iterable[Group],
    submit: Submit,
    ahead: Callable[[], int],
    retry: Submit | None = None,
) -> Generator[tuple[list[Row], list[Estimate]]]:
    """Yield groups of rows with their estimates, in order; few groups are in memory at once.

    Groups that are not priced yet are cancelled when the generator is closed.

    Parameters
    ----------
    groups : iterable of Group
        Rows and their products.
    submit : callable
        Has products priced.
    ahead : callable
        Returns how many groups to submit before the first one is waited for.
    retry : callable, optional
        Has the products priced of a group whose worker process has ended unexpectedly.

    Raises
    ------
    BrokenProcessPool
        A worker process has ended unexpectedly, and there is no `retry`.
    """
    pending: deque[tuple[Group, Future[list[Estimate]]]] = deque()
    remaining = iter(groups)
    try:
        while True:
            while len(pending) <= ahead() and (group := next(remaining, None)):
                pending.append((group, submit(group[1])))
            if not pending:
                return
            (rows, products), future = pending.popleft()
            try:
                estimates = future.result()
            except BrokenProcessPool:
                if retry is None:
                    raise
                estimates = retry(products).result()
            yield rows, estimates
    finally:
        for _, future in pending:
            future.cancel()


def csv_lines(
    rows: Iterable[Row], estimates: Iterable[Estimate], *, spreadsheet: bool = False
) -> str:
    """Return the lines of the CSV that is written, in the columns of `header_for`.

    Parameters
    ----------
    rows : iterable of Row
    estimates : iterable of Estimate
        That of each row.
    spreadsheet : bool
        Whether a ``'`` comes before each cell that a spreadsheet would take for a formula.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for row, estimate in zip(rows, estimates, strict=True):
        prices = map(format_price, (estimate.price, estimate.low, estimate.high))
        cells = row.cells or (row.sample_id,)
        if spreadsheet:
            cells = tuple(map(without_formula, cells))
        writer.writerow((*cells, *prices, "; ".join(_reasons(row, estimate))))
    return text.getvalue()


def csv_header(header: Sequence[str], columns: ColumnMap) -> str:
    """Return the line with the columns of `header_for`."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(header_for(header, columns))
    return text.getvalue()


def header_for(header: Sequence[str], columns: ColumnMap) -> tuple[str, ...]:
    """Return the columns of the CSV that is written for a file.

    Parameters
    ----------
    header : sequence of str
        The columns of the file.
    columns : ColumnMap
        Its map.

    Returns
    -------
    tuple of str
        `HEADER` for the columns of the competition; otherwise those of the file, then price, low,
        high and reason, which begin with ``predicted_`` where the file has such a column.

    Examples
    --------
    >>> other = COMPETITION.model_copy(update={"text": "name"})
    >>> header_for(["name", "price"], other)
    ('name', 'price', 'predicted_price', 'low', 'high', 'reason')
    """
    if columns == COMPETITION:
        return HEADER
    taken = {name.casefold() for name in header}
    added = [f"predicted_{name}" if name in taken else name for name in HEADER[1:]]
    return (*header, *added)


def _reasons(row: Row, estimate: Estimate) -> list[str]:
    return [*row.reasons, *map(str, estimate.reasons)]


def price_csv(
    source: Path,
    target: Path,
    bundle: Path,
    *,
    images: Path | None = None,
    no_images: bool = False,
    workers: int = 1,
    spreadsheet: bool = False,
) -> str:
    """Price the products of a CSV file with a bundle; return a summary for the user.

    Parameters
    ----------
    source : Path
        A file in the layout of the catalogue that the bundle was made from, as
        `amlc.catalog.rows.open_rows` reads it; the column of links is not needed with `no_images`.
    target : Path
        The CSV to write: the columns of `header_for`, and one row for each row of `source`, in its
        order. It appears once it is complete, unless it is a device or the like.
    bundle : Path
        Folder that the stage ``bundle`` wrote.
    images : Path, optional
        A folder of pictures, named by the last part of their link; if given, nothing is downloaded.
    no_images : bool
        Price by text alone.
    workers : int
        Number of processes for a file larger than `SMALL_BYTES`.
    spreadsheet : bool
        As in `csv_lines`.

    Raises
    ------
    AmlcError
        `source` is not a CSV of products, `target` is `source` or cannot be written, the bundle
        or the pictures cannot be used, or a worker has ended unexpectedly.
    """
    if target.is_file() and source.exists() and target.samefile(source):
        raise DataError(f"{target}: is the file with the products; write the prices to another")
    if not source.exists():
        raise DataError(f"{source}: cannot be read: No such file or directory")
    with ExitStack() as stack:
        # A file that is not one of products is refused before a bundle is loaded for it.
        catalog = read_catalog_settings(bundle)
        no_images = no_images or catalog.columns.image is None
        opened = partial(
            open_rows,
            source,
            columns=catalog.columns,
            read=catalog.read,
            rates=catalog.rates,
            max_bytes=catalog.max_bytes,
        )
        rows, file = stack.enter_context(opened(links=not no_images))
        stack.enter_context(pillow_warning_filters())
        pricer = BundlePricer.load(bundle)
        find = _picture_source(opened, images, pricer.bundle.picture, no_images=no_images)
        if workers > 1 and source.stat().st_size > SMALL_BYTES:
            pool = stack.enter_context(Workers(bundle, workers, version=pricer.version))
            priced = price_rows(_groups(rows, find), pool.submit, lambda: 2 * workers)
        else:
            # In a thread, so that the next pictures come while products are priced.
            thread = stack.enter_context(ThreadPoolExecutor(1))
            priced = price_rows(
                _groups(rows, find),
                lambda products: thread.submit(pricer.price, products),
                lambda: 1,
            )
        to_lines = partial(csv_lines, spreadsheet=spreadsheet)
        header = csv_header(rows.header, catalog.columns)
        counts = _write(target, header, stack.enter_context(closing(priced)), to_lines, file)
    reasons = [
        f"  {count:8,}  {reason}" for reason, count in counts.most_common() if reason != "rows"
    ]
    head = f"{counts['rows']:,} prices in {target}, by model {pricer.version}"
    return "\n".join([head, *reasons])


def _picture_source(
    opened: OpenRows,
    images: Path | None,
    limits: PictureSettings,
    *,
    no_images: bool,
) -> FindPictures:
    if no_images:
        return lambda links: [None] * len(links)
    if images is not None:
        # The links are read first, because a file that two of them could mean is used for neither.
        with opened(links=True) as (rows, _):
            links = (link for row in rows for link in (row.link, *row.further_links))
            return partial(find_pictures, mirror=Mirror(str(images), links))
    # A params.yaml in the current folder decides how pictures are fetched.
    settings, fetching = ImageSettings(**limits.model_dump()), FetchSettings()
    if params.PATH.exists():
        fetching = params.load(FetchSettings, "fetching")
        # Pictures must be like those that the models were trained on.
        changes = {**limits.model_dump(), "mirror": None}
        settings = params.load(ImageSettings, "images").model_copy(update=changes)
    return partial(download_pictures, settings=settings, fetching=fetching, store=default_path())


def _groups(rows: ProductRows, find: FindPictures) -> Iterator[Group]:
    remaining = iter(rows)
    while chunk := list(islice(remaining, CHUNK_ROWS)):
        yield chunk, products_of(chunk, find)


def _write(
    target: Path,
    header: str,
    priced: Iterable[tuple[list[Row], list[Estimate]]],
    to_lines: Callable[[list[Row], list[Estimate]], str],
    file: IO[bytes],
) -> Counter[str]:
    """Write priced rows; return the number of rows, and of those with each reason."""
    counts: Counter[str] = Counter()
    size = os.fstat(file.fileno()).st_size
    with (
        _errors(),
        writing(target) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as out,
        tqdm(total=size, unit="B", unit_scale=True, disable=None) as bar,
    ):
        out.write(header)
        for rows, estimates in priced:
            out.write(to_lines(rows, estimates))
            for row, estimate in zip(rows, estimates, strict=True):
                counts.update(["rows", *_reasons(row, estimate)])
            bar.set_postfix(rows=counts["rows"], refresh=False)
            if file.seekable():
                bar.update(file.tell() - bar.n)
    return counts


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except BrokenProcessPool:
        raise ModelError(
            "a worker process ended unexpectedly, most likely for lack of memory; try --workers 1"
        ) from None
