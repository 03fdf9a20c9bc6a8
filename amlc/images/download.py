"""Get the pictures of links from the store, the mirror or the network, and write them to shards."""

import sys
from collections import Counter, deque
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from tqdm import tqdm

from amlc.catalog.links import LOCAL, LinkError, parse_link
from amlc.errors import ImageError, first_few
from amlc.execution.backend import THREADS, Backend, cores
from amlc.images.addresses import check_host
from amlc.images.decode import decode, pillow_warning_filters, placeholder
from amlc.images.fetch_result import (
    HOST_NOT_FOUND,
    MALFORMED,
    NO_LINK,
    NOT_IN_MIRROR,
    OK,
    FetchError,
    FetchResult,
    Picture,
)
from amlc.images.mirror import Mirror, mirror_folder
from amlc.images.pool import FetchPool
from amlc.images.remote import RemoteFetchPool
from amlc.images.settings import FetchSettings, ImageSettings
from amlc.images.shards import ROWS_AT_ONCE, write_shard
from amlc.images.store import Store

# Hosts that were given up are named in messages up to this number, and then counted.
_HOSTS_NAMED = 5
# How many links, and pictures of the mirror, are read ahead of the first one that waits for the
# network: enough links to keep every worker busy while that one is retried, at about 1 KB each.
MAX_AHEAD, MAX_PICTURES = 20_000, 1000


class _Progress:
    """A progress bar on a terminal, and messages about hosts and files that need attention.

    Parameters
    ----------
    total : int, optional
        Distinct links; None for no bar.
    """

    def __init__(self, total: int | None) -> None:
        # With `disable=None` there is no bar without a terminal.
        disable = None if total is not None else True
        self._bar = tqdm(total=total, unit="image", disable=disable, mininterval=0.5)
        self._counts: Counter[str] = Counter()
        self._received = 0
        # Links whose stored pictures have changed on the disk.
        self.damaged: list[str] = []
        self._given_up = 0
        # Files of the mirror that are not usable pictures; any thread may add one.
        self.unusable: list[Path] = []

    def close(self) -> None:
        """End the bar, and report what is known at the end."""
        self._bar.close()
        if self.unusable:
            names = first_few(sorted(path.name for path in self.unusable))
            _note(f"images.mirror: {len(self.unusable)} files cannot be used as pictures: {names}")
        if self.damaged:
            _note(
                f"the image store: {len(self.damaged)} pictures were damaged on the disk, and were "
                f"looked for again: {first_few(self.damaged)}"
            )
        if self._given_up > _HOSTS_NAMED:
            _note(f"{self._given_up - _HOSTS_NAMED} more hosts were given up")

    def add_given_up(self, hosts: Mapping[str, FetchError]) -> None:
        """Report hosts that were given up, and why."""
        for host, error in hosts.items():
            self._given_up += 1
            if self._given_up <= _HOSTS_NAMED:
                _note(f"{host}: {error.reason}, repeatedly: not asked again until the next run")

    def count(self, name: str, count: int = 1, *, received: int = 0) -> None:
        """Count links with this kind of result, and the bytes received for them."""
        self._counts[name] += count
        self._received += received
        if not self._bar.disable:
            seconds = max(self._bar.format_dict["elapsed"], 1e-3)
            rate = {"MB/s": f"{self._received / 1e6 / seconds:.1f}"}
            self._bar.set_postfix({**rate, **self._counts}, refresh=False)
            self._bar.update(count)


def _note(text: str) -> None:
    tqdm.write(text, file=sys.stderr)


def download(
    links: Sequence[str],
    settings: ImageSettings,
    fetching: FetchSettings,
    store_path: Path,
    folder: Path,
    backend: Backend = THREADS,
) -> None:
    """Get the pictures of links, and write them into shards.

    Parameters
    ----------
    links : sequence of str
        As in the product table; links may be repeated, and an empty one has no picture.
    settings, fetching, store_path, backend
        As for `fetch_results`.
    folder : Path
        An empty folder for the shards.

    Raises
    ------
    ImageError
        The mirror or the folder cannot be used, or any error of `fetch_results`.
    """
    distinct = sorted(set(links))
    grey = placeholder(settings.size, settings.quality)
    # A catalogue without pictures needs no folder of them.
    mirror = Mirror(mirror_folder(settings.mirror) if any(distinct) else None, distinct)
    if mirror.ambiguous:
        _note(f"images.mirror: {mirror.ambiguous} file names fit several links and are not used")
    rows = fetch_results(
        distinct, settings, fetching, store_path, mirror, total=len(distinct), backend=backend
    )
    with pillow_warning_filters(), closing(rows):
        results = (result for _, result in rows)
        for index, start in enumerate(range(0, len(distinct), settings.shard_links)):
            shard = distinct[start : start + settings.shard_links]
            try:
                write_shard(folder, index, shard, results, grey)
            except OSError as error:
                raise ImageError(
                    f"{folder}: cannot write image shards: {error}; "
                    "what was fetched is safe in the store: run again"
                ) from None


def fetch_results(
    links: Iterable[str],
    settings: ImageSettings,
    fetching: FetchSettings,
    store_path: Path,
    mirror: Mirror | None = None,
    *,
    total: int | None = None,
    backend: Backend = THREADS,
) -> Generator[tuple[str, FetchResult]]:
    """Yield the result of each link, in order, from the store, the mirror or the network.

    It reads ahead, so that the workers are busy while a slow link holds up the links after it; few
    pictures are in memory at a time. Close the generator to end its threads early, and enter
    `amlc.images.decode.pillow_warning_filters` around its use.

    Parameters
    ----------
    links : iterable of str
        Any number of links, which may be repeated. An empty link has no picture.
    settings : ImageSettings
        The section `images`; its mirror is not used, but the one below.
    fetching : FetchSettings
        The section `fetching`.
    store_path : Path
        The file of the store, such as `amlc.images.store.default_path`.
    mirror : Mirror, optional
        Where pictures are looked for before they are fetched.
    total : int, optional
        The number of links, for a progress bar; without it there is none.
    backend : Backend
        Where links are fetched; the store and the mirror are read here.

    Yields
    ------
    link : str
        As given.
    result : FetchResult
        With its picture, if it has one.

    Raises
    ------
    ImageError
        The store or the CA bundle cannot be used, or a disk is full.
    """
    mirror = mirror or Mirror(None, ())
    with (
        Store(store_path, settings) as store,
        closing(_Progress(total)) as progress,
        closing(_fetch_pool(settings, fetching, store, backend)) as pool,
        closing(_Fetcher(settings, pool, store, mirror, progress)) as fetcher,
    ):
        yield from fetcher.results(links)


def _fetch_pool(
    settings: ImageSettings, fetching: FetchSettings, store: Store, backend: Backend
) -> FetchPool | RemoteFetchPool:
    if backend is THREADS:
        return FetchPool(settings, fetching, store.put)
    return RemoteFetchPool(settings, fetching, store, backend)


@dataclass(slots=True)
class _Batch:
    """Consecutive links whose results are being gathered."""

    links: list[str]
    # Except of pictures in the store, which are read when the batch is yielded.
    results: dict[str, FetchResult] = field(default_factory=dict)
    # Links that are still being fetched.
    waiting: set[str] = field(default_factory=set)


class _Fetcher:
    """The state of one `fetch_results`."""

    def __init__(
        self,
        settings: ImageSettings,
        pool: FetchPool | RemoteFetchPool,
        store: Store,
        mirror: Mirror,
        progress: _Progress,
    ) -> None:
        self._settings = settings
        self._store = store
        self._mirror = mirror
        self._progress = progress
        self._pool = pool
        self._decoders = ThreadPoolExecutor(cores())
        # Batches that wait for a link; usually one.
        self._waiting: dict[str, list[_Batch]] = {}
        # Links whose file in the mirror cannot be used.
        self._unusable: set[str] = set()

    def close(self) -> None:
        """End the threads that decode."""
        self._decoders.shutdown(cancel_futures=True)

    def results(self, links: Iterable[str]) -> Iterator[tuple[str, FetchResult]]:
        """Yield each link with its result, in order."""
        remaining = iter(links)
        batches: deque[_Batch] = deque()
        while batch := list(islice(remaining, ROWS_AT_ONCE)):
            batches.append(self._start(batch))
            while batches and (not batches[0].waiting or self._is_far_ahead(batches)):
                yield from self._finish(batches.popleft())
        for gathered in batches:
            yield from self._finish(gathered)

    def _is_far_ahead(self, batches: Sequence[_Batch]) -> bool:
        pictures = sum(
            result.picture is not None for batch in batches for result in batch.results.values()
        )
        return len(batches) * ROWS_AT_ONCE > MAX_AHEAD or pictures > MAX_PICTURES

    def _start(self, links: list[str]) -> _Batch:
        """Find results without the network, and submit the other links."""
        batch = _Batch(links)
        distinct = list(dict.fromkeys(links))
        stored, damaged = self._store.find_results(distinct)
        self._progress.damaged += damaged
        missing = [link for link in distinct if not _is_ok(stored.get(link))]
        pictures = self._decoders.map(self._read_mirror, missing)
        for link, picture in zip(missing, pictures, strict=True):
            if picture is not None:
                batch.results[link] = FetchResult.ok(picture)
                self._progress.count("mirror")
            elif (failure := self._final_failure(link, stored.get(link))) is not None:
                batch.results[link] = failure
                self._progress.count("failed")
            else:
                batch.waiting.add(link)
                if link not in self._waiting:
                    self._pool.submit(link, parse_link(link))
                self._waiting.setdefault(link, []).append(batch)
        self._progress.count("stored", len(distinct) - len(missing))
        return batch

    def _read_mirror(self, link: str) -> Picture | None:
        """Return a picture of the mirror; a file that cannot be used is reported at the end."""
        try:
            path = self._mirror.find(parse_link(link))
        except LinkError:
            return None
        if path is None:
            return None
        try:
            with path.open("rb") as stream:
                # One byte more than allowed is enough to see that a file is too large.
                body = stream.read(self._settings.max_bytes + 1)
            return decode(body, self._settings, str(path))
        except (OSError, FetchError):
            self._progress.unusable.append(path)
            self._unusable.add(link)
            return None

    def _final_failure(self, link: str, stored: FetchResult | None) -> FetchResult | None:
        """Return the failure of a link that must not be fetched in this run, or None."""
        try:
            parsed = parse_link(link)
            if parsed.host == LOCAL:
                return FetchResult.failed(NOT_IN_MIRROR, 0)
            check_host(parsed, self._settings)
        except LinkError:
            return FetchResult.failed(MALFORMED if link else NO_LINK, 0)
        except FetchError as error:
            return self._failed(link, FetchResult.failed(error.reason, 0))
        return None if self._settings.retry_failed else stored

    def _failed(self, link: str, failure: FetchResult) -> FetchResult:
        """Return a failure, which names the mirror if the host was not found either."""
        if not self._mirror.exists or link in self._unusable or failure.reason != HOST_NOT_FOUND:
            return failure
        return FetchResult.failed(NOT_IN_MIRROR, failure.tries)

    def _finish(self, batch: _Batch) -> Iterator[tuple[str, FetchResult]]:
        """Wait for a batch's links, and yield its results."""
        while batch.waiting:
            finished = self._pool.next_finished()
            for waiting in self._waiting.pop(finished.link):
                waiting.waiting.remove(finished.link)
                if finished.failure is not None:
                    waiting.results[finished.link] = self._failed(finished.link, finished.failure)
            kind = "ok" if finished.failure is None else "failed"
            self._progress.count(kind, received=finished.received)
            self._progress.add_given_up(self._pool.pop_given_up())
        pictures = self._store.read_pictures(
            [link for link in dict.fromkeys(batch.links) if link not in batch.results]
        )
        for link in batch.links:
            yield link, batch.results.get(link) or FetchResult.ok(pictures[link])


def _is_ok(result: FetchResult | None) -> bool:
    return result is not None and result.status == OK
