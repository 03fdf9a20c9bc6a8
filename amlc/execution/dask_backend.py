"""Pieces on the workers of a Dask cluster.

The scheduler notices a worker that ends, and has its pieces computed by others. What it cannot do
is done here: a piece that hangs is given up, inputs that were lost are sent again, and the tries
are counted.
"""

import uuid
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from distributed import Client
from distributed.client import FutureCancelledError
from distributed.comm import CommClosedError
from distributed.scheduler import KilledWorker

from amlc.execution.backend import Backend, Member
from amlc.execution.connection import disconnected, losses_told
from amlc.execution.piece import Call, PieceTimeoutError, run_checked
from amlc.execution.processes import failed
from amlc.execution.results import unpacked
from amlc.execution.sent_inputs import NoWorkersError, SentInputs, Work
from amlc.execution.settings import ExecutorSettings
from amlc.execution.together import Team
from amlc.execution.versions import installed

ResultT = TypeVar("ResultT")


class DaskBackend(Backend):
    """Computes pieces on the workers of a cluster.

    Parameters
    ----------
    settings : ExecutorSettings
        Section `executor` of params.yaml: time limit, tries and shared folder.
    """

    ahead = 2

    def __init__(self, settings: ExecutorSettings) -> None:
        self._settings = settings

    @property
    @abstractmethod
    def client(self) -> Client:
        """The client of the scheduler."""

    @contextmanager
    @abstractmethod
    def shared(self, inputs: object) -> Iterator[Work]:
        """Make inputs available to the workers; yield what `compute` takes for them."""

    def cancel(self, inputs: Any) -> None:
        """Cancel the pieces of the work that wait for a worker, and give up the others."""
        work: Work = inputs
        with work.lock:
            work.cancelled = True
            futures = list(work.futures)
        if futures:
            self.client.cancel(futures)

    def compute(self, call: Call[ResultT], inputs: Any) -> ResultT:
        """Have the piece computed by a worker, and by another one if that is lost."""
        work: Work = inputs
        reasons: list[str] = []
        future: Any = None
        while len(reasons) <= self._settings.retries:
            try:
                future = self._submit(work, call)
                result: ResultT = unpacked(future.result())
            except PieceTimeoutError:
                limit = f"{self._settings.piece_seconds:g} s (executor.piece_seconds)"
                reasons.append(f"it took longer than {limit}")
            except KilledWorker as error:
                # As often as the scheduler's own settings say, it has tried other workers.
                why = f"its worker {error.last_worker.address} ended, as when memory runs out"
                reasons += [why] * (error.allowed_failures + 1)
            except MemoryError:
                reasons.append("it ran out of memory")
            except (FutureCancelledError, CommClosedError):
                if work.cancelled:
                    raise
                reasons.append("its worker or its inputs were lost")
            except OSError:
                # One of the piece, or of Dask, which could not ask for its result.
                self._check_connection()
                raise
            except NoWorkersError:
                # The piece waits for one, as if it had been submitted.
                continue
            else:
                return result
            finally:
                work.futures.discard(future)
        raise failed(call.name, reasons)

    @property
    def workers(self) -> int:
        """The number of workers of the cluster."""
        return len(self._threads())

    def _threads(self) -> dict[str, int]:
        """Return the number of threads of each worker, by its address."""
        self._check_connection()
        with losses_told(self._settings.scheduler):
            threads: dict[str, int] = self.client.nthreads()
        return threads

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
        """Have the shares computed, and all of them again if a worker is lost."""
        self._check_connection()
        team = Team(self.client, self._settings, name=name, threads=threads)
        with losses_told(self._settings.scheduler):
            return team.compute(prepare, function, shares, errors)

    def _submit(self, work: Work, call: Call[Any]) -> Any:
        work.check()
        self._check_connection()
        value: Any = work.inputs
        if isinstance(work.inputs, SentInputs):
            value = work.inputs.future(work)
        # Without the lock, a piece could be submitted after the others were cancelled.
        with work.lock:
            work.check()
            future = self.client.submit(
                run_checked,
                *(call, value, self._settings.piece_seconds, installed()),
                # A name of its own, because Dask takes equal names for equal results.
                key=f"{call.function.__name__}-{uuid.uuid4()}",
                pure=False,
            )
            work.futures.add(future)
        return future

    def _check_connection(self) -> None:
        if self.client.status != "running":
            raise disconnected(self._settings.scheduler)
