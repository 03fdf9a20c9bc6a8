"""A backend computes pieces; a pool on it is a `concurrent.futures.Executor` for one kind of work.

A piece is one call of a function at the top level of a module with inputs, which all pieces of the
work share, and the piece itself, such as the rows of a fold. It is deterministic and leaves nothing
behind, so that it can be computed again elsewhere.
"""

import os
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any, ClassVar, TypeVar

from threadpoolctl import threadpool_limits

from amlc.errors import ExecutionError
from amlc.execution.piece import Call

InputsT = TypeVar("InputsT")
PieceT = TypeVar("PieceT")
ResultT = TypeVar("ResultT")


@dataclass(frozen=True)
class Member:
    """One of the workers that compute a piece together.

    Parameters
    ----------
    rank : int
        Which of them, from 0.
    hosts : list of str
        Under which address the others reach each of them.
    prepared : list
        What each of them returned when it was told to prepare; empty before.
    """

    rank: int
    hosts: list[str]
    prepared: list[Any]


class Backend(ABC):
    """Computes pieces, in the same process or elsewhere.

    Results do not depend on the backend: a piece gets the same number of threads on each.

    Attributes
    ----------
    ahead : int
        Pieces handed out for each one that is computed, so that no worker waits for the next.
    """

    ahead: ClassVar[int] = 1

    @abstractmethod
    def width(self, at_once: int | None) -> int:
        """Return the number of pieces that are computed at the same time.

        Parameters
        ----------
        at_once : int or None
            The number that this machine should compute at the same time; None: one in this
            process, whose threads would wait for each other, and one on each core otherwise.
        """

    @contextmanager
    def shared(self, inputs: object) -> Iterator[Any]:
        """Make inputs available to all pieces in the block; yield what `compute` takes for them."""
        yield inputs

    def cancel(self, inputs: Any) -> None:  # noqa: B027 - threads cannot be stopped
        """Give up the pieces with these inputs that are not computed yet, where that is possible.

        Parameters
        ----------
        inputs : object
            What `shared` yields.
        """

    @abstractmethod
    def compute(self, call: Call[ResultT], inputs: Any) -> ResultT:
        """Return the result of a piece; several threads call this at the same time.

        Parameters
        ----------
        call : Call
            The piece.
        inputs : object
            What `shared` yields.

        Raises
        ------
        ExecutionError
            The piece could not be computed after the tries that the settings allow.
        """

    @property
    def workers(self) -> int:
        """The number of workers that can compute a piece together; 0: that is not possible."""
        return 0

    def check_workers(self, count: int, setting: str) -> None:
        """See whether there are as many workers as have to compute a piece together.

        Raises
        ------
        ExecutionError
            There are not; the message names the setting that asks for them.
        """
        if self.workers < count:
            raise ExecutionError(
                f"{setting}: {count} workers of a Dask cluster have to fit one booster together, "
                f"and there are {self.workers}: set executor.kind: dask and start as many, as "
                f"docs/cluster.md says, or leave {setting.rpartition('.')[2]} empty"
            )

    def compute_together(
        self,
        prepare: Callable[[None, Member], Any],
        function: Callable[[Any, Member], ResultT],
        shares: Sequence[Any],
        *,
        errors: type[Exception],
        name: str,
        threads: int,
    ) -> list[ResultT]:
        """Return the results of one piece's shares, each computed by a worker of its own.

        Parameters
        ----------
        prepare : callable
            Called on each worker before any share is computed, with None and the `Member`.
        function : callable
            Called with a share and the `Member` that computes it.
        shares : sequence
            In the order of the ranks.
        errors : type of Exception
            What the library raises, such as when it loses the connection to another worker; as
            where a worker is lost, all shares are then computed again.
        name, threads
            As in `Call`; threads are those of one share.

        Raises
        ------
        ExecutionError
            As in `compute`.
        """
        raise NotImplementedError


class ThreadBackend(Backend):
    """Computes pieces in the threads of this process."""

    def width(self, at_once: int | None) -> int:
        """Return what is asked for."""
        return at_once or 1

    def compute(self, call: Call[ResultT], inputs: Any) -> ResultT:
        """Call the function, which has been told its number of threads by its inputs."""
        return call.run(inputs)


THREADS = ThreadBackend()


class Pool(ThreadPoolExecutor):
    """An executor whose threads have their pieces computed by a backend.

    Parameters
    ----------
    backend : Backend
        Where pieces are computed.
    inputs : object
        What `Backend.shared` yields.
    at_once : int or None
        As for `Backend.width`.
    threads : int
        Threads for the numerical work of one piece.
    unit : str
        What a piece is, in the singular, for errors.

    Attributes
    ----------
    width : int
        The number of pieces that are handed out at the same time.
    """

    def __init__(
        self, backend: Backend, inputs: Any, at_once: int | None, threads: int, unit: str
    ) -> None:
        self.width = max(backend.ahead * backend.width(at_once), 1)
        super().__init__(self.width)
        self._backend, self._inputs, self._piece_threads = backend, inputs, threads
        self._unit, self._numbers = unit, count(1)

    def submit(
        self, function: Callable[..., ResultT], /, *args: Any, **kwargs: Any
    ) -> Future[ResultT]:
        """Have ``function(inputs, piece)`` computed; the only further argument is the piece."""
        (piece,) = (*args, *kwargs.values())
        call = Call(function, piece, f"{self._unit} {next(self._numbers)}", self._piece_threads)
        return super().submit(self._backend.compute, call, self._inputs)


@contextmanager
def open_pool(
    backend: Backend, inputs: object, *, at_once: int | None, unit: str, threads: int = 1
) -> Iterator[Pool]:
    """Open a pool for the pieces of one work; at its end, what has not started is cancelled.

    Parameters
    ----------
    backend : Backend
        Where pieces are computed.
    inputs : object
        What all pieces need; it is sent once to each worker.
    at_once : int or None
        As for `Backend.width`.
    unit : str
        What a piece is, in the singular, for errors: "fit" makes "fit 3".
    threads : int
        Threads for the numerical work of one piece.
    """
    with threadpool_limits(threads), backend.shared(inputs) as handle:
        pool = Pool(backend, handle, at_once, threads, unit)
        try:
            yield pool
        finally:
            backend.cancel(handle)
            pool.shutdown(cancel_futures=True)


def in_order(
    pool: Pool, function: Callable[[InputsT, PieceT], ResultT], pieces: Iterable[PieceT]
) -> Iterator[ResultT]:
    """Yield the results of the pieces in their order.

    Parameters
    ----------
    pool : Pool
        With the inputs as the first argument of the function.
    function : callable
        At the top level of a module, so that other processes find it.
    pieces : iterable
        Only as many are taken from it as are under way, so that neither they nor their results
        fill the memory.
    """
    waiting: deque[Future[ResultT]] = deque()
    for piece in pieces:
        waiting.append(pool.submit(function, piece))
        if len(waiting) > 2 * pool.width:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
