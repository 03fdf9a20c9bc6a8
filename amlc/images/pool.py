"""Worker threads that fetch and decode, and pass each result to the store and to the caller."""

import contextlib
import queue
import random
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from amlc.catalog.links import Link
from amlc.execution.backend import cores
from amlc.images.client import Body, Client
from amlc.images.decode import decode
from amlc.images.fetch_result import DAMAGED, TRUNCATED, FetchError, FetchResult, Picture, Retry
from amlc.images.schedule import Job, Schedule
from amlc.images.settings import FetchSettings, ImageSettings

# How often a caller that waits for a result checks whether a worker has failed.
_POLL_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Finished:
    """A link that needs no further request.

    Parameters
    ----------
    link : str
        As in the product table.
    failure : FetchResult, optional
        None if there is a picture, which is in the store.
    received : int
        Bytes of image files received.
    """

    link: str
    failure: FetchResult | None
    received: int


class FetchPool:
    """Fetches links in `fetching.workers` threads, which are started by the first link.

    Parameters
    ----------
    settings : ImageSettings
        The section `images`.
    fetching : FetchSettings
        The section `fetching`.
    keep : callable
        Called with a link and its result for every picture and every final failure, from any
        thread; `amlc.images.store.Store.put`.
    """

    def __init__(
        self,
        settings: ImageSettings,
        fetching: FetchSettings,
        keep: Callable[[str, FetchResult], object],
    ) -> None:
        self._settings = settings
        self._fetching = fetching
        self._keep = keep
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
                return self._finished.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                for worker in self._workers:
                    if worker.done():
                        worker.result()

    def pop_given_up(self) -> dict[str, FetchError]:
        """Return the hosts that were given up since the last call, and why."""
        return self._schedule.pop_given_up()

    def _work(self, client: Client) -> None:
        while (next_job := self._schedule.take()) is not None:
            job, host_error = next_job
            if host_error is None:
                self._try(client, job)
            else:
                error = job.error or host_error
                # The links of a host that was given up have the same number of tries, whether they
                # were requested or not, so that all of them have the same result.
                self._give_up(job, error, self._settings.tries if error.retry is Retry.NOW else 1)

    def _try(self, client: Client, job: Job) -> None:
        job.tries += 1
        try:
            picture, received = self._fetch_picture(client, job)
        except FetchError as error:
            job.error = error
            if error.retry is Retry.NOW and job.tries < self._settings.tries:
                self._schedule.put(job, error.wait + self._backoff(job.tries))
            else:
                self._give_up(job, error, job.tries)
        else:
            self._keep(job.text, FetchResult.ok(picture))
            self._finished.put(Finished(job.text, None, received))

    def _give_up(self, job: Job, error: FetchError, tries: int) -> None:
        failure = FetchResult.failed(error.reason, tries)
        if error.retry is Retry.AFTER_EXPIRY:
            self._keep(job.text, failure)
        self._finished.put(Finished(job.text, failure, 0))

    def _fetch_picture(self, client: Client, job: Job) -> tuple[Picture, int]:
        """Try once to get a picture, and return it with the number of bytes received."""
        settings = self._settings
        # A smaller rendition is asked for on the first try only.
        if settings.thumbnail and job.tries == 1 and job.link.host in settings.thumbnail_hosts:
            smaller = thumbnail(job.link, settings.size)
            with contextlib.suppress(FetchError):
                if smaller is not None:
                    body = client.fetch(smaller)
                    picture = self._decode(body, job.text)
                    self._schedule.done(job, None)
                    return picture, len(body.data)
        try:
            body = client.fetch(job.link)
        except FetchError as error:
            self._schedule.done(job, error)
            raise
        self._schedule.done(job, None)
        return self._decode(body, job.text), len(body.data)

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

    def _backoff(self, tries: int) -> float:
        """Return the pause after a try in seconds: exponential back-off with full jitter."""
        longest: float = self._fetching.backoff_seconds * 2.0 ** (tries - 1)
        # Unseeded, because no result depends on when a link is tried.
        return random.uniform(0.0, longest)  # noqa: S311 - not cryptography


def thumbnail(link: Link, size: int) -> Link | None:
    """Return the link of a smaller version of a picture.

    Parameters
    ----------
    link : Link
        A link to a host that reads the size from a mark before the file name's extension.
    size : int
        Longest side that is needed, in pixels; twice as many are requested, so that the picture is
        sharp after it was reduced.

    Returns
    -------
    Link, optional
        None if the file name has no extension, or already has a mark.

    Examples
    --------
    >>> thumbnail(Link("https", "m.media-amazon.com", 443, "/images/I/71a.jpg"), 256).target
    '/images/I/71a._SL512_.jpg'
    """
    folder, _, name = link.target.rpartition("/")
    stem, dot, extension = name.partition(".")
    if not (stem and dot) or not extension.isalnum():
        return None
    target = f"{folder}/{stem}._SL{2 * size}_.{extension}"
    return Link(link.scheme, link.host, link.port, target)
