"""Workers of this machine: when they are started, and when not."""

import pytest

from amlc.errors import ExecutionError
from amlc.execution.backend import in_order, open_pool
from amlc.execution.executor import open_backend
from amlc.execution.piece import Call
from tests.execution.test_settings import settings
from tests.helpers import pieces

pytest.importorskip("distributed", reason="needs the extra cluster")

from amlc.execution import local_workers


@pytest.fixture
def no_processes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let the system allow no more processes; return the list of what asked for some."""
    asked: list[str] = []

    def refuse(**_: object) -> None:
        asked.append("processes")
        raise RuntimeError("Cluster failed to start: can't start new thread")

    monkeypatch.setattr(local_workers, "LocalCluster", refuse)
    return asked


def test_processes_that_cannot_be_started(no_processes: list[str]) -> None:
    """In one sentence, with the first piece; after a retry, because one may have been killed."""
    local = settings(kind="dask", scheduler="local:200", retries=1)
    with (
        open_backend(local) as backend,
        open_pool(backend, pieces.inputs(), at_once=2, unit="piece") as pool,
        pytest.raises(ExecutionError, match=r"local:200: the processes cannot be started: .*"),
    ):
        list(in_order(pool, pieces.add, range(4)))
    assert no_processes == ["processes"] * 2


def test_processes_are_not_started_again_for_cancelled_pieces(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ctrl-C in a terminal ends the workers that are starting."""
    asked: list[str] = []
    local = settings(kind="dask", scheduler="local:2", retries=9)
    with open_backend(local) as backend, backend.shared(pieces.inputs()) as work:

        def interrupt(**_: object) -> None:
            asked.append("processes")
            backend.cancel(work)
            raise RuntimeError("Cluster failed to start")

        monkeypatch.setattr(local_workers, "LocalCluster", interrupt)
        with pytest.raises(ExecutionError, match="cannot be started"):
            backend.compute(Call(pieces.add, 1, "piece 1", threads=1), work)
    assert asked == ["processes"]


def test_a_stage_without_pieces_starts_no_processes(no_processes: list[str]) -> None:
    """As where all pictures are in the store: it takes no longer than in threads."""
    with (
        open_backend(settings(kind="dask", scheduler="local:2")) as backend,
        open_pool(backend, pieces.inputs(), at_once=None, unit="piece") as pool,
    ):
        assert list(in_order(pool, pieces.add, [])) == []
    assert no_processes == []
