"""Get the pictures of links from the store, the mirror or the network, and write them to shards."""

import sys
import threading
from collections import Counter, deque
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Self

from tqdm import tqdm

from amlc.catalog.links import LinkError, parse_link
from amlc.errors import ImageError, first_few
from amlc.images import urls
from amlc.images.decode import decode, pillow_warning_filters, placeholder
from amlc.images.fetch_result import MALFORMED, OK, FetchError, FetchResult
from amlc.images.mirror import Mirror
from amlc.images.pool import FetchPool, Finished, cores
from amlc.images.settings import FetchSettings, ImageSettings
from amlc.images.shards import ROWS_AT_ONCE, write_shard
from amlc.images.store import Store, StorePolicy

# Hosts that were given up are named in messages up to this number, and then counted.
_HOSTS_NAMED = 5
# How many links, and pictures of the mirror, are read ahead of the first one that waits for the
# network: enough links to keep every worker busy while that one is retried, at about 1 KB each.
MAX_AHEAD, MAX_PICTURES = 20_000, 1000


class Progress:
    """A progress bar on a terminal, and messages about hosts and files that need attention.

    Parameters
    ----------
    total : int
        Distinct links.
    """

    def __init__(self, total: int) -> None:
        # With `disable=None` there is no bar without a terminal.
        self._bar = tqdm(total=total, unit="image", disable=None, mininterval=0.5)
        self._counts: Counter[str] = Counter()
        self._received = 0
        self._given_up = 0
        self._unusable: list[Path] = []
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()
        if self._unusable:
            names = first_few(sorted(path.name for path in self._unusable))
            _note(f"images.mirror: {len(self._unusable)} files cannot be used as pictures: {names}")
        if self._given_up > _HOSTS_NAMED:
            _note(f"{self._given_up - _HOSTS_NAMED} more hosts were given up")

    def report_ambiguous(self, count: int) -> None:
        """Report the number of file names in the mirror that fit more than one link."""
        if count:
            _note(f"images.mirror: {count} file names fit several links and are not used")

    def count_stored(self, count: int) -> None:
        """Count links whose pictures were in the store."""
        self._count("stored", count)

    def count_local(self, result: FetchResult, *, mirror: bool) -> None:
        """Count a link that needed no network."""
        self._count("mirror" if mirror else "ok" if result.status == OK else "failed", 1)

    def count_finished(self, finished: Finished, given_up: Mapping[str, FetchError]) -> None:
        """Count a link that needed the network; report hosts given up since the last call."""
        self._received += finished.received
        self._count("ok" if finished.result.status == OK else "failed", 1)
        for host, error in given_up.items():
            self._given_up += 1
            if self._given_up <= _HOSTS_NAMED:
                _note(f"{host}: {error.reason}, repeatedly: not asked again until the next run")

    def add_unusable(self, path: Path) -> None:
        """Note a file of the mirror that is not a usable picture; any thread may call it."""
        with self._lock:
            self._unusable.append(path)

    def _count(self, name: str, count: int) -> None:
        self._counts[name] += count
        if self._bar.disable:
            return
        seconds = max(self._bar.format_dict["elapsed"], 1e-3)
        self._bar.set_postfix(
            {"MB/s": f"{self._received / 1e6 / seconds:.1f}", **self._counts}, refresh=False
        )
        self._bar.update(count)


def _note(text: str) -> None:
    tqdm.write(text, file=sys.stderr)


def download(
    links: Sequence[str],
    settings: ImageSettings,
    fetching: FetchSettings,
    store_path: Path,
    folder: Path,
) -> None:
    """Get the pictures of links, and write them into shards.

    Parameters
    ----------
    links : sequence of str
        As in the product table; links may be repeated, and an empty one counts as malformed.
    settings, fetching, store_path
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
    with pillow_warning_filters(), Progress(len(distinct)) as progress:
        mirror = Mirror(settings.mirror, distinct)
        progress.report_ambiguous(mirror.ambiguous)
        rows = fetch_results(distinct, settings, fetching, store_path, mirror, progress)
        with closing(rows):
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
    progress: Progress | None = None,
) -> Generator[tuple[str, FetchResult]]:
    """Yield the result of each link, in order, from the store, the mirror or the network.

    It reads ahead, so that the workers are busy while a slow link holds up the links after it; few
    pictures are in memory at a time. Close the generator to end its threads early, and enter
    `amlc.images.decode.pillow_warning_filters` around its use.

    Parameters
    ----------
    links : iterable of str
        Any number of links, which may be repeated. An empty link counts as malformed.
    settings : ImageSettings
        The section `images`; its mirror is not used, but the one below.
    fetching : FetchSettings
        The section `fetching`.
    store_path : Path
        The file of the store, such as `amlc.images.store.default_path`.
    mirror : Mirror, optional
        Where pictures are looked for before they are fetched.
    progress : Progress, optional
        Shows what was done.

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
    with (
        Store(store_path, StorePolicy.of(settings)) as store,
        closing(_Fetcher(settings, fetching, store, mirror, progress)) as fetcher,
    ):
        yield from fetcher.results(links)


@dataclass(slots=True)
class _Batch:
    """Consecutive links whose results are being gathered.

    Parameters
    ----------
    links : list of str
        The links.
    results : dict
        Results by link, except of pictures in the store, which are read when the batch is yielded.
    waiting : set of str
        Links that are still being fetched.
    """

    links: list[str]
    results: dict[str, FetchResult] = field(default_factory=dict)
    waiting: set[str] = field(default_factory=set)


class _Fetcher:
    """The state of one `fetch_results`."""

    def __init__(
        self,
        settings: ImageSettings,
        fetching: FetchSettings,
        store: Store,
        mirror: Mirror | None,
        progress: Progress | None,
    ) -> None:
        self._settings = settings
        self._store = store
        self._mirror = mirror or Mirror(None, ())
        self._progress = progress
        self._pool = FetchPool(settings, fetching, store)
        self._decoders = ThreadPoolExecutor(cores())
        # Batches that wait for a link; usually one.
        self._waiting: dict[str, list[_Batch]] = {}

    def close(self) -> None:
        """End all threads."""
        self._decoders.shutdown(cancel_futures=True)
        self._pool.close()

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
        stored = self._store.find_results(distinct)
        missing = [link for link in distinct if not _is_ok(stored.get(link))]
        mirrored = self._read_mirror(missing)
        for link in missing:
            result = mirrored.get(link) or self._final_failure(link, stored.get(link))
            if result is not None:
                batch.results[link] = result
                if self._progress:
                    self._progress.count_local(result, mirror=link in mirrored)
                continue
            batch.waiting.add(link)
            if link not in self._waiting:
                self._pool.submit(link, parse_link(link))
            self._waiting.setdefault(link, []).append(batch)
        if self._progress:
            self._progress.count_stored(len(distinct) - len(missing))
        return batch

    def _read_mirror(self, links: Sequence[str]) -> dict[str, FetchResult]:
        paths = {link: path for link in links if (path := self._find_in_mirror(link)) is not None}
        results = zip(paths, self._decoders.map(self._read_file, paths.values()), strict=True)
        return {link: result for link, result in results if result is not None}

    def _find_in_mirror(self, link: str) -> Path | None:
        try:
            return self._mirror.find(parse_link(link))
        except LinkError:
            return None

    def _read_file(self, path: Path) -> FetchResult | None:
        """Decode a picture of the mirror; None if it cannot be used, which is reported later."""
        try:
            with path.open("rb") as stream:
                # One byte more than allowed is enough to see that a file is too large.
                body = stream.read(self._settings.max_bytes + 1)
            return FetchResult.ok(decode(body, self._settings, str(path)))
        except (OSError, FetchError):
            if self._progress:
                self._progress.add_unusable(path)
            return None

    def _final_failure(self, link: str, stored: FetchResult | None) -> FetchResult | None:
        """Return the failure of a link that must not be fetched in this run, or None."""
        try:
            urls.check_host(parse_link(link), self._settings)
        except LinkError:
            return FetchResult.failed(MALFORMED, 0)
        except FetchError as error:
            return FetchResult.failed(error.reason, 0)
        return None if self._settings.retry_failed else stored

    def _finish(self, batch: _Batch) -> Iterator[tuple[str, FetchResult]]:
        """Wait for a batch's links, and yield its results."""
        while batch.waiting:
            finished = self._pool.next_finished()
            for waiting in self._waiting.pop(finished.link):
                waiting.waiting.remove(finished.link)
                if finished.result.status != OK:
                    waiting.results[finished.link] = finished.result
            if self._progress:
                self._progress.count_finished(finished, self._pool.pop_given_up())
        self._store.flush()
        pictures = self._store.read_pictures(
            [link for link in dict.fromkeys(batch.links) if link not in batch.results]
        )
        for link in batch.links:
            yield link, batch.results.get(link) or FetchResult.ok(pictures[link])


def _is_ok(result: FetchResult | None) -> bool:
    return result is not None and result.status == OK
