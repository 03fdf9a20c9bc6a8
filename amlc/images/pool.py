"""Worker threads that fetch and decode, and hand every outcome to the store and to the caller."""

import os
import queue
import random
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from amlc.images import urls
from amlc.images.client import Body, Client
from amlc.images.decode import decode
from amlc.images.outcome import DAMAGED, TRUNCATED, FetchError, FetchResult, Picture, Retry
from amlc.images.schedule import Job, Schedule, tries_of
from amlc.images.settings import ImageSettings
from amlc.images.store import Begun, Store
from amlc.images.urls import Link

_POLL_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Settled:
    """A link that the network is done with.

    Parameters
    ----------
    link : str
        As in the product table.
    host : str
    outcome : FetchResult
        Without its picture, which is in the store.
    received : int
        Bytes of image files.
    """

    link: str
    host: str
    outcome: FetchResult
    received: int


class Network:
    """Fetches links in `settings.workers` threads, which start with the first link.

    Parameters
    ----------
    settings : ImageSettings
    store : Store
        Gets every picture and every failure that is final.
    begun : Begun
        Gets every link before its first request.
    """

    def __init__(self, settings: ImageSettings, store: Store, begun: Begun) -> None:
        self._settings = settings
        self._store = store
        self._begun = begun
        self._client: Client | None = None
        self._pool = ThreadPoolExecutor(settings.workers, thread_name_prefix="fetch")
        self._workers: list[Future[None]] = []
        self._settled: queue.SimpleQueue[Settled] = queue.SimpleQueue()
        # More decoders than cores would only hold more pictures in memory at once.
        self._decoders = threading.BoundedSemaphore(cores())
        self.schedule = Schedule(settings.per_host, settings.give_up_after)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.schedule.close()
        if self._client is not None:
            self._client.close()
        self._pool.shutdown()

    def submit(self, text: str, link: Link, *, late: bool) -> None:
        """Add a link, to be tried after those that are not late; `settled` gives its outcome."""
        if self._client is None:
            self._client = Client(self._settings)
            self._workers = [
                self._pool.submit(self._work, self._client) for _ in range(self._settings.workers)
            ]
        self.schedule.put(Job(text, link, late=late))

    def settled(self) -> Settled:
        """Wait for the next outcome.

        Raises
        ------
        ImageError
            The store cannot be written any more.
        """
        while True:
            try:
                settled = self._settled.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                self._check_workers()
            else:
                return settled

    def _check_workers(self) -> None:
        for worker in self._workers:
            if worker.done():
                worker.result()

    def _work(self, client: Client) -> None:
        while (taken := self.schedule.take()) is not None:
            job, dead = taken
            if dead is None:
                self._try(client, job)
            else:
                fault = job.fault or dead
                self._give_up(job, fault.reason, tries_of(fault, self._settings.tries))

    def _try(self, client: Client, job: Job) -> None:
        if not job.tries:
            self._begun.add(job.text)
        job.tries += 1
        try:
            picture, received = self._picture(client, job)
        except FetchError as fault:
            job.fault = fault
            self._failed(job, fault)
        else:
            self._finish(job, FetchResult.ok(picture), received)

    def _picture(self, client: Client, job: Job) -> tuple[Picture, int]:
        smaller = self._smaller(job)
        if smaller is not None:
            try:
                body = client.fetch(smaller)
                picture = self._decoded(body)
            except FetchError:
                pass
            else:
                self.schedule.done(job, None)
                return picture, len(body.data)
        try:
            body = client.fetch(job.link)
        except FetchError as fault:
            self.schedule.done(job, fault)
            raise
        self.schedule.done(job, None)
        return self._decoded(body), len(body.data)

    def _smaller(self, job: Job) -> Link | None:
        """Return the link of a smaller rendition, on the first try only."""
        wanted = self._settings.thumbnail and job.link.host in self._settings.thumbnail_hosts
        return urls.thumbnail(job.link, self._settings.size) if wanted and job.tries == 1 else None

    def _decoded(self, body: Body) -> Picture:
        with self._decoders:
            try:
                return decode_body(body.data, self._settings)
            except FetchError as fault:
                if fault.reason != TRUNCATED:
                    raise
                # A file that came as long as the server said is broken on the server.
                raise (
                    FetchError(DAMAGED, Retry.AFTER_EXPIRY)
                    if body.whole
                    else FetchError(TRUNCATED, Retry.NOW)
                ) from None

    def _failed(self, job: Job, fault: FetchError) -> None:
        if fault.retry is Retry.NOW and job.tries < self._settings.tries:
            self.schedule.put(job, fault.wait + self._backoff(job.tries))
        else:
            self._give_up(job, fault.reason, job.tries, remember=fault.retry is Retry.AFTER_EXPIRY)

    def _give_up(self, job: Job, reason: str, tries: int, *, remember: bool = False) -> None:
        outcome = FetchResult.failed(reason, tries)
        if remember:
            self._store.put(job.text, outcome)
        self._settled.put(Settled(job.text, job.link.host, outcome, 0))

    def _finish(self, job: Job, outcome: FetchResult, received: int) -> None:
        self._store.put(job.text, outcome)
        bare = FetchResult(outcome.status, outcome.reason, outcome.tries, None)
        self._settled.put(Settled(job.text, job.link.host, bare, received))

    def _backoff(self, tries: int) -> float:
        """Exponential back-off with full jitter: anything from 0 to the step of this try."""
        step: float = self._settings.backoff_seconds * 2.0 ** (tries - 1)
        # The draw decides when, never what: no result depends on it.
        return random.uniform(0.0, step)  # noqa: S311 - not cryptography


def decode_body(data: bytes, settings: ImageSettings) -> Picture:
    """Decode with the limits of the settings; see `decode`."""
    return decode(
        data, size=settings.size, quality=settings.quality, max_pixels=settings.max_pixels
    )


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
