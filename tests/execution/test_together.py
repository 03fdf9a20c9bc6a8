"""Workers that compute one piece together; how they start again is in test_dask_backend.py."""

import asyncio
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from amlc.errors import ExecutionError, ModelError
from tests.execution.test_settings import settings
from tests.helpers import pieces
from tests.helpers.loops import client_loop

pytest.importorskip("distributed", reason="needs the extra cluster")

from amlc.execution import together, watch
from amlc.execution.together import Team, find_workers


class Starting:
    """A client of a scheduler whose workers appear one after the other."""

    def __init__(self, *present: str) -> None:
        self.answers = [{"b": 1}, dict.fromkeys(present, 1)]

    def nthreads(self) -> dict[str, int]:
        """Return what the scheduler knows; the last answer stays true."""
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def wait_for_workers(self, count: int, timeout: float) -> None:
        """Return at once, like Dask's where a worker that has just ended still counts."""


def test_a_worker_that_is_starting_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The scheduler is asked again until it has as many as are needed."""
    monkeypatch.setattr(together, "START_POLL_SECONDS", 0.0)
    client: Any = Starting("c", "b", "a")
    assert find_workers(client, 2, 60.0, "fit 1") == ["a", "b"]


def test_too_few_workers_are_told_after_a_while() -> None:
    """With what needs them, how many there were, and what to do."""
    client: Any = Starting("b")
    with pytest.raises(ExecutionError, match=r"fit 1 needs 2 workers; after 0 s there were 1: sta"):
        find_workers(client, 2, 0.0, "fit 1")


class Losing:
    """A client of two workers, of which one ends while they compute."""

    def __init__(self, loop: Any) -> None:
        self.loop = loop
        self.workers = {"tcp://10.0.0.1:1": 1, "tcp://10.0.0.2:1": 1}
        self.ended = ["tcp://10.0.0.2:1"]
        self.restarting: Exception | None = None
        self.cancelled: list[Any] = []

    def nthreads(self) -> dict[str, int]:
        """Return the workers."""
        return dict(self.workers)

    def submit(self, *_: object, workers: list[str], **__: object) -> SimpleNamespace:
        """Return a future."""
        return SimpleNamespace(status="pending", worker=workers[0])

    async def gather(self, futures: list[Any], *, asynchronous: bool) -> list[Any]:
        """Wait for what no worker computes, because its own has ended."""
        assert asynchronous
        for address in self.ended:
            del self.workers[address]
        return [await asyncio.Event().wait() for _ in futures]

    def cancel(self, futures: list[Any]) -> None:
        """Forget pieces."""
        self.cancelled += futures

    def restart_workers(self, workers: list[str], **_: object) -> None:
        """Restart those that are left; start the other one again."""
        assert set(workers) == set(self.workers)
        if self.restarting is not None:
            raise self.restarting
        self.workers = {"tcp://10.0.0.1:2": 1, "tcp://10.0.0.2:2": 1}
        self.ended = ["tcp://10.0.0.1:2"]


@pytest.fixture
def losing(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return a client that loses workers."""
    monkeypatch.setattr(watch, "POLL_SECONDS", 0.0)
    with client_loop() as loop:
        yield Losing(loop)


def compute(client: Any, retries: int) -> list[list[int]]:
    """Have two workers compute together."""
    team = Team(client, settings(retries=retries), name="fit 1", threads=1)
    return team.compute(pieces.prepare, pieces.together, [None, None], ModelError)


def test_a_worker_that_ends_after_its_share_is_lost(losing: Any) -> None:
    """Nobody else may compute it again, so that the results would be waited for for ever."""
    with pytest.raises(ExecutionError, match=r"tried 2 times; .*tcp://10\.0\.0\.1:2 ended"):
        compute(losing, retries=1)
    assert len(losing.cancelled) == 4


def test_a_lost_result_is_not_waited_for(losing: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its worker may be back under its address already, without what the others need."""
    lost = SimpleNamespace(status="lost")
    losing.ended = []
    monkeypatch.setattr(losing, "submit", lambda *_, **__: lost)
    with pytest.raises(ExecutionError, match=r"tried once; .*a worker was lost"):
        compute(losing, retries=0)


def test_a_worker_that_ends_just_before_it_is_restarted_is_no_error(losing: Any) -> None:
    """Dask asks for the state of each, and does not know this one any more."""
    losing.restarting = KeyError("tcp://10.0.0.1:1")
    losing.ended = []
    losing.submit = lambda *_, **__: SimpleNamespace(status="lost")
    with pytest.raises(ExecutionError, match="tried 2 times"):
        compute(losing, retries=1)


def test_workers_that_cannot_be_restarted_are_told(losing: Any) -> None:
    """Without a nanny, those that are left would wait for ever."""
    losing.restarting = ValueError("Restarting workers requires a nanny to be used.")
    with pytest.raises(ExecutionError, match=r"fit 1 failed, and .* have no nanny; start them"):
        compute(losing, retries=1)
