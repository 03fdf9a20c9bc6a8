"""Inputs in the memory of each worker of a cluster, and the pieces that are computed with them."""

import threading
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from distributed import Client
from distributed.client import FutureCancelledError
from distributed.comm import CommClosedError

from amlc.execution.inputs import InputFile
from amlc.execution.watch import present, watched


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
                self._future = self._sent(work)
            return self._future

    def _sent(self, work: Work) -> Any:
        try:
            future = self._scattered()
            self._copy(future, work)
        except OSError as error:
            raise CommClosedError(str(error)) from None
        except KeyError as error:
            # The scheduler looks for a worker that has just ended.
            raise CommClosedError(f"{error} ended") from None
        return future

    def _scattered(self) -> Any:
        """Return the future of the inputs, which one worker has."""
        try:
            # Of a list, Dask makes a future of each element.
            (future,) = self._client.scatter([self._inputs], direct=True, hash=False)
        except TimeoutError:
            if not present(self._client):
                raise NoWorkersError from None
            raise
        return future

    def _copy(self, future: Any, work: Work) -> None:
        """Have all workers get a copy; where one of them ends, Dask would try for ever."""
        workers = present(self._client)

        def check() -> None:
            work.check()
            if future.status != "finished" or workers - present(self._client):
                raise CommClosedError("a worker ended")

        copy = partial(self._client.replicate, [future], asynchronous=True)
        try:
            # Dask refuses while the memory of all workers is nearly full.
            with suppress(ValueError):
                watched(self._client, copy, check)
        except BaseException:
            # The scheduler stops once it has forgotten the inputs.
            self._client.cancel([future])
            raise
