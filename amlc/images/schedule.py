"""The schedule of the worker threads: which link is tried next.

Each host has a limit of connections, pauses and a circuit breaker; a link that waits for its host
does not occupy a thread.
"""

import heapq
import itertools
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from amlc.catalog.links import Link
from amlc.images.fetch_result import (
    BROKEN,
    HOST_NOT_FOUND,
    NO_CONNECTION,
    PROXY_FAILURE,
    TIMEOUT,
    TLS_FAILURE,
    FetchError,
)

# Errors of a host rather than of a single link; statuses 5xx are such errors, too.
_HOST_REASONS = frozenset(
    {HOST_NOT_FOUND, NO_CONNECTION, PROXY_FAILURE, TLS_FAILURE, TIMEOUT, BROKEN}
)
# Seconds of the pauses, each followed by a probe, before a host that has worked is given up.
PAUSES = (1.0, 2.0, 4.0, 8.0, 16.0)


@dataclass(slots=True)
class Job:
    """A link that is still to be fetched."""

    # The link as the product table has it.
    text: str
    link: Link
    # Tries so far, and the error of the last one.
    tries: int = 0
    error: FetchError | None = None


@dataclass(slots=True, eq=False)
class _Host:
    """The state of one host."""

    name: str
    # Jobs that may be tried as soon as the host allows it, and the number that are being tried.
    jobs: deque[Job] = field(default_factory=deque)
    active: int = 0
    # Whether the host is in the queue of hosts with a job to hand out.
    offered: bool = False
    # Whether a try has succeeded or failed by an error of its link alone.
    worked: bool = False
    # First tries in a row that failed by an error of the host.
    failures: int = 0
    # Pauses in a row; while it is not 0, jobs are probes and run one at a time.
    pauses: int = 0
    # No job is handed out before this time.
    resume_at: float = 0.0
    # The error by which the host was given up.
    dead: FetchError | None = None


class Schedule:
    """Hands out jobs to worker threads.

    Parameters
    ----------
    per_host : int
        Jobs of one host that may run at once.
    give_up_after : int
        The circuit breaker of a host opens after this many first tries in a row that failed by an
        error of the host. A host that has worked in this run gets pauses and probes first.
    clock : callable
        Returns monotonic seconds.
    """

    def __init__(
        self, per_host: int, give_up_after: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_host = per_host
        self._give_up_after = give_up_after
        self._clock = clock
        self._hosts: dict[str, _Host] = {}
        self._ready: deque[_Host] = deque()
        self._delayed: list[tuple[float, int, Job | _Host]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._given_up: dict[str, FetchError] = {}
        self._closed = False

    def pop_given_up(self) -> dict[str, FetchError]:
        """Return the hosts that were given up since the last call, and why."""
        with self._changed:
            given_up, self._given_up = self._given_up, {}
        return given_up

    def put(self, job: Job, delay: float = 0.0) -> None:
        """Add a job, to be handed out after `delay` seconds at the earliest."""
        with self._changed:
            if delay > 0:
                self._push_delayed(self._clock() + delay, job)
            else:
                self._enqueue(job)

    def take(self, *, block: bool = True) -> tuple[Job, FetchError | None] | None:
        """Return the next job.

        Parameters
        ----------
        block : bool
            Whether to wait until a job is ready, instead of returning None.

        Returns
        -------
        tuple of Job and FetchError, or None
            With an error if the job's host was given up; then the job must not be tried, and `done`
            must not be called. None after `close`.
        """
        with self._changed:
            while not self._closed:
                self._release_due()
                ready = self._take_ready()
                if ready is not None or not block:
                    return ready
                wait = self._delayed[0][0] - self._clock() if self._delayed else None
                self._changed.wait(wait)
        return None

    def done(self, job: Job, error: FetchError | None) -> None:
        """Record that a try of a job has ended, and with which error, if any."""
        with self._changed:
            host = self._hosts[job.link.host]
            host.active -= 1
            if error is None or not _blames_host(error):
                host.worked, host.failures, host.pauses = True, 0, 0
            else:
                self._count_failure(host, job, error)
            if error is not None and error.wait > 0:
                self._pause(host, error.wait)
            self._offer(host)

    def close(self) -> None:
        """End all waiting: from now on, `take` returns None."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _count_failure(self, host: _Host, job: Job, error: FetchError) -> None:
        probing = host.pauses > 0
        # Tries that had started before the host was paused or given up do not count.
        if host.dead or (probing and self._clock() < host.resume_at):
            return
        # Nor do second tries: at the end of a run only links that fail are left.
        if job.tries <= 1:
            host.failures += 1
        if not probing and host.failures < self._give_up_after:
            return
        if host.worked and host.pauses < len(PAUSES):
            self._pause(host, PAUSES[host.pauses])
            host.pauses += 1
        else:
            host.dead = error
            self._given_up[host.name] = error

    def _pause(self, host: _Host, seconds: float) -> None:
        host.resume_at = max(host.resume_at, self._clock() + seconds)
        self._push_delayed(host.resume_at, host)

    def _enqueue(self, job: Job) -> None:
        host = self._hosts.setdefault(job.link.host, _Host(job.link.host))
        host.jobs.append(job)
        self._offer(host)

    def _push_delayed(self, due: float, item: Job | _Host) -> None:
        heapq.heappush(self._delayed, (due, next(self._order), item))
        self._changed.notify()

    def _release_due(self) -> None:
        while self._delayed and self._delayed[0][0] <= self._clock():
            item = heapq.heappop(self._delayed)[2]
            if isinstance(item, Job):
                self._enqueue(item)
            else:
                self._offer(item)

    def _offer(self, host: _Host) -> None:
        if not host.offered and self._can_start(host):
            host.offered = True
            self._ready.append(host)
            self._changed.notify()

    def _can_start(self, host: _Host) -> bool:
        if not host.jobs or host.dead:
            return bool(host.jobs)
        limit = 1 if host.pauses else self._per_host
        return host.active < limit and self._clock() >= host.resume_at

    def _take_ready(self) -> tuple[Job, FetchError | None] | None:
        while self._ready:
            host = self._ready.popleft()
            host.offered = False
            if not self._can_start(host):
                continue
            job = host.jobs.popleft()
            host.active += 0 if host.dead else 1
            self._offer(host)
            return job, host.dead
        return None


def _blames_host(error: FetchError) -> bool:
    return error.reason in _HOST_REASONS or error.reason.startswith("http 5")
