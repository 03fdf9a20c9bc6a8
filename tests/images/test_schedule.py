"""Jobs are handed out within each host's limit, and a dead host does not delay other hosts."""

import threading

import pytest

from amlc.catalog.links import Link
from amlc.images.fetch_result import FetchError, Retry
from amlc.images.schedule import PAUSES, Job, Schedule


class Clock:
    """A clock that a test moves."""

    now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


TIMEOUT = FetchError("timeout", Retry.NOW)
MISSING = FetchError("http 404", Retry.AFTER_EXPIRY)


@pytest.fixture
def clock() -> Clock:
    """Return a clock that stands still."""
    return Clock()


def _job(number: int = 0, host: str = "a.com") -> Job:
    return Job(str(number), Link("https", host, 443, f"/{number}"))


def _take(schedule: Schedule) -> tuple[Job, FetchError | None] | None:
    """Take a job if one is ready; None where a thread would have to wait."""
    return schedule.take(block=False)


def _try(schedule: Schedule, error: FetchError | None) -> None:
    """Take a job that is ready, and try it with this result."""
    taken = _take(schedule)
    assert taken is not None
    assert taken[1] is None
    taken[0].tries += 1
    schedule.done(taken[0], error)


def test_a_host_has_no_more_jobs_under_way_than_its_limit(clock: Clock) -> None:
    """The third job of a host waits until one of the first two has ended."""
    schedule = Schedule(2, 100, clock)
    for number in range(3):
        schedule.put(_job(number))
    first = _take(schedule)
    assert first is not None
    assert _take(schedule) is not None
    assert _take(schedule) is None
    schedule.done(first[0], None)
    assert _take(schedule) is not None


def test_a_busy_host_does_not_delay_another(clock: Clock) -> None:
    """While one host is at its limit, the next host's job is handed out."""
    schedule = Schedule(1, 100, clock)
    for job in (_job(0), _job(1), _job(2, "b.com")):
        schedule.put(job)
    hosts = [taken[0].link.host for _ in range(2) if (taken := _take(schedule))]
    assert hosts == ["a.com", "b.com"]


def test_a_delayed_job_is_handed_out_when_it_is_due(clock: Clock) -> None:
    """A retry waits without occupying a thread."""
    schedule = Schedule(1, 100, clock)
    schedule.put(_job(), delay=5)
    assert _take(schedule) is None
    clock.now = 5
    assert _take(schedule) is not None


def test_retry_after_pauses_the_host(clock: Clock) -> None:
    """The pause applies to all jobs of the host, but not to other hosts."""
    schedule = Schedule(9, 100, clock)
    for job in (_job(0), _job(1), _job(2, "b.com")):
        schedule.put(job)
    _try(schedule, FetchError("http 429", Retry.NOW, wait=3))
    taken = _take(schedule)
    assert taken is not None
    assert taken[0].link.host == "b.com"
    assert _take(schedule) is None
    clock.now = 3
    assert _take(schedule) is not None


def test_a_host_that_never_worked_is_given_up(clock: Clock) -> None:
    """After `give_up_after` failures in a row its jobs come back at once, with the reason."""
    schedule = Schedule(60, 5, clock)
    for number in range(100):
        schedule.put(_job(number))
    for _ in range(5):
        _try(schedule, TIMEOUT)
    remaining = [_take(schedule) for _ in range(95)]
    assert all(taken is not None and taken[1] is TIMEOUT for taken in remaining)
    assert schedule.pop_given_up() == {"a.com": TIMEOUT}


def test_a_host_is_given_up_once(clock: Clock) -> None:
    """Tries that end after the breaker opened neither report it again nor change the reason."""
    schedule = Schedule(60, 3, clock)
    for number in range(10):
        schedule.put(_job(number))
    running = [taken[0] for _ in range(10) if (taken := _take(schedule))]
    for job in running:
        job.tries = 1
    for job in running[:3]:
        schedule.done(job, TIMEOUT)
    assert schedule.pop_given_up() == {"a.com": TIMEOUT}
    for job in running[3:]:
        schedule.done(job, FetchError("no connection", Retry.NOW))
    assert schedule.pop_given_up() == {}
    schedule.put(_job())
    taken = _take(schedule)
    assert taken is not None
    assert taken[1] is TIMEOUT


def test_a_good_answer_resets_the_count(clock: Clock) -> None:
    """Neither failures with a success between them nor errors of single links open the breaker."""
    schedule = Schedule(60, 3, clock)
    for number in range(12):
        schedule.put(_job(number))
    for error in (TIMEOUT, TIMEOUT, None, TIMEOUT, TIMEOUT, MISSING, TIMEOUT, TIMEOUT):
        _try(schedule, error)
    assert not schedule.pop_given_up()
    assert _take(schedule) is not None


def test_second_tries_do_not_count(clock: Clock) -> None:
    """At the end of a run only failing links are left, which prove nothing about the host."""
    schedule = Schedule(60, 3, clock)
    for number in range(10):
        job = _job(number)
        job.tries = 1
        schedule.put(job)
    for _ in range(10):
        _try(schedule, TIMEOUT)
    assert not schedule.pop_given_up()


def _failing(clock: Clock) -> Schedule:
    """Return the schedule of a host that worked once, and then failed as often as it may."""
    schedule = Schedule(60, 3, clock)
    for number in range(50):
        schedule.put(_job(number))
    for error in (None, TIMEOUT, TIMEOUT, TIMEOUT):
        _try(schedule, error)
    return schedule


def test_a_host_that_worked_is_probed_before_it_is_given_up(clock: Clock) -> None:
    """There are pauses of growing length with one probe after each before it is given up."""
    schedule = _failing(clock)
    for pause in PAUSES:
        assert _take(schedule) is None
        clock.now += pause
        probe = _take(schedule)
        assert probe is not None
        assert _take(schedule) is None
        probe[0].tries += 1
        schedule.done(probe[0], TIMEOUT)
    assert schedule.pop_given_up() == {"a.com": TIMEOUT}


def test_a_good_probe_reopens_the_host(clock: Clock) -> None:
    """A host that answers again gets all its connections at once."""
    schedule = _failing(clock)
    clock.now = PAUSES[0]
    _try(schedule, None)
    assert sum(1 for _ in range(15) if _take(schedule)) == 15


def test_closing_ends_every_wait() -> None:
    """A thread that waits for a job gets None."""
    schedule = Schedule(1, 1)
    taken: list[object] = []
    thread = threading.Thread(target=lambda: taken.append(schedule.take()))
    thread.start()
    schedule.close()
    thread.join(10)
    assert taken == [None]


def test_a_waiting_thread_gets_a_delayed_job() -> None:
    """A job that becomes due wakes a thread that waits."""
    schedule = Schedule(1, 1)
    schedule.put(_job(), delay=0.02)
    taken = schedule.take()
    assert taken is not None
    assert taken[0].text == "0"
