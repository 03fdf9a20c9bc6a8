"""From the product table's links to shards: the store, then the mirror, then the network."""

import sys
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from tqdm import tqdm

from amlc.errors import ImageError, first_few
from amlc.images import urls as image_links
from amlc.images.decode import pillow_warnings_settled, placeholder
from amlc.images.mirror import Mirror
from amlc.images.outcome import OK, FetchError, FetchResult
from amlc.images.pool import Network, Settled, cores, decode_body
from amlc.images.settings import ImageSettings
from amlc.images.shards import ROWS_AT_ONCE, write_shard
from amlc.images.store import Begun, Scope, Store
from amlc.images.urls import Link

_TOLD_HOSTS = 5


class Progress:
    """A live line on a terminal, and a note for what needs one.

    Parameters
    ----------
    total : int
        Distinct links.
    """

    def __init__(self, total: int) -> None:
        # `disable=None` keeps it silent where no terminal is.
        self._bar = tqdm(total=total, unit="image", disable=None, mininterval=0.5)
        self._counts: Counter[str] = Counter()
        self._received = 0
        self._given_up = 0
        self._bad: list[Path] = []
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.close()
        if self._bad:
            names = first_few(sorted(path.name for path in self._bad))
            _note(f"images.mirror: {len(self._bad)} files are no good pictures: {names}")
        if self._given_up > _TOLD_HOSTS:
            _note(f"{self._given_up - _TOLD_HOSTS} more hosts were given up")

    def mirror(self, ambiguous: int) -> None:
        """Tell of file names in the mirror that more than one link could mean."""
        if ambiguous:
            _note(f"images.mirror: {ambiguous} file names fit several links and are not used")

    def stored(self, count: int) -> None:
        """Count links that the store had."""
        self._count("stored", count)

    def settled_here(self, outcome: FetchResult, *, mirror: bool) -> None:
        """Count a link that needed no network."""
        self._count("mirror" if mirror else "ok" if outcome.status == OK else "failed", 1)

    def settled(self, settled: Settled, given_up: Mapping[str, FetchError]) -> None:
        """Count a link that the network is done with; tell of hosts given up since the last."""
        self._received += settled.received
        self._count("ok" if settled.outcome.status == OK else "failed", 1)
        for host, fault in given_up.items():
            self._given_up += 1
            if self._given_up <= _TOLD_HOSTS:
                _note(f"{host}: {fault.reason}, again and again: gave it up until the next run")

    def bad_in_mirror(self, path: Path) -> None:
        """Remember a file of the mirror that is no good picture; from any thread."""
        with self._lock:
            self._bad.append(path)

    def _count(self, what: str, count: int) -> None:
        self._counts[what] += count
        if self._bar.disable:
            return
        seconds = max(self._bar.format_dict["elapsed"], 1e-3)
        self._bar.set_postfix(
            {"MB/s": f"{self._received / 1e6 / seconds:.1f}", **self._counts}, refresh=False
        )
        self._bar.update(count)


def _note(text: str) -> None:
    tqdm.write(text, file=sys.stderr)


# Shards that wait for the network at once: enough to keep every worker busy while some links of
# the first ones are tried again, few enough to keep memory flat.
MAX_OPEN = 8


@dataclass(slots=True)
class _Shard:
    """A shard on its way.

    Parameters
    ----------
    index : int
    links : sequence of str
    known : dict
        Outcomes that the store does not hold.
    waiting : int
        Links that the network still owes.
    """

    index: int
    links: Sequence[str]
    known: dict[str, FetchResult] = field(default_factory=dict)
    waiting: int = 0


def scope(settings: ImageSettings) -> Scope:
    """Return what part of the store belongs to these settings."""
    return Scope(
        variant=f"jpeg {settings.size} px quality {settings.quality}",
        limits=f"{settings.max_bytes} bytes, {settings.max_pixels} pixels, "
        f"respect_noai {settings.respect_noai}",
        remember_days=settings.remember_days,
    )


def download(links: Sequence[str], settings: ImageSettings, store_path: Path, folder: Path) -> None:
    """Write the shards of some links.

    Parameters
    ----------
    links : sequence of str
        As the product table has them, repeated ones too; an empty one is a malformed link.
    settings : ImageSettings
    store_path : Path
        The store's file; see `amlc.images.store`.
    folder : Path
        An empty folder for the shards.

    Raises
    ------
    ImageError
        The store, the mirror, the CA bundle or the folder cannot be used, or a disk is full.
    """
    distinct = sorted(set(links))
    with ExitStack() as stack:
        stack.enter_context(pillow_warnings_settled())
        mirror = Mirror(settings.mirror, distinct)
        store = stack.enter_context(Store(store_path, scope(settings)))
        progress = stack.enter_context(Progress(len(distinct)))
        begun = stack.enter_context(Begun(store_path.with_suffix(".begun")))
        run = stack.enter_context(
            _Run(
                settings,
                store=store,
                begun=begun,
                mirror=mirror,
                folder=folder,
                progress=progress,
            )
        )
        run.all(distinct)


class _Run:
    """The state of one `download`."""

    def __init__(
        self,
        settings: ImageSettings,
        *,
        store: Store,
        begun: Begun,
        mirror: Mirror,
        folder: Path,
        progress: Progress,
    ) -> None:
        self._settings = settings
        self._store = store
        self._mirror = mirror
        self._folder = folder
        self._progress = progress
        self._begun = begun
        self._late: list[str] = []
        self._network = Network(settings, store, begun)
        self._decoders = ThreadPoolExecutor(cores())
        self._waiting: dict[str, _Shard] = {}
        self._open_shards = 0
        self._grey = placeholder(settings.size, settings.quality)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._decoders.shutdown(cancel_futures=True)
        self._network.__exit__(kind, error, trace)

    def all(self, links: Sequence[str]) -> None:
        """Write every shard; several are under way at once."""
        self._progress.mirror(self._mirror.ambiguous)
        for shard in _shards(links, self._settings.shard_links):
            self._start(shard)
            if self._open_shards >= MAX_OPEN:
                self._submit_late()
            while self._open_shards >= MAX_OPEN:
                self._settle_one()
        self._submit_late()
        while self._open_shards:
            self._settle_one()

    def _start(self, shard: _Shard) -> None:
        """Settle what needs no network, submit the rest, write the shard if nothing is left."""
        stored = self._store.known(shard.links)
        missing = [link for link in shard.links if not _is_ok(stored.get(link))]
        found = self._from_mirror(missing)
        for link in missing:
            known = found.get(link) or self._without_network(link, stored.get(link))
            if known is not None:
                shard.known[link] = known
                self._progress.settled_here(known, mirror=link in found)
            else:
                shard.waiting += 1
                self._waiting[link] = shard
                self._submit(link)
        self._progress.stored(len(shard.links) - len(missing))
        if shard.waiting:
            self._open_shards += 1
        else:
            self._write(shard)

    def _submit(self, link: str) -> None:
        if link in self._begun:
            self._late.append(link)
        else:
            self._network.submit(link, image_links.parse(link), late=False)

    def _submit_late(self) -> None:
        """Submit what was held back until there is other work to do before it."""
        for link in self._late:
            self._network.submit(link, image_links.parse(link), late=True)
        self._late.clear()

    def _from_mirror(self, links: Sequence[str]) -> dict[str, FetchResult]:
        paths = {link: path for link in links if (path := self._mirrored(link)) is not None}
        outcomes = self._decoders.map(self._read, paths.values())
        both = zip(paths, outcomes, strict=True)
        return {link: outcome for link, outcome in both if outcome is not None}

    def _mirrored(self, link: str) -> Path | None:
        try:
            return self._mirror.find(image_links.parse(link))
        except FetchError:
            return None

    def _read(self, path: Path) -> FetchResult | None:
        """Decode a picture of the mirror; None, told at the end, where it is no good."""
        try:
            with path.open("rb") as stream:
                data = stream.read(self._settings.max_bytes + 1)
            if len(data) <= self._settings.max_bytes:
                return FetchResult.ok(decode_body(data, self._settings))
        except (OSError, FetchError):
            pass
        self._progress.bad_in_mirror(path)
        return None

    def _without_network(self, link: str, stored: FetchResult | None) -> FetchResult | None:
        try:
            parsed: Link = image_links.parse(link)
            image_links.check_host(parsed, self._settings)
        except FetchError as fault:
            return FetchResult.failed(fault.reason, 0)
        return None if self._settings.retry_failed else stored

    def _settle_one(self) -> None:
        settled = self._network.settled()
        shard = self._waiting.pop(settled.link)
        if settled.outcome.status != OK:
            shard.known[settled.link] = settled.outcome
        self._progress.settled(settled, self._network.schedule.given_up())
        shard.waiting -= 1
        if not shard.waiting:
            self._open_shards -= 1
            self._store.flush()
            self._write(shard)

    def _outcomes(self, shard: _Shard) -> Iterator[FetchResult]:
        """Yield a shard's outcomes; few pictures of the store are in memory at once."""
        for start in range(0, len(shard.links), ROWS_AT_ONCE):
            some = shard.links[start : start + ROWS_AT_ONCE]
            pictures = self._store.pictures([link for link in some if link not in shard.known])
            for link in some:
                yield shard.known.get(link) or FetchResult.ok(pictures[link])

    def _write(self, shard: _Shard) -> None:
        outcomes = self._outcomes(shard)
        try:
            write_shard(self._folder, shard.index, shard.links, outcomes, self._grey)
        except OSError as error:
            raise ImageError(
                f"{self._folder}: cannot write image shards: {error}; "
                "what was fetched is safe in the store: run again"
            ) from None


def _shards(links: Sequence[str], size: int) -> Iterator[_Shard]:
    for index, start in enumerate(range(0, len(links), size)):
        yield _Shard(index, links[start : start + size])


def _is_ok(outcome: FetchResult | None) -> bool:
    return outcome is not None and outcome.status == OK
