"""Inputs in the memory of workers that come and go."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from types import SimpleNamespace
from typing import Any

import pytest

from amlc.errors import ExecutionError
from amlc.execution.backend import in_order, open_pool
from amlc.execution.piece import Call
from tests.execution.test_settings import settings
from tests.helpers import pieces
from tests.helpers.loops import client_loop

pytest.importorskip("distributed", reason="needs the extra cluster")

from distributed.scheduler import KilledWorker

from amlc.execution import watch
from amlc.execution.cluster import RemoteBackend

REMOTE = "tcp://127.0.0.1:1"


class Unstable:
    """A client whose workers come and go: the first ways in which sending inputs fails."""

    status = "running"
    loop: Any

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.workers: dict[str, int] = {}
        # Those that are left where one ends while it is sent a copy.
        self.ending: list[dict[str, int]] = []
        self.copying: Exception | None = None
        self.cancelled: list[Any] = []
        self.submitted: list[Call[Any]] = []
        self.results: list[Exception] = []

    def nthreads(self) -> dict[str, int]:
        """Return the workers."""
        return self.workers

    def scatter(self, data: list[Any], **_: object) -> list[Any]:
        """Fail, or return futures of the data."""
        if self.failures:
            raise self.failures.pop(0)
        return [SimpleNamespace(status="finished", value=value) for value in data]

    def submit(self, _: object, call: Call[Any], *__: object, **___: object) -> Future[Any]:
        """Return the future of a piece, which is its own result."""
        self.submitted.append(call)
        future: Future[Any] = Future()
        if self.results:
            future.set_exception(self.results.pop())
        else:
            future.set_result(call.piece)
        return future

    def cancel(self, futures: list[Any]) -> None:
        """Forget pieces or inputs."""
        self.cancelled += futures

    async def replicate(self, futures: list[Any], *, asynchronous: bool) -> None:
        """Copy the data, or fail; to a worker that has ended, for ever."""
        assert asynchronous
        assert len(futures) == 1
        if self.copying is not None:
            raise self.copying
        if self.ending:
            self.workers = self.ending.pop()
            if not self.workers:
                futures[0].status = "lost"
            await asyncio.Event().wait()


@pytest.fixture(autouse=True)
def _loop(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give the clients an event loop."""
    with client_loop() as loop:
        monkeypatch.setattr(Unstable, "loop", loop, raising=False)
        yield


def unstable(*failures: Exception, retries: int) -> tuple[Unstable, RemoteBackend]:
    """Return a client and its backend."""
    client: Any = Unstable(*failures)
    return client, RemoteBackend(client, settings(scheduler=REMOTE, retries=retries))


def run(backend: RemoteBackend, function: Callable[[Any, Any], Any]) -> list[Any]:
    """Compute four pieces without inputs."""
    with open_pool(backend, None, at_once=2, unit="piece") as pool:
        return list(in_order(pool, function, range(4)))


def test_inputs_wait_for_workers() -> None:
    """However often there is none: that is no try."""
    none = TimeoutError("No valid workers found")
    client, backend = unstable(none, none, none, retries=1)
    assert run(backend, pieces.add) == [0, 1, 2, 3]
    assert not client.failures


@pytest.mark.parametrize("failure", [OSError("refused"), KeyError("tcp://10.0.0.7:1")])
def test_a_worker_that_is_lost_while_it_receives_inputs_counts_as_a_try(failure: Exception) -> None:
    """Where connections are refused for ever, the stage ends."""
    backend = unstable(*[failure] * 9, retries=1)[1]
    with pytest.raises(ExecutionError, match=r"tried 2 times; .*its inputs were lost"):
        run(backend, pieces.add)


@pytest.mark.parametrize(
    ("before", "after"), [({"a": 1, "b": 1}, {"a": 1}), ({}, {})], ids=["one", "the only one"]
)
def test_a_worker_that_ends_before_it_has_a_copy_is_not_waited_for(
    before: dict[str, int], after: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dask would try to reach it for ever, and no other work could send its inputs meanwhile."""
    monkeypatch.setattr(watch, "POLL_SECONDS", 0.0)
    client, backend = unstable(retries=1)
    client.workers, client.ending = before, [after]
    assert run(backend, pieces.add) == [0, 1, 2, 3]
    (forgotten,) = client.cancelled
    assert forgotten.value is None


def test_workers_without_memory_for_copies_get_none() -> None:
    """Dask sends the inputs to each with its first piece."""
    client, backend = unstable(retries=0)
    client.copying = ValueError("Can not use replicate to delete data")
    assert run(backend, pieces.add) == [0, 1, 2, 3]


def test_a_scheduler_with_fewer_tries_is_asked_again() -> None:
    """Its own settings do not count, but those of the stage."""
    client, backend = unstable(retries=3)
    lost = KilledWorker("piece", SimpleNamespace(address="tcp://10.0.0.7:1"), allowed_failures=1)
    client.results = [lost] * 2
    with (
        backend.shared(None) as work,
        pytest.raises(
            ExecutionError, match=r"tried 4 times; .*its worker tcp://10\.0\.0\.7:1 ended"
        ),
    ):
        backend.compute(Call(pieces.add, 1, name="piece 1", threads=1), work)
    client.results = [lost]
    assert run(backend, pieces.add) == [0, 1, 2, 3]


def test_cancelled_work_submits_no_more_pieces() -> None:
    """A thread that takes the next one just then would wait for it until the end."""
    client, backend = unstable(retries=1)
    with backend.shared(None) as work:
        backend.cancel(work)
        with pytest.raises(CancelledError):
            backend.compute(Call(pieces.add, 1, name="piece 1", threads=1), work)
    assert client.submitted == []
