"""Inputs in the memory of each worker of a cluster, and the pieces that are computed with them."""

import threading
from dataclasses import dataclass, field
from typing import Any

from distributed import Client
from distributed.client import FutureCancelledError
from distributed.comm import CommClosedError

from amlc.execution.inputs import InputFile


@dataclass
class Work:
    """Inputs, and the pieces with them that are under way."""

    inputs: "InputFile | SentInputs"
    futures: set[Any] = field(default_factory=set)
    cancelled: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def check(self) -> None:
        """Raise FutureCancelledError if the work was cancelled."""
        if self.cancelled:
            raise FutureCancelledError("work", "its pool was closed")


class NoWorkersError(Exception):
    """There are no workers to send inputs to."""


class SentInputs:
    """Inputs in the memory of each worker; they are sent again if all that had them were lost."""

    def __init__(self, client: Client, inputs: object) -> None:
        self._client, self._inputs = client, inputs
        self._future: Any = None
        self._lock = threading.Lock()

    def future(self, work: Work) -> Any:
        """Return the future of the inputs, which Dask replaces by its value.

        Raises
        ------
        FutureCancelledError
            The work was cancelled.
        NoWorkersError
            There have been none for the client's time limit.
        CommClosedError
            A worker was lost while it received them.
        """
        with self._lock:
            work.check()
            if self._future is None or self._future.status != "finished":
                self._future = self._sent()
            return self._future

    def _sent(self) -> Any:
        try:
            # Of a list, Dask makes a future of each element.
            (future,) = self._client.scatter(
                [self._inputs], broadcast=True, direct=True, hash=False
            )
        except OSError as error:
            if isinstance(error, TimeoutError) and not self._client.nthreads():
                raise NoWorkersError from None
            raise CommClosedError(str(error)) from None
        except KeyError as error:
            # The scheduler looks for a worker that has just ended.
            raise CommClosedError(f"{error} ended") from None
        return future
