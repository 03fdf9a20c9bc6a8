"""Pieces of work that end well, badly or not at all; other processes import them from here."""

import os
import pickle
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from amlc.errors import DataError, MissingExtraError
from amlc.execution.backend import Backend, Member
from amlc.execution.piece import Call


class Copying(Backend):
    """Computes pieces in this process, but through copies of all that goes to and from another."""

    def width(self, at_once: int | None) -> int:
        """Return what is asked for."""
        return at_once or 1

    def compute(self, call: Call[Any], inputs: Any) -> Any:
        """Call a copy of the function with copies of its arguments; return a copy of its result."""
        call, inputs = pickle.loads(pickle.dumps((call, inputs)))
        return pickle.loads(pickle.dumps(call.run(inputs)))


def add(inputs: dict[str, Any], piece: int) -> float:
    """Return the sum of an array and the piece."""
    return float(inputs["array"].sum()) + piece


def numbers(inputs: object, piece: int) -> np.ndarray[Any, Any]:  # noqa: ARG001 - a piece has two arguments
    """Return an array of some megabytes."""
    return np.full((1024, 512), piece, dtype=np.float64)


def overwrite(inputs: dict[str, Any], piece: int) -> float:
    """Return the sum of an array, after changing this process's copy of it."""
    total = float(inputs["array"].sum())
    inputs["array"][:] = piece
    return total


def process(inputs: object, piece: object) -> int:  # noqa: ARG001 - a piece has two arguments
    """Return the process that computes the piece."""
    return os.getpid()


def hears_interrupts(inputs: object, piece: object) -> bool:  # noqa: ARG001 - a piece has two arguments
    """Return whether Ctrl-C would reach the process."""
    return signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def fail(inputs: object, piece: object) -> None:
    """Raise an error of amlc that has two arguments."""
    raise MissingExtraError(f"{inputs} {piece}", "cluster")


def refuse(inputs: object, piece: object) -> None:
    """Raise an error of amlc."""
    raise DataError(f"{inputs} {piece}")


def end(inputs: object, piece: object) -> None:  # noqa: ARG001 - a piece has two arguments
    """End the process."""
    os.kill(os.getpid(), signal.SIGKILL)


def hang(inputs: object, piece: object) -> None:  # noqa: ARG001 - a piece has two arguments
    """Never return."""
    threading.Event().wait()


def out_of_memory(inputs: object, piece: object) -> None:  # noqa: ARG001 - a piece has two arguments
    """Fail as NumPy does where there is no memory."""
    raise MemoryError


def well_the_second_time(inputs: tuple[Path, Callable[[Any, Any], object]], piece: int) -> int:
    """Fail in the given way the first time; return the piece the second time."""
    folder, failure = inputs
    try:
        with (folder / f"tried-{piece}").open("x", encoding="utf-8") as file:
            file.write(str(os.getpid()))
    except FileExistsError:
        return piece
    failure(inputs, piece)
    return -1


def prepare(share: None, member: Member) -> int:  # noqa: ARG001 - as the backend calls it
    """Return the rank."""
    return member.rank


def together(share: tuple[Path, Callable[[Any, Any], object]], member: Member) -> list[int]:
    """Wait for the other worker, as libraries do; the second one fails the first time."""
    if member.rank == 0 and not (share[0] / "tried-1").exists():
        hang(share, member)
    if member.rank == 1:
        well_the_second_time(share, 1)
    return [member.rank, *member.prepared]


def inputs() -> dict[str, Any]:
    """Return inputs with an array that is large enough to be kept apart from the pickle."""
    return {"array": np.arange(10_000, dtype=np.float64), "text": "é" * 1000}
