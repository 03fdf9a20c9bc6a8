"""A piece as it is handed out, and what a worker does: one at a time, within its time."""

import os
import platform
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from threadpoolctl import threadpool_limits

from amlc.execution.inputs import InputFile
from amlc.execution.results import packed
from amlc.execution.versions import check_like, installed

ResultT = TypeVar("ResultT")
# Time for the message of a piece that was given up to leave the process.
_GOODBYE_SECONDS = 1.0


@dataclass(frozen=True)
class Call(Generic[ResultT]):
    """A piece with the function that computes it.

    Parameters
    ----------
    function : callable
        Called with the inputs and the piece; at the top level of a module, so that other processes
        find it.
    piece : object
        The second argument of the function.
    name : str
        What an error calls the piece.
    threads : int
        Threads for its numerical work.
    """

    function: Callable[[Any, Any], ResultT]
    piece: Any
    name: str
    threads: int

    def run(self, inputs: Any) -> ResultT:
        """Return ``function(inputs, piece)``."""
        return self.function(inputs, self.piece)


class PieceTimeoutError(Exception):
    """A piece took longer than `executor.piece_seconds`; its worker is still computing it."""


def run_piece(call: Call[Any], inputs: Any) -> Any:
    """Compute a piece in a process of its own.

    Parameters
    ----------
    call : Call
        The piece.
    inputs : InputFile or object
        A file to load them from, or the inputs themselves. With a file, a large result is in a
        file as well.
    """
    # Not a block: the process computes nothing else.
    threadpool_limits(call.threads)
    if not isinstance(inputs, InputFile):
        return call.run(inputs)
    return packed(call.run(inputs.load()), inputs.path.parent)


def run_checked(
    call: Call[Any], inputs: Any, seconds: float | None, expected: Mapping[str, str]
) -> Any:
    """Compute a piece as `run_within` does, unless the worker is not like the other machines.

    Parameters
    ----------
    call, inputs, seconds
        As in `run_within`.
    expected : mapping of str to str
        What is `installed` on the machine that has the piece computed.

    Raises
    ------
    ExecutionError
        The worker joined the cluster during the work and has other versions; the message says what
        differs.
    PieceTimeoutError
        As in `run_within`.
    """
    check_like(expected, installed(), f"on {platform.node()}")
    return run_within(call, inputs, seconds)


def run_within(call: Call[Any], inputs: Any, seconds: float | None) -> Any:
    """Compute a piece as `run_piece` does; give it up, still running, after some time.

    Parameters
    ----------
    call, inputs
        As in `run_piece`.
    seconds : float or None
        The time limit; None: there is none.

    Raises
    ------
    PieceTimeoutError
        The time is up. The process ends soon after it, because a thread cannot be stopped.
    """
    if seconds is None:
        return run_piece(call, inputs)
    future: Future[Any] = Future()

    def run() -> None:
        try:
            future.set_result(run_piece(call, inputs))
        except BaseException as error:  # noqa: BLE001 - the caller raises it
            future.set_exception(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        end = threading.Timer(_GOODBYE_SECONDS, os._exit, (1,))
        end.daemon = True
        end.start()
        raise PieceTimeoutError
    return future.result()
