"""Workers that compute one piece together; how they start again is in test_dask_backend.py."""

from typing import Any

import pytest

from amlc.errors import ExecutionError

pytest.importorskip("distributed", reason="needs the extra cluster")

from amlc.execution import together
from amlc.execution.together import find_workers


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
