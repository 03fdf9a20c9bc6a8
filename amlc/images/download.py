"""Download the pictures of links into shards: from the store, the mirror or the network."""

import sys
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tqdm import tqdm

from amlc.catalog.links import LinkError, parse_link
from amlc.errors import ImageError, first_few
from amlc.images import urls
from amlc.images.decode import decode_with, pillow_warning_filters, placeholder
from amlc.images.fetch_result import MALFORMED, OK, FetchError, FetchResult
from amlc.images.mirror import Mirror
from amlc.images.pool import FetchPool, Finished, cores
from amlc.images.settings import ImageSettings
from amlc.images.shards import ROWS_AT_ONCE, write_shard
from amlc.images.store import Store, StorePolicy

# Hosts that were given up are named in messages up to this number, and then counted.
_HOSTS_NAMED = 5
# Shards that wait for the network at once: enough to keep every worker busy while some links of the
# first ones are retried, few enough to keep memory flat.
MAX_OPEN = 8


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


@dataclass(slots=True)
class _Shard:
    """A shard whose results are being gathered.

    Parameters
    ----------
    index : int
        Its number, from 0.
    links : sequence of str
        Its links, sorted.
    results : dict
        Results by link, except those that the store holds.
    waiting : int
        Number of links that are still being fetched.
    """

    index: int
    links: Sequence[str]
    results: dict[str, FetchResult] = field(default_factory=dict)
    waiting: int = 0


def download(links: Sequence[str], settings: ImageSettings, store_path: Path, folder: Path) -> None:
    """Get the pictures of links, and write them into shards.

    Parameters
    ----------
    links : sequence of str
        As in the product table; links may be repeated, and an empty one counts as malformed.
    settings : ImageSettings
        The section `images`.
    store_path : Path
        The file of the store, such as `amlc.images.store.default_path`.
    folder : Path
        An empty folder for the shards.

    Raises
    ------
    ImageError
        The store, the mirror, the CA bundle or the folder cannot be used, or a disk is full.
    """
    distinct = sorted(set(links))
    with ExitStack() as stack:
        stack.enter_context(pillow_warning_filters())
        mirror = Mirror(settings.mirror, distinct)
        store = stack.enter_context(Store(store_path, StorePolicy.of(settings)))
        progress = stack.enter_context(Progress(len(distinct)))
        run = stack.enter_context(
            closing(_Run(settings, store=store, mirror=mirror, folder=folder, progress=progress))
        )
        run.write_shards(distinct)


class _Run:
    """The state of one `download`."""

    def __init__(
        self,
        settings: ImageSettings,
        *,
        store: Store,
        mirror: Mirror,
        folder: Path,
        progress: Progress,
    ) -> None:
        self._settings = settings
        self._store = store
        self._mirror = mirror
        self._folder = folder
        self._progress = progress
        self._pool = FetchPool(settings, store)
        self._decoders = ThreadPoolExecutor(cores())
        self._waiting: dict[str, _Shard] = {}
        self._open_shards = 0
        self._grey = placeholder(settings.size, settings.quality)

    def close(self) -> None:
        """End all threads."""
        self._decoders.shutdown(cancel_futures=True)
        self._pool.close()

    def write_shards(self, links: Sequence[str]) -> None:
        """Write every shard; several wait for the network at once."""
        self._progress.report_ambiguous(self._mirror.ambiguous)
        for shard in _shards(links, self._settings.shard_links):
            self._start(shard)
            while self._open_shards >= MAX_OPEN:
                self._finish_link()
        while self._open_shards:
            self._finish_link()

    def _start(self, shard: _Shard) -> None:
        """Find results without the network, submit the other links; write a shard without any."""
        stored = self._store.find_results(shard.links)
        missing = [link for link in shard.links if not _is_ok(stored.get(link))]
        mirrored = self._read_mirror(missing)
        for link in missing:
            result = mirrored.get(link) or self._final_failure(link, stored.get(link))
            if result is not None:
                shard.results[link] = result
                self._progress.count_local(result, mirror=link in mirrored)
            else:
                shard.waiting += 1
                self._waiting[link] = shard
                self._pool.submit(link, parse_link(link))
        self._progress.count_stored(len(shard.links) - len(missing))
        if shard.waiting:
            self._open_shards += 1
        else:
            self._write(shard)

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
                data = stream.read(self._settings.max_bytes + 1)
            if len(data) <= self._settings.max_bytes:
                return FetchResult.ok(decode_with(self._settings, data))
        except (OSError, FetchError):
            pass
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

    def _finish_link(self) -> None:
        """Wait for one link; write its shard if no other link of it is waiting."""
        finished = self._pool.next_finished()
        shard = self._waiting.pop(finished.link)
        if finished.result.status != OK:
            shard.results[finished.link] = finished.result
        self._progress.count_finished(finished, self._pool.pop_given_up())
        shard.waiting -= 1
        if not shard.waiting:
            self._open_shards -= 1
            self._store.flush()
            self._write(shard)

    def _results(self, shard: _Shard) -> Iterator[FetchResult]:
        """Yield a shard's results, with only a few pictures of the store in memory at a time."""
        for start in range(0, len(shard.links), ROWS_AT_ONCE):
            batch = shard.links[start : start + ROWS_AT_ONCE]
            stored = [link for link in batch if link not in shard.results]
            pictures = self._store.read_pictures(stored)
            for link in batch:
                yield shard.results.get(link) or FetchResult.ok(pictures[link])

    def _write(self, shard: _Shard) -> None:
        results = self._results(shard)
        try:
            write_shard(self._folder, shard.index, shard.links, results, self._grey)
        except OSError as error:
            raise ImageError(
                f"{self._folder}: cannot write image shards: {error}; "
                "what was fetched is safe in the store: run again"
            ) from None


def _shards(links: Sequence[str], size: int) -> Iterator[_Shard]:
    for index, start in enumerate(range(0, len(links), size)):
        yield _Shard(index, links[start : start + size])


def _is_ok(result: FetchResult | None) -> bool:
    return result is not None and result.status == OK
