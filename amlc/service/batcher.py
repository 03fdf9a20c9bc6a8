"""A bounded queue of products, and the threads that price them in batches."""

import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from amlc.pricing.estimates import Estimate, Pricer, Product


class QueueFullError(Exception):
    """The queue takes no more products, because it is full or closed."""


@dataclass(frozen=True)
class _Job:
    """Products that are priced together, and whether with similar products and contributions."""

    products: tuple[Product, ...]
    options: tuple[int, bool]
    future: Future[list[Estimate]] = field(default_factory=Future)


class Batcher:
    """Prices products in a bounded number of threads.

    A thread prices all products in the queue together, up to a batch, because most of the time of a
    price is spent once per batch. It does not wait for a batch to fill.

    Parameters
    ----------
    pricer : Pricer
    workers : int
        Number of threads.
    batch : int
        Products that a thread takes from the queue at once.
    max_queue : int
        Products that the queue holds.
    """

    def __init__(self, pricer: Pricer, *, workers: int, batch: int, max_queue: int) -> None:
        self._pricer = pricer
        self._batch = batch
        self._max_queue = max_queue
        self._queue: deque[_Job] = deque()
        self._waiting = 0
        self._closed = False
        self._changed = threading.Condition()
        self._threads = [
            threading.Thread(target=self._work, name=f"pricer-{number}", daemon=True)
            for number in range(workers)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def waiting(self) -> int:
        """The number of products in the queue."""
        return self._waiting

    def submit(
        self,
        products: Sequence[Product],
        *,
        similar: int = 0,
        contributions: bool = False,
        bounded: bool = True,
    ) -> Future[list[Estimate]]:
        """Put products into the queue; the future gives their estimates, in their order.

        Parameters
        ----------
        products : sequence of Product
            One or more; they are priced in one batch.
        similar, contributions : int, bool
            Parameters of `Pricer.price`.
        bounded : bool
            Whether a full queue refuses them; False for a caller that limits by itself how much
            it puts into the queue.

        Raises
        ------
        QueueFullError
            The queue is full, or the batcher is closed.
        """
        job = _Job(tuple(products), (similar, contributions))
        with self._changed:
            full = bounded and self._waiting + len(products) > self._max_queue
            if self._closed or full:
                raise QueueFullError
            self._queue.append(job)
            self._waiting += len(products)
            self._changed.notify()
        return job.future

    def close(self) -> None:
        """Price what is in the queue, then end the threads."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while jobs := self._take():
            if wanted := [job for job in jobs if job.future.set_running_or_notify_cancel()]:
                self._price(wanted)

    def _take(self) -> list[_Job]:
        """Wait for a job; take it and those behind it that fit into the same batch."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._closed)
            jobs: list[_Job] = []
            size = 0
            while self._queue and (not jobs or self._fits(jobs[0], size)):
                jobs.append(self._queue.popleft())
                size += len(jobs[-1].products)
            self._waiting -= size
            return jobs

    def _fits(self, first: _Job, size: int) -> bool:
        """Return whether the next job fits into the batch that `first` began."""
        job = self._queue[0]
        return job.options == first.options and size + len(job.products) <= self._batch

    def _price(self, jobs: list[_Job]) -> None:
        products = [product for job in jobs for product in job.products]
        similar, contributions = jobs[0].options
        try:
            estimates = self._pricer.price(products, similar=similar, contributions=contributions)
        except Exception as error:  # noqa: BLE001 - handed to the caller by the future
            if len(jobs) == 1:
                jobs[0].future.set_exception(error)
                return
            # Each by itself, so that only the one that caused the error fails.
            for job in jobs:
                self._price([job])
            return
        for job in jobs:
            job.future.set_result(estimates[: len(job.products)])
            del estimates[: len(job.products)]
