"""A bounded queue of products, and the threads that price them in batches."""

import threading
from collections import deque
from collections.abc import Iterable, Sequence
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
    price is spent once per batch. It does not wait for a batch to fill. A second queue holds
    products that can wait; it is served while the first one is empty.

    Parameters
    ----------
    pricer : Pricer
    workers : int
        Number of threads.
    batch : int
        Products that a thread takes from the queue at once.
    max_queue : int
        Products that the first queue holds.
    """

    def __init__(self, pricer: Pricer, *, workers: int, batch: int, max_queue: int) -> None:
        self._pricer = pricer
        self._batch = batch
        self._max_queue = max_queue
        self._queue: deque[_Job] = deque()
        self._background: deque[_Job] = deque()
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
        """The number of products in both queues."""
        with self._changed:
            return _size(self._queue) + _size(self._background)

    def submit(
        self,
        products: Sequence[Product],
        *,
        similar: int = 0,
        contributions: bool = False,
        background: bool = False,
    ) -> Future[list[Estimate]]:
        """Put products into the queue; the future gives their estimates, in their order.

        Parameters
        ----------
        products : sequence of Product
            One or more; they are priced in one batch.
        similar, contributions : int, bool
            Parameters of `Pricer.price`.
        background : bool
            Whether they can wait for all others. The queue for these is not bounded, because their
            caller limits by itself how much it puts there.

        Raises
        ------
        QueueFullError
            The queue is full, or the batcher is closed.
        """
        job = _Job(tuple(products), (similar, contributions))
        with self._changed:
            queue = self._background if background else self._queue
            full = not background and _size(queue) + len(products) > self._max_queue
            if self._closed or full:
                raise QueueFullError
            queue.append(job)
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
            self._changed.wait_for(lambda: self._queue or self._background or self._closed)
            queue = self._queue or self._background
            jobs: list[_Job] = []
            while queue and (not jobs or self._fits(queue[0], jobs)):
                jobs.append(queue.popleft())
            return jobs

    def _fits(self, job: _Job, batch: list[_Job]) -> bool:
        size = _size(batch) + len(job.products)
        return job.options == batch[0].options and size <= self._batch

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


def _size(jobs: Iterable[_Job]) -> int:
    return sum(len(job.products) for job in jobs)
