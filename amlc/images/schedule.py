"""Which link is tried next.

Each host has a limit of connections, pauses and a circuit breaker; what waits holds no thread.
"""

import heapq
import itertools
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from amlc.images.outcome import (
    BROKEN,
    HOST_NOT_FOUND,
    NO_CONNECTION,
    TIMEOUT,
    TLS_FAILURE,
    FetchError,
    Retry,
)
from amlc.images.urls import Link

# Faults that speak about a host and not about one link; so does "http 5xx".
_HOST_REASONS = frozenset({HOST_NOT_FOUND, NO_CONNECTION, TLS_FAILURE, TIMEOUT, BROKEN})
# How long a host that has worked may fall silent, step by step, before it is given up.
PAUSES = (1.0, 2.0, 4.0, 8.0, 16.0)


@dataclass(slots=True)
class Job:
    """A link on its way.

    Parameters
    ----------
    text : str
        The link as the product table has it.
    link : Link
    tries : int
        Tries so far.
    fault : FetchError, optional
        What the last try met.
    late : bool
        To be tried only when its host has nothing else to do.
    """

    text: str
    link: Link
    tries: int = 0
    fault: FetchError | None = None
    late: bool = False


@dataclass(slots=True, eq=False)
class _Host:
    name: str
    jobs: deque[Job] = field(default_factory=deque)
    late: deque[Job] = field(default_factory=deque)
    active: int = 0
    offered: bool = False
    worked: bool = False
    failures: int = 0
    pauses: int = 0
    resume_at: float = 0.0
    dead: FetchError | None = None


class Schedule:
    """Hands jobs to worker threads.

    Parameters
    ----------
    per_host : int
        Jobs of one host that run at once.
    give_up_after : int
        So many first tries of a host in a row that fail, by a fault of the host itself, open its
        breaker. A host that has answered in this run gets pauses and probes first.
    clock : callable
        Seconds, monotonic.
    """

    def __init__(
        self, per_host: int, give_up_after: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_host = per_host
        self._give_up_after = give_up_after
        self._clock = clock
        self._hosts: dict[str, _Host] = {}
        self._ready: deque[_Host] = deque()
        self._later: list[tuple[float, int, Job | _Host]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._given_up: dict[str, FetchError] = {}
        self._ended = False

    def given_up(self) -> dict[str, FetchError]:
        """Return the hosts whose breaker opened for good since the last call, and why."""
        with self._changed:
            found, self._given_up = self._given_up, {}
        return found

    def put(self, job: Job, delay: float = 0.0) -> None:
        """Add a job, to be handed out after some seconds at the earliest."""
        with self._changed:
            if delay > 0:
                self._push_later(self._clock() + delay, job)
            else:
                self._enqueue(job)

    def take(self) -> tuple[Job, FetchError | None] | None:
        """Wait for the next job.

        Returns
        -------
        tuple of Job and FetchError, or None
            With a fault where the job's host is given up: then the job is not to be tried and
            `done` not to be called. None after `close`.
        """
        with self._changed:
            while not self._ended:
                self._release_due()
                taken = self._take_ready()
                if taken is not None:
                    return taken
                wait = self._later[0][0] - self._clock() if self._later else None
                self._changed.wait(wait)
        return None

    def done(self, job: Job, fault: FetchError | None) -> None:
        """Say that a try has ended, and how the host did in it."""
        with self._changed:
            host = self._hosts[job.link.host]
            host.active -= 1
            if fault is None or not _blames_host(fault):
                host.worked, host.failures, host.pauses = True, 0, 0
            else:
                self._count_failure(host, job, fault)
            if fault is not None and fault.wait > 0:
                self._pause(host, fault.wait)
            self._offer(host)

    def close(self) -> None:
        """Let every waiting thread go home."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _count_failure(self, host: _Host, job: Job, fault: FetchError) -> None:
        probing = host.pauses > 0
        # Tries that were under way when the pause or the end came prove nothing new.
        if host.dead or (probing and self._clock() < host.resume_at):
            return
        # Nor do later tries: at the end of a run only the links that fail are left.
        if job.tries <= 1:
            host.failures += 1
        if probing or host.failures >= self._give_up_after:
            self._trip(host, fault)

    def _trip(self, host: _Host, fault: FetchError) -> None:
        if host.worked and host.pauses < len(PAUSES):
            self._pause(host, PAUSES[host.pauses])
            host.pauses += 1
        else:
            host.dead = fault
            self._given_up[host.name] = fault

    def _pause(self, host: _Host, seconds: float) -> None:
        host.resume_at = max(host.resume_at, self._clock() + seconds)
        self._push_later(host.resume_at, host)

    def _enqueue(self, job: Job) -> None:
        host = self._hosts.setdefault(job.link.host, _Host(job.link.host))
        (host.late if job.late else host.jobs).append(job)
        self._offer(host)

    def _push_later(self, due: float, what: Job | _Host) -> None:
        heapq.heappush(self._later, (due, next(self._order), what))
        self._changed.notify()

    def _release_due(self) -> None:
        while self._later and self._later[0][0] <= self._clock():
            what = heapq.heappop(self._later)[2]
            if isinstance(what, Job):
                self._enqueue(what)
            else:
                self._offer(what)

    def _offer(self, host: _Host) -> None:
        if not host.offered and self._can_start(host):
            host.offered = True
            self._ready.append(host)
            self._changed.notify()

    def _can_start(self, host: _Host) -> bool:
        waiting = bool(host.jobs or host.late)
        if not waiting or host.dead:
            return waiting
        limit = 1 if host.pauses else self._per_host
        return host.active < limit and self._clock() >= host.resume_at

    def _take_ready(self) -> tuple[Job, FetchError | None] | None:
        while self._ready:
            host = self._ready.popleft()
            host.offered = False
            if not self._can_start(host):
                continue
            job = (host.jobs or host.late).popleft()
            host.active += 0 if host.dead else 1
            self._offer(host)
            return job, host.dead
        return None


def _blames_host(fault: FetchError) -> bool:
    return fault.reason in _HOST_REASONS or fault.reason.startswith("http 5")


def tries_of(fault: FetchError, tries: int) -> int:
    """Return how many tries a link gets that meets this fault every time.

    A try that an open breaker answers counts like any other, so that a dead host's links all
    tell the same story, whichever of them were asked.
    """
    return tries if fault.retry is Retry.NOW else 1
