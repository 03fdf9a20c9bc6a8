"""A scheduler elsewhere: what it is told, and that it may go away."""

from concurrent.futures import Future
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from amlc.errors import ExecutionError
from amlc.execution.backend import open_pool
from amlc.execution.piece import Call
from tests.execution.test_settings import settings
from tests.helpers import pieces

pytest.importorskip("dask", reason="needs the extra cluster")

from amlc.execution import cluster, scheduler
from amlc.execution.cluster import RemoteBackend, open_cluster
from amlc.execution.inputs import InputFile
from amlc.execution.sent_inputs import Work


def test_a_scheduler_elsewhere_is_told_both(monkeypatch: pytest.MonkeyPatch) -> None:
    """To keep few messages, and all copies of inputs."""
    told: list[object] = []
    client: Any = SimpleNamespace(run_on_scheduler=told.append)
    monkeypatch.setattr(cluster, "connected", lambda *_: nullcontext(client))
    with open_cluster(settings(scheduler="tcp://10.0.0.7:1")):
        assert told == [scheduler.keep_few_messages, scheduler.keep_copies]


class Leaving:
    """A client whose scheduler goes away; the client may have noticed that already, or not."""

    def __init__(self, status: str) -> None:
        self.status = status

    def nthreads(self) -> dict[str, int]:
        """Fail as Dask does."""
        self.status = "connecting"
        raise OSError("Timed out trying to connect to tcp://10.0.0.7:1 after 30 s")

    def run_on_scheduler(self, *_: object) -> None:
        """Fail as well."""
        self.nthreads()

    def submit(self, *_: object, **__: object) -> Future[None]:
        """Return a future whose result cannot be asked for."""
        self.status = "connecting"
        future: Future[None] = Future()
        future.set_exception(OSError("Timed out trying to connect to tcp://10.0.0.7:1 after 30 s"))
        return future


def test_a_scheduler_that_goes_away_at_once_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before there is any work for it."""
    client: Any = Leaving("running")
    monkeypatch.setattr(cluster, "connected", lambda *_: nullcontext(client))
    with (
        pytest.raises(ExecutionError, match=r"the connection to tcp://10\.0\.0\.7:1 was lost"),
        open_cluster(settings(scheduler="tcp://10.0.0.7:1")),
    ):
        pytest.fail("there is no scheduler")


@pytest.mark.parametrize("status", ["running", "closed"])
def test_a_scheduler_that_goes_away_between_two_works_is_told(status: str) -> None:
    """With the next one, in a sentence; also where a fit counts the workers."""
    client: Any = Leaving(status)
    backend = RemoteBackend(client, settings(scheduler="tcp://10.0.0.7:1"))
    lost = r"the connection to tcp://10\.0\.0\.7:1 was lost; see whether the scheduler is"
    with (
        pytest.raises(ExecutionError, match=lost),
        open_pool(backend, None, at_once=2, unit="piece"),
    ):
        pytest.fail("there is nobody who computes")
    client.status = status
    with pytest.raises(ExecutionError, match=lost):
        backend.check_workers(2, "train.lightgbm.distributed")


def test_a_scheduler_that_goes_away_before_it_is_asked_for_a_result_is_told(tmp_path: Path) -> None:
    """The error of Dask is not taken for one of the piece."""
    client: Any = Leaving("running")
    backend = RemoteBackend(client, settings(scheduler="tcp://10.0.0.7:1"))
    work = Work(InputFile(tmp_path, ""))
    with pytest.raises(ExecutionError, match=r"the connection to .* was lost"):
        backend.compute(Call(pieces.add, 1, name="piece 1", threads=1), work)
