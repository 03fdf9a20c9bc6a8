"""Pieces in processes of this machine; one that ends or hangs is replaced."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from typing import Any, Self, TypeVar, cast

from amlc.errors import ExecutionError
from amlc.execution.backend import Backend, cores
from amlc.execution.inputs import InputFile, input_file
from amlc.execution.piece import Call, run_piece
from amlc.execution.results import unpacked
from amlc.execution.settings import ExecutorSettings
from amlc.interrupts import children_ignore_interrupts

ResultT = TypeVar("ResultT")


class ProcessBackend(Backend):
    """Computes pieces in processes of their own, which start when they are first needed.

    Parameters
    ----------
    settings : ExecutorSettings
        Section `executor` of params.yaml: time limit and tries.
    """

    def __init__(self, settings: ExecutorSettings) -> None:
        self._settings = settings
        self._idle: list[_Process] = []
        # Those that compute a piece, with its inputs, and the inputs of works that were given up.
        self._busy: dict[_Process, InputFile] = {}
        self._cancelled: set[InputFile] = set()
        self._lock = threading.Lock()

    def width(self, at_once: int | None) -> int:
        """Return what is asked for: each piece under way has a process."""
        return at_once or cores()

    @contextmanager
    def shared(self, inputs: object) -> Iterator[InputFile]:
        """Write the inputs to a file that the processes map into memory."""
        with input_file(inputs, None) as file:
            try:
                yield file
            finally:
                self._cancelled.discard(file)

    def cancel(self, inputs: Any) -> None:
        """End the processes that compute pieces with these inputs."""
        with self._lock:
            self._cancelled.add(inputs)
            for process, file in self._busy.items():
                if file == inputs:
                    process.end()

    def compute(self, call: Call[ResultT], inputs: Any) -> ResultT:
        """Have the piece computed by an idle process, or by a new one."""
        reasons: list[str] = []
        while len(reasons) <= self._settings.retries:
            process = self._take(inputs)
            usable = True
            try:
                result = process.compute(call, inputs, self._settings.piece_seconds)
            except _LostError as error:
                usable = False
                reasons.append(str(error))
            except MemoryError:
                usable = False
                reasons.append("it ran out of memory")
            else:
                return result
            finally:
                self._put_back(process, usable=usable)
        raise failed(call.name, reasons)

    def _take(self, inputs: InputFile) -> "_Process":
        with self._lock:
            if inputs in self._cancelled:
                raise CancelledError
            process = self._idle.pop() if self._idle else _Process()
            self._busy[process] = inputs
        return process

    def _put_back(self, process: "_Process", *, usable: bool) -> None:
        with self._lock:
            if self._busy.pop(process) in self._cancelled or not usable:
                process.end()
            else:
                self._idle.append(process)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        while self._idle:
            self._idle.pop().end()


def failed(name: str, reasons: list[str]) -> ExecutionError:
    """Return the error for a piece that no try could compute.

    Parameters
    ----------
    name : str
        What the piece is called.
    reasons : list of str
        Why each try failed.
    """
    times = "once" if len(reasons) == 1 else f"{len(reasons)} times"
    return ExecutionError(
        f"executor: {name} was tried {times}; the last time, {reasons[-1]}; give its worker more "
        "memory, raise executor.piece_seconds or executor.retries, or compute it in threads"
    )


class _LostError(Exception):
    """A process ended before it had computed its piece."""


class _Process:
    """One process, in a pool of its own, so that its end concerns no other piece."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        try:
            with children_ignore_interrupts():
                self._pool = ProcessPoolExecutor(1, context, initializer=_start)
                self._started = self._pool.submit(os.getpid)
        except OSError as error:
            raise ExecutionError(
                f"executor.kind: processes: one cannot be started: {error.strerror or error}; set "
                "executor.kind: threads"
            ) from None
        self._pid: int | None = None

    def compute(self, call: Call[ResultT], inputs: Any, seconds: float | None) -> ResultT:
        """Return the result of a piece.

        Raises
        ------
        _LostError
            The process ended, or was ended because the time was up.
        CancelledError
            The process was ended before it had begun.
        """
        try:
            if self._pid is None:
                self._pid = self._started.result()
            future = self._pool.submit(run_piece, call, inputs)
            try:
                # Not `wait`, which never sees that `end` has cancelled a future.
                result = future.result(seconds)
            except TimeoutError:
                if not future.done():
                    self.end()
                    raise _LostError(
                        f"it took longer than {seconds:g} s (executor.piece_seconds)"
                    ) from None
                # The piece ended in the meantime, or this is its own error.
                result = future.result()
        except BrokenProcessPool:
            self.end()
            raise _LostError(
                "its process was ended, as the system does when memory runs out"
            ) from None
        return cast(ResultT, unpacked(result))

    def end(self) -> None:
        """End the process, whatever it does; once, as another one may get its number."""
        pid, self._pid = self._pid, None
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._pool.shutdown(wait=False, cancel_futures=True)


def _start() -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this process when its parent ends, because a killed parent cannot stop its processes."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
