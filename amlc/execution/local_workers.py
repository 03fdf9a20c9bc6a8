"""A cluster of processes of this machine, which only the stage that starts it can use."""

import logging
import multiprocessing
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import dask
from distributed import Client, LocalCluster, Security

from amlc.errors import ExecutionError
from amlc.execution.connection import connected
from amlc.execution.dask_backend import DaskBackend
from amlc.execution.inputs import input_file
from amlc.execution.sent_inputs import Work
from amlc.execution.settings import ExecutorSettings
from amlc.files import temporary_folder
from amlc.interrupts import children_ignore_interrupts, finally_even_if_late


class LocalBackend(DaskBackend):
    """Computes pieces on workers of this machine, which start with the first piece.

    Many stages have no pieces: all pictures are in the store, or there is no encoder.

    Parameters
    ----------
    settings : ExecutorSettings
        As for `DaskBackend`.
    count : int
        The number of workers.
    stack : ExitStack
        Ends them.
    """

    def __init__(self, settings: ExecutorSettings, count: int, stack: ExitStack) -> None:
        super().__init__(settings)
        self._count, self._stack = count, stack
        self._client: Client | None = None
        self._lock = threading.Lock()
        self._failure: ExecutionError | None = None
        self._given_up = False

    @property
    def client(self) -> Client:
        """The client; the first use starts the workers.

        Raises
        ------
        ExecutionError
            They cannot be started.
        """
        with self._lock:
            if self._failure is not None:
                raise self._failure
            if self._client is None:
                try:
                    self._client = self._start()
                except ExecutionError as error:
                    self._failure = error
                    raise
            return self._client

    def cancel(self, inputs: Any) -> None:
        """Cancel the pieces; workers that fail to start are not started again for them."""
        super().cancel(inputs)
        self._given_up = self._client is None

    def _start(self) -> Client:
        self._given_up = False
        local = _local_cluster(self._count, self._settings.retries, lambda: self._given_up)
        cluster = self._stack.enter_context(local)
        seconds = self._settings.connect_seconds
        client: Client = self._stack.enter_context(connected(cluster, None, seconds))
        return client

    @contextmanager
    def shared(self, inputs: object) -> Iterator[Work]:
        """Write the inputs to a file that the workers map into memory."""
        folder = self._settings.shared_folder
        with input_file(inputs, Path(folder) if folder else None) as file:
            yield Work(file)

    def width(self, at_once: int | None) -> int:
        """Return the number of workers."""
        del at_once
        return self._count

    @property
    def workers(self) -> int:
        """The number of workers."""
        return self._count


@contextmanager
def _local_cluster(count: int, retries: int, given_up: Callable[[], bool]) -> Iterator[Any]:
    """Start a scheduler in this process and workers in others, which only this process can use."""
    with _scratch_folder() as folder, dask.config.set({"temporary-directory": folder}):
        for left in reversed(range(retries + 1)):
            try:
                # Also those that replace others: the threads that start them inherit it.
                with children_ignore_interrupts():
                    cluster = LocalCluster(
                        n_workers=count,
                        threads_per_worker=1,
                        processes=True,
                        host="127.0.0.1",
                        # Otherwise its web servers listen on all addresses of the machine.
                        dashboard_address="127.0.0.1:0",
                        worker_dashboard_address="127.0.0.1:0",
                        scheduler_kwargs={"dashboard": False},
                        # Whoever can connect to a scheduler or a worker can run code as this user.
                        security=Security.temporary(),
                        silence_logs=logging.CRITICAL,
                    )
            except (OSError, RuntimeError) as error:
                # A nanny replaces a worker that is killed, but not one that is killed while it
                # starts.
                if not left or given_up():
                    raise ExecutionError(
                        f"executor.scheduler: local:{count}: the processes cannot be started: "
                        f"{error}; name fewer, or set executor.kind: threads"
                    ) from None
            else:
                break
        with cluster:
            yield cluster


@contextmanager
def _scratch_folder() -> Iterator[str]:
    """Yield a folder of the user's own for what Dask writes, which it would leave in part."""
    before = set(multiprocessing.active_children())

    def end_workers() -> None:
        # Without a parent, those that are left end by themselves, but could still write.
        for child in set(multiprocessing.active_children()) - before:
            child.kill()

    path = Path(tempfile.gettempdir()) / "amlc-workers"
    with temporary_folder(path) as folder, finally_even_if_late(end_workers):
        yield str(folder)
