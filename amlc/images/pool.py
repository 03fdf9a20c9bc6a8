"""Worker threads that fetch and decode, and pass each result to the store and to the caller."""

import os
import queue
import random
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from amlc.catalog.links import Link
from amlc.images import urls
from amlc.images.client import Body, Client
from amlc.images.decode import decode
from amlc.images.fetch_result import DAMAGED, TRUNCATED, FetchError, FetchResult, Picture, Retry
from amlc.images.schedule import Job, Schedule, count_tries
from amlc.images.settings import FetchSettings, ImageSettings
from amlc.images.store import Store

# How often a caller that waits for a result checks whether a worker has failed.
_POLL_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Finished:
    """A link that needs no further request.

    Parameters
    ----------
    link : str
        As in the product table.
    result : FetchResult
        Without its picture, which is in the store.
    received : int
        Bytes of image files received.
    """

    link: str
    result: FetchResult
    received: int


class FetchPool:
    """Fetches links in `fetching.workers` threads, which are started by the first link.

    Parameters
    ----------
    settings : ImageSettings
        The section `images`.
    fetching : FetchSettings
        The section `fetching`.
    store : Store
        Gets every picture and every final failure.
    """

    def __init__(self, settings: ImageSettings, fetching: FetchSettings, store: Store) -> None:
        self._settings = settings
        self._fetching = fetching
        self._store = store
        self._client: Client | None = None
        self._pool = ThreadPoolExecutor(fetching.workers, thread_name_prefix="fetch")
        self._workers: list[Future[None]] = []
        self._finished: queue.SimpleQueue[Finished] = queue.SimpleQueue()
        # Decoding in more threads than cores would only take more memory.
        self._decoders = threading.BoundedSemaphore(cores())
        self._schedule = Schedule(fetching.per_host, fetching.give_up_after)

    def close(self) -> None:
        """Abort open requests, and end the threads."""
        self._schedule.close()
        if self._client is not None:
            self._client.close()
        self._pool.shutdown()

    def submit(self, text: str, link: Link) -> None:
        """Add a link; its result comes from `next_finished`.

        Parameters
        ----------
        text, link
            As in `amlc.images.schedule.Job`.
        """
        if self._client is None:
            self._client = Client(self._settings, self._settings.max_bytes, self._fetching)
            self._workers = [
                self._pool.submit(self._work, self._client) for _ in range(self._fetching.workers)
            ]
        self._schedule.put(Job(text, link))

    def next_finished(self) -> Finished:
        """Wait until another link is finished, and return it.

        Raises
        ------
        ImageError
            The store can no longer be written.
        """
        while True:
            try:
                finished = self._finished.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                self._check_workers()
            else:
                return finished

    def pop_given_up(self) -> dict[str, FetchError]:
        """Return the hosts that were given up since the last call, and why."""
        return self._schedule.pop_given_up()

    def _check_workers(self) -> None:
        for worker in self._workers:
            if worker.done():
                worker.result()

    def _work(self, client: Client) -> None:
        while (next_job := self._schedule.take()) is not None:
            job, host_error = next_job
            if host_error is None:
                self._try(client, job)
            else:
                error = job.error or host_error
                self._give_up(job, error.reason, count_tries(error, self._settings.tries))

    def _try(self, client: Client, job: Job) -> None:
        job.tries += 1
        try:
            picture, received = self._fetch_picture(client, job)
        except FetchError as error:
            job.error = error
            self._retry_or_give_up(job, error)
        else:
            self._finish(job, FetchResult.ok(picture), received)

    def _fetch_picture(self, client: Client, job: Job) -> tuple[Picture, int]:
        smaller = self._smaller_rendition(job)
        if smaller is not None:
            try:
                body = client.fetch(smaller)
                picture = self._decode(body, job.text)
            except FetchError:
                pass
            else:
                self._schedule.done(job, None)
                return picture, len(body.data)
        try:
            body = client.fetch(job.link)
        except FetchError as error:
            self._schedule.done(job, error)
            raise
        self._schedule.done(job, None)
        return self._decode(body, job.text), len(body.data)

    def _smaller_rendition(self, job: Job) -> Link | None:
        """Return the link of a smaller rendition, on the first try only."""
        wanted = self._settings.thumbnail and job.link.host in self._settings.thumbnail_hosts
        return urls.thumbnail(job.link, self._settings.size) if wanted and job.tries == 1 else None

    def _decode(self, body: Body, source: str) -> Picture:
        with self._decoders:
            try:
                return decode(body.data, self._settings, source)
            except FetchError as error:
                if error.reason != TRUNCATED:
                    raise
                # If the file arrived completely, it is damaged on the server.
                raise (
                    FetchError(DAMAGED, Retry.AFTER_EXPIRY)
                    if body.complete
                    else FetchError(TRUNCATED, Retry.NOW)
                ) from None

    def _retry_or_give_up(self, job: Job, error: FetchError) -> None:
        if error.retry is Retry.NOW and job.tries < self._settings.tries:
            self._schedule.put(job, error.wait + self._backoff(job.tries))
        else:
            final = error.retry is Retry.AFTER_EXPIRY
            self._give_up(job, error.reason, job.tries, remember=final)

    def _give_up(self, job: Job, reason: str, tries: int, *, remember: bool = False) -> None:
        result = FetchResult.failed(reason, tries)
        if remember:
            self._store.put(job.text, result)
        self._finished.put(Finished(job.text, result, 0))

    def _finish(self, job: Job, result: FetchResult, received: int) -> None:
        self._store.put(job.text, result)
        without_picture = FetchResult(result.status, result.reason, result.tries, None)
        self._finished.put(Finished(job.text, without_picture, received))

    def _backoff(self, tries: int) -> float:
        """Return the pause after a try in seconds: exponential back-off with full jitter."""
        longest: float = self._fetching.backoff_seconds * 2.0 ** (tries - 1)
        # Unseeded, because no result depends on when a link is tried.
        return random.uniform(0.0, longest)  # noqa: S311 - not cryptography


def cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
