"""Threads that price, and the line of products that wait for them."""

import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from amlc.pricing.answers import Answer, Pricer, Question


class DeskFullError(Exception):
    """The line is as long as it may be."""


@dataclass(frozen=True)
class _Job:
    """Products that are priced and answered together."""

    questions: tuple[Question, ...]
    similar: int
    contributions: bool
    done: Future[list[Answer]] = field(default_factory=Future)


class Desk:
    """Prices products in a bounded number of threads.

    What waits is priced together: most of the time of one price is spent once for a whole group.
    Nobody waits for a group to fill.

    Parameters
    ----------
    pricer : Pricer
    workers : int
        Threads.
    batch : int
        Products that a thread takes off the line at once.
    queue : int
        Products that may wait.
    """

    def __init__(self, pricer: Pricer, *, workers: int, batch: int, queue: int) -> None:
        self._pricer = pricer
        self._batch = batch
        self._queue = queue
        self._line: deque[_Job] = deque()
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
        """The number of products in the line."""
        return self._waiting

    def submit(
        self,
        questions: Sequence[Question],
        *,
        similar: int = 0,
        contributions: bool = False,
        bounded: bool = True,
    ) -> Future[list[Answer]]:
        """Put some products into the line; the future gives their answers, in their order.

        Parameters
        ----------
        questions : sequence of Question
            One or more; they are priced in one go.
        similar, contributions
            As `Pricer.price`.
        bounded : bool
            False where the caller bounds by itself how much it has in the line.

        Raises
        ------
        DeskFullError
            The line is full, or the desk is closed.
        """
        job = _Job(tuple(questions), similar, contributions)
        with self._changed:
            full = bounded and self._waiting + len(questions) > self._queue
            if self._closed or full:
                raise DeskFullError
            self._line.append(job)
            self._waiting += len(questions)
            self._changed.notify()
        return job.done

    def close(self) -> None:
        """Price what is in the line, then end the threads."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while jobs := self._take():
            self._price([job for job in jobs if job.done.set_running_or_notify_cancel()])

    def _take(self) -> list[_Job]:
        """Wait for a job, and take those of the same kind that wait behind it."""
        with self._changed:
            self._changed.wait_for(lambda: self._line or self._closed)
            taken: list[_Job] = []
            size = 0
            while self._line and _fits(taken, size, self._line[0], self._batch):
                taken.append(self._line.popleft())
                size += len(taken[-1].questions)
            self._waiting -= size
            return taken

    def _price(self, jobs: list[_Job]) -> None:
        if not jobs:
            return
        questions = [question for job in jobs for question in job.questions]
        first = jobs[0]
        try:
            answers = self._pricer.price(
                questions, similar=first.similar, contributions=first.contributions
            )
        except Exception as error:  # noqa: BLE001 - handed to whoever waits for the answer
            self._failed(jobs, error)
            return
        start = 0
        for job in jobs:
            end = start + len(job.questions)
            job.done.set_result(answers[start:end])
            start = end

    def _failed(self, jobs: list[_Job], error: Exception) -> None:
        """Price each job alone, so that one product cannot spoil its neighbours' answers."""
        if len(jobs) == 1:
            jobs[0].done.set_exception(error)
            return
        for job in jobs:
            self._price([job])


def _fits(taken: list[_Job], size: int, job: _Job, batch: int) -> bool:
    if not taken:
        return True
    alike = (job.similar, job.contributions) == (taken[0].similar, taken[0].contributions)
    return alike and size + len(job.questions) <= batch
