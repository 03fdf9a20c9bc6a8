"""Price a CSV of any length, with the pictures of its rows: in order and in bounded memory."""

import csv
import os
import tempfile
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Protocol

from tqdm import tqdm

from amlc import params
from amlc.catalog.products import ID, PRICE
from amlc.catalog.rows import Row, open_rows
from amlc.catalog.submission import format_price
from amlc.errors import DataError, ModelError
from amlc.files import replacing
from amlc.images import urls as image_links
from amlc.images.decode import pillow_warning_filters
from amlc.images.download import download
from amlc.images.fetch_result import OK, FetchError
from amlc.images.mirror import Mirror
from amlc.images.settings import ImageSettings, serving_settings
from amlc.images.shards import read_rows
from amlc.images.store import default_path
from amlc.pricing.answers import Answer
from amlc.pricing.bundle import PictureSettings
from amlc.pricing.pricer import BundlePricer, Prepared, reduced
from amlc.pricing.workers import Workers


@dataclass(frozen=True)
class Found:
    """What there is behind a link.

    Parameters
    ----------
    picture : bytes, optional
        As the image shards hold it.
    reason : str
        Why there is none; empty where there is one.
    """

    picture: bytes | None
    reason: str = ""


class Pictures(Protocol):
    """Finds the pictures of some links."""

    def find(self, links: Sequence[str]) -> list[Found]:
        """Return what there is behind each link; nothing, without a reason, for an empty one."""
        ...


class NoPictures:
    """Looks for no picture at all."""

    def find(self, links: Sequence[str]) -> list[Found]:
        """Return nothing, without blaming a row for it."""
        return [Found(None) for _ in links]


class FolderPictures:
    """Takes pictures from a folder, where they are named by the last part of their link.

    Parameters
    ----------
    folder : Path
        The folder.
    links : iterable of str
        All links to come. A name that two of them claim belongs to neither.
    limits : PictureSettings
        What a picture may be.

    Raises
    ------
    ImageError
        There is no such folder.
    """

    def __init__(self, folder: Path, links: Iterable[str], limits: PictureSettings) -> None:
        self._limits = limits
        # Raises where there is no folder.
        Mirror(str(folder), ())
        stems = {path.stem for path in folder.iterdir()}
        # Few of many links are kept: those that may have a file.
        self._mirror = Mirror(str(folder), {link for link in links if _may_be(link, stems)})
        self._pool = ThreadPoolExecutor(os.cpu_count() or 1)

    def find(self, links: Sequence[str]) -> list[Found]:
        """Return the folder's pictures, checked and reduced."""
        return list(self._pool.map(self._one, links))

    def _one(self, link: str) -> Found:
        try:
            path = self._mirror.find(image_links.parse(link))
            if path is None:
                return Found(None, "no picture in the folder")
            with path.open("rb") as stream:
                # One byte more than allowed, so that too many can be told.
                body = stream.read(self._limits.max_bytes + 1)
            return Found(reduced(body, self._limits))
        except FetchError as fault:
            # A row without a good link says so itself.
            return Found(None, f"picture not used: {fault.reason}" if link else "")
        except OSError as error:
            return Found(None, f"picture not used: {error.strerror}")


class DownloadedPictures:
    """Downloads pictures as the pipeline does, into the same store.

    Parameters
    ----------
    settings : ImageSettings
        As for the pipeline.
    store : Path
        See `amlc.images.store`.
    """

    def __init__(self, settings: ImageSettings, store: Path) -> None:
        self._settings = settings
        self._store = store

    def find(self, links: Sequence[str]) -> list[Found]:
        """Return what the store has or the network gives."""
        wanted = sorted({link for link in links if link})
        if not wanted:
            return [Found(None) for _ in links]
        with tempfile.TemporaryDirectory(prefix="amlc-pictures-") as name:
            folder = Path(name)
            download(wanted, self._settings, self._store, folder)
            found = {
                row.link: Found(row.data)
                if row.status == OK
                else Found(None, f"picture not used: {row.reason}")
                for row in read_rows(folder)
            }
        return [found[link] if link else Found(None) for link in links]


def _may_be(link: str, stems: set[str]) -> bool:
    """Return whether a folder with files of these names may hold the picture of a link."""
    try:
        names = image_links.file_names(image_links.parse(link))
    except FetchError:
        return False
    return any(Path(name).stem in stems for name in names)


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


def price_csv(
    source: Path,
    target: Path,
    bundle: Path,
    *,
    images: Path | None = None,
    no_images: bool = False,
    workers: int = 1,
) -> str:
    """Price the products of a CSV file with a bundle; return what came of it in words.

    Parameters
    ----------
    source : Path
        A CSV with the columns ``sample_id``, ``catalog_content`` and, unless `no_images`,
        ``image_link``.
    target : Path
        The CSV to write; see `price_file`.
    bundle : Path
        Folder that the stage ``bundle`` wrote.
    images : Path, optional
        A folder of pictures, named by the last part of their link; none is then downloaded.
    no_images : bool
        Price by text alone.
    workers : int
        Processes for a file of more than `SMALL_BYTES`.

    Raises
    ------
    AmlcError
        Anything that `price_file` raises, or the bundle cannot be used.
    """
    with open_rows(source, links=not no_images):
        # A file that is not a CSV of products is refused before a bundle is loaded for it.
        pass
    with ExitStack() as stack:
        stack.enter_context(pillow_warning_filters())
        pricer = BundlePricer.load(bundle)
        pictures = _pictures(source, images, pricer.bundle.picture, no_images=no_images)
        count = workers if source.stat().st_size > SMALL_BYTES else 1
        pool = stack.enter_context(Workers(bundle, count)) if count > 1 else None
        counts = price_file(source, target, pricer, pool, pictures, links=not no_images)
    reasons = [
        f"  {count:8,}  {reason}" for reason, count in counts.most_common() if reason != "rows"
    ]
    head = f"{counts['rows']:,} prices in {target}, by model {pricer.version}"
    return "\n".join([head, *reasons])


def _pictures(
    source: Path, images: Path | None, limits: PictureSettings, *, no_images: bool
) -> Pictures:
    if no_images:
        return NoPictures()
    if images is not None:
        with open_rows(source, links=True) as (rows, _):
            return FolderPictures(images, (row.link for row in rows), limits)
    # How pictures are fetched is told by the params.yaml of a repository, where there is one.
    in_repository = params.PATH.exists()
    settings = params.load(ImageSettings, "images") if in_repository else serving_settings()
    # Pictures have to be as the models have seen them.
    changed = {**limits.model_dump(), "mirror": None}
    return DownloadedPictures(settings.model_copy(update=changed), default_path())


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
        See `amlc.catalog.rows.ProductRows`.
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
    prices = map(format_price, (answer.price, answer.low, answer.high))
    return row.sample_id, *prices, "; ".join((*row.reasons, *answer.reasons))


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
