"""One computation by several workers at once, which exchange among themselves what they need.

None can do without the others: where one is lost, all of them restart and compute again.
"""

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from distributed import Client, Future
from distributed.client import FutureCancelledError
from distributed.comm import get_address_host
from distributed.scheduler import KilledWorker

from amlc.errors import ExecutionError, first_line
from amlc.execution.backend import Member
from amlc.execution.piece import Call, PieceTimeoutError, run_checked
from amlc.execution.processes import failed
from amlc.execution.settings import ExecutorSettings
from amlc.execution.versions import installed
from amlc.execution.watch import present, watched

ResultT = TypeVar("ResultT")

# How often the scheduler is asked for workers while some of them are starting.
START_POLL_SECONDS = 0.1


class Team:
    """Computes shares of one piece on as many workers, the first share on the first, and so on.

    Parameters
    ----------
    client : Client
        Connected to the scheduler.
    settings : ExecutorSettings
        Section `executor` of params.yaml: time limit and tries.
    name : str
        What an error calls the piece.
    threads : int
        Threads for the numerical work of one share.
    """

    def __init__(
        self, client: Client, settings: ExecutorSettings, *, name: str, threads: int
    ) -> None:
        self._client, self._settings = client, settings
        self._name, self._threads = name, threads
        self._workers: list[str] = []

    def compute(
        self,
        prepare: Callable[[None, Member], Any],
        function: Callable[[Any, Member], ResultT],
        shares: Sequence[Any],
        errors: type[Exception],
    ) -> list[ResultT]:
        """Return the results of all shares; parameters as in `Backend.compute_together`."""
        reasons: list[str] = []
        while len(reasons) <= self._settings.retries:
            seconds = self._settings.connect_seconds
            self._workers = find_workers(self._client, len(shares), seconds, self._name)
            try:
                return self._try(prepare, function, shares, errors)
            except _LostError as error:
                reasons.append(str(error))
                self._restart()
            except BaseException:
                with suppress(ExecutionError, OSError):
                    self._restart()
                raise
        raise failed(self._name, reasons)

    def _restart(self) -> None:
        """Restart the workers that are left, which wait for the lost one inside the library."""
        left = sorted(present(self._client).intersection(self._workers))
        try:
            self._client.restart_workers(
                left, timeout=self._settings.connect_seconds, raise_for_error=False
            )
        except KeyError:
            # Dask restarts the others, and then misses the answer of one that has just ended.
            pass
        except ValueError:
            raise ExecutionError(
                f"executor: {self._name} failed, and its workers cannot be restarted, because they "
                "have no nanny; start them as docs/cluster.md says, without --no-nanny"
            ) from None

    def _try(
        self,
        prepare: Callable[[None, Member], Any],
        function: Callable[[Any, Member], ResultT],
        shares: Sequence[Any],
        errors: type[Exception],
    ) -> list[ResultT]:
        hosts = [get_address_host(address) for address in self._workers]
        members = [Member(rank, hosts, []) for rank in range(len(shares))]
        prepared = self._results(prepare, [None] * len(shares), members, errors)
        members = [replace(member, prepared=prepared) for member in members]
        try:
            sent = [
                # Of a list, Dask makes a future of each element.
                self._client.scatter([share], workers=[address], direct=True, hash=False)[0]
                for share, address in zip(shares, self._workers, strict=True)
            ]
        except (OSError, KeyError):
            # Where one has just ended, the scheduler does not know it any more.
            raise _LostError("a worker was lost") from None
        return self._results(function, sent, members, errors)

    def _results(
        self,
        function: Callable[[Any, Any], ResultT],
        inputs: Sequence[Any],
        pieces: Sequence[Any],
        errors: type[Exception],
    ) -> list[ResultT]:
        """Return what each worker computes, unless one of them fails."""
        seconds, ours = self._settings.piece_seconds, installed()
        futures = [
            self._client.submit(
                run_checked,
                *(Call(function, piece, self._name, self._threads), value, seconds, ours),
                key=f"share-{uuid.uuid4()}",
                pure=False,
                workers=[address],
                allow_other_workers=False,
            )
            for address, value, piece in zip(self._workers, inputs, pieces, strict=True)
        ]
        try:
            with self._losses(errors):
                gathered: list[ResultT] = watched(
                    self._client,
                    partial(self._client.gather, futures, asynchronous=True),
                    partial(self._check, futures),
                )
                return gathered
        finally:
            self._client.cancel(futures)

    def _check(self, futures: Sequence[Future]) -> None:
        """See whether all workers are there, and what they have computed."""
        lost = sorted({*self._workers} - present(self._client))
        if lost:
            raise _LostError(f"its worker {lost[0]} ended, as when memory runs out")
        if any(future.status == "lost" for future in futures):
            raise _LostError("a worker was lost")

    @contextmanager
    def _losses(self, errors: type[Exception]) -> Iterator[None]:
        """Turn the errors after which all compute again into `_LostError`."""
        try:
            yield
        except PieceTimeoutError:
            limit = f"{self._settings.piece_seconds:g} s (executor.piece_seconds)"
            raise _LostError(f"it took longer than {limit}") from None
        except MemoryError:
            raise _LostError("it ran out of memory") from None
        except (KilledWorker, FutureCancelledError, OSError):
            raise _LostError("a worker was lost") from None
        except errors as error:
            raise _LostError(f"the library said: {first_line(error)}") from None


def find_workers(client: Client, count: int, seconds: float, name: str) -> list[str]:
    """Return the addresses of that many workers, and wait while there are fewer.

    Parameters
    ----------
    client : Client
        Connected to the scheduler. Its own ``wait_for_workers`` would not do: it may still count
        one that has just ended.
    count : int
        The number of workers.
    seconds : float
        How long to wait.
    name : str
        What an error calls the piece that needs them.

    Raises
    ------
    ExecutionError
        There are fewer when the time is up.
    """
    deadline = time.monotonic() + seconds
    while len(found := present(client)) < count:
        if time.monotonic() > deadline:
            raise ExecutionError(
                f"executor: {name} needs {count} workers; after {seconds:g} s there were "
                f"{len(found)}: start more as docs/cluster.md says"
            )
        time.sleep(START_POLL_SECONDS)
    return sorted(found)[:count]


class _LostError(Exception):
    """A worker could not compute its share."""
