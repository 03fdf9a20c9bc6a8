"""What a worker does: one piece at a time, with its number of threads and within its time."""

import os
import platform
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from threadpoolctl import threadpool_limits

from amlc.errors import ExecutionError
from amlc.execution.inputs import InputFile
from amlc.execution.versions import fingerprint

ResultT = TypeVar("ResultT")


class PieceTimeoutError(Exception):
    """A piece took longer than `executor.piece_seconds`; its worker is still computing it."""


def run_piece(
    function: Callable[[Any, Any], ResultT], inputs: Any, piece: Any, threads: int
) -> ResultT:
    """Compute a piece in a process of its own.

    Parameters
    ----------
    function : callable
        Called with the inputs and the piece.
    inputs : InputFile or object
        A file to load them from, or the inputs themselves.
    piece : object
        The second argument of the function.
    threads : int
        Threads for numerical work.
    """
    # Not a block: the process computes nothing else.
    threadpool_limits(threads)
    return function(inputs.load() if isinstance(inputs, InputFile) else inputs, piece)


def run_checked(
    expected: str,
    seconds: float | None,
    function: Callable[[Any, Any], ResultT],
    inputs: Any,
    piece: Any,
    threads: int,
) -> ResultT:
    """Compute a piece as `run_within` does, unless the worker is not like the other machines.

    Parameters
    ----------
    expected : str
        `fingerprint` of the machine that has the piece computed.
    seconds, function, inputs, piece, threads
        As in `run_within`.

    Raises
    ------
    ExecutionError
        The worker joined the cluster during the work and has other versions.
    PieceTimeoutError
        As in `run_within`.
    """
    if fingerprint() != expected:
        raise ExecutionError(
            f"the worker on {platform.node()} has other versions than this machine; run again, and "
            "the message says which"
        )
    return run_within(seconds, function, inputs, piece, threads)


def run_within(
    seconds: float | None,
    function: Callable[[Any, Any], ResultT],
    inputs: Any,
    piece: Any,
    threads: int,
) -> ResultT:
    """Compute a piece as `run_piece` does; give it up, still running, after some time.

    Parameters
    ----------
    seconds : float or None
        The time limit; None: there is none.
    function, inputs, piece, threads
        As in `run_piece`.

    Raises
    ------
    PieceTimeoutError
        The time is up. The process ends soon after it, because a thread cannot be stopped.
    """
    if seconds is None:
        return run_piece(function, inputs, piece, threads)
    future: Future[ResultT] = Future()

    def run() -> None:
        try:
            future.set_result(run_piece(function, inputs, piece, threads))
        except BaseException as error:  # noqa: BLE001 - the caller raises it
            future.set_exception(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        # Time for the message that says so to leave the process.
        end = threading.Timer(_GOODBYE_SECONDS, os._exit, (1,))
        end.daemon = True
        end.start()
        raise PieceTimeoutError
    return future.result()


_GOODBYE_SECONDS = 1.0
