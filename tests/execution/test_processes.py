"""Pieces in processes, of which some end or hang."""

import errno
import os
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import pytest

from amlc.errors import ExecutionError, MissingExtraError
from amlc.execution import processes
from amlc.execution.backend import in_order, open_pool
from amlc.execution.piece import Call
from amlc.execution.processes import ProcessBackend
from tests.execution.test_settings import settings
from tests.helpers import pieces


@pytest.fixture(scope="module")
def backend() -> Iterator[ProcessBackend]:
    """Return processes that the tests share; a hanging piece is given up soon."""
    with ProcessBackend(settings(piece_seconds=30.0, retries=1)) as processes:
        yield processes


def run(backend: ProcessBackend, function: Callable[[Any, Any], Any], inputs: object) -> list[Any]:
    """Compute three pieces, one at a time."""
    with open_pool(backend, inputs, at_once=1, unit="piece") as pool:
        return list(in_order(pool, function, range(3)))


def test_a_process_is_used_again(backend: ProcessBackend) -> None:
    """Starting one takes seconds."""
    numbers = set(run(backend, pieces.process, None))
    assert numbers == set(run(backend, pieces.process, None))
    assert os.getpid() not in numbers


def test_interrupts_do_not_reach_processes(backend: ProcessBackend) -> None:
    """Not even while they start; the stage ends them."""
    assert not any(run(backend, pieces.hears_interrupts, None))


def test_results_are_those_of_threads(backend: ProcessBackend) -> None:
    """In the order of the pieces."""
    inputs = pieces.inputs()
    assert run(backend, pieces.add, inputs) == [pieces.add(inputs, piece) for piece in range(3)]


def test_what_a_piece_does_to_its_inputs_stays_in_its_process(backend: ProcessBackend) -> None:
    """The file of the inputs is not written to."""
    inputs = pieces.inputs()
    assert run(backend, pieces.overwrite, inputs)[0] == inputs["array"].sum()
    assert inputs["array"][-1] == len(inputs["array"]) - 1


def test_a_process_that_cannot_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system has no more of them, or of open files."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(processes, "ProcessPoolExecutor", refuse)
    with (
        ProcessBackend(settings()) as backend,
        pytest.raises(ExecutionError, match="cannot be started: Too many open files; set exec"),
    ):
        run(backend, pieces.add, pieces.inputs())


def test_an_error_passes_unchanged(backend: ProcessBackend) -> None:
    """With its message, and without another try."""
    with pytest.raises(MissingExtraError, match="inputs 0 needs the extra 'cluster'"):
        run(backend, pieces.fail, "inputs")


@pytest.mark.parametrize("failure", [pieces.end, pieces.out_of_memory])
def test_a_piece_whose_process_is_lost_is_computed_again(
    backend: ProcessBackend, tmp_path: Path, failure: Callable[[Any, Any], object]
) -> None:
    """The others are not."""
    (tmp_path / "tried-0").touch()
    (tmp_path / "tried-1").touch()
    assert run(backend, pieces.well_the_second_time, (tmp_path, failure)) == [0, 1, 2]


def test_a_piece_that_hangs_is_computed_again(tmp_path: Path) -> None:
    """After its time limit, in another process."""
    (tmp_path / "tried-0").touch()
    (tmp_path / "tried-1").touch()
    with ProcessBackend(settings(piece_seconds=1.0, retries=20)) as backend:
        inputs = (tmp_path, pieces.hang)
        assert run(backend, pieces.well_the_second_time, inputs) == [0, 1, 2]


def test_cancelled_pieces_are_not_waited_for(tmp_path: Path) -> None:
    """Their processes end, also those that hang, and no further one is handed out."""
    tried = tmp_path / "tried-0"
    with (
        ProcessBackend(settings(piece_seconds=None, retries=1)) as backend,
        backend.shared((tmp_path, pieces.hang)) as file,
        ThreadPoolExecutor(1) as pool,
    ):
        call = Call(pieces.well_the_second_time, 0, name="piece", threads=1)
        future = pool.submit(backend.compute, call, file)
        while not tried.exists() and not future.done():
            wait([future], 0.05)
        backend.cancel(file)
        with pytest.raises(CancelledError):
            future.result()
    assert list(tmp_path.iterdir()) == [tried]


def test_a_piece_that_always_fails_is_named(backend: ProcessBackend) -> None:
    """After the tries that the settings allow."""
    with pytest.raises(ExecutionError, match=r"piece 1 was tried 2 times; .*its process was"):
        run(backend, pieces.end, None)
