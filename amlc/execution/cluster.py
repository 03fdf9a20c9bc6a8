"""The cluster that the settings name: one that runs already, or workers of this machine."""

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import dask
from distributed import Client

from amlc.errors import ExecutionError
from amlc.execution import fork_server, scheduler
from amlc.execution.connection import connected, encryption, losses_told
from amlc.execution.dask_backend import DaskBackend
from amlc.execution.inputs import input_file
from amlc.execution.local_workers import LocalBackend
from amlc.execution.sent_inputs import SentInputs, Work
from amlc.execution.settings import ExecutorSettings
from amlc.execution.versions import REMEDY
from amlc.execution.worker import ALLOCATOR

LOGGERS = ("distributed", "distributed.client", "tornado.application")


@contextmanager
def open_cluster(settings: ExecutorSettings) -> Iterator[DaskBackend]:
    """Connect to a scheduler, or start one with workers; hold the workers' versions against ours.

    Parameters
    ----------
    settings : ExecutorSettings
        Section `executor` of params.yaml.

    Raises
    ------
    ExecutionError
        The scheduler cannot be reached in time, has no workers, or they have other versions.
        Where workers start on this machine, it is raised with the first piece.
    """
    # Dask says in many lines what an error says here in one.
    changes = {
        "distributed.scheduler.allowed-failures": settings.retries,
        # On a busy machine, a worker that is started again takes longer than Dask waits for it
        # before it does without.
        "distributed.deploy.lost-worker-timeout": "1 hour",
        "distributed.logging": {"distributed": "critical", "distributed.nanny": "critical"},
        # Of its web servers, which it cannot do without, leave the answer that they are well.
        "distributed.scheduler.http.routes": ["distributed.http.health"],
        "distributed.worker.http.routes": ["distributed.http.health"],
        # There are no copies of inputs on this machine.
        "distributed.scheduler.active-memory-manager.start": False,
        # For its web pages, Dask looks a hundred times a second what each worker is doing, and how
        # busy each process is, and keeps an hour of what it measures.
        "distributed.worker.profile.enabled": False,
        "distributed.admin.tick.interval": "1s",
        "distributed.admin.system-monitor.interval": "10s",
        "distributed.admin.system-monitor.log-length": 60,
        "distributed.worker.multiprocessing-method": fork_server.METHOD,
        **{f"distributed.nanny.pre-spawn-environ.{name}": n for name, n in ALLOCATOR.items()},
        scheduler.LOG_LENGTH: scheduler.KEPT_MESSAGES,
    }
    with dask.config.set(changes), _silent(), ExitStack() as stack:
        if settings.local_workers is not None:
            yield LocalBackend(settings, settings.local_workers, stack)
            return
        security, seconds = encryption(settings.tls), settings.connect_seconds
        client = stack.enter_context(connected(settings.scheduler, security, seconds))
        try:
            with losses_told(settings.scheduler):
                client.run_on_scheduler(scheduler.keep_few_messages)
                client.run_on_scheduler(scheduler.keep_copies)
        except (AttributeError, ImportError) as error:
            # It has no amlc, or an earlier one.
            raise ExecutionError(
                f"executor.scheduler: {settings.scheduler} cannot run amlc: {error}; {REMEDY}"
            ) from None
        yield RemoteBackend(client, settings)


class RemoteBackend(DaskBackend):
    """Computes pieces on the workers of a scheduler that runs already.

    Parameters
    ----------
    client : Client
        Connected to the scheduler.
    settings : ExecutorSettings
        As for `DaskBackend`.
    """

    def __init__(self, client: Client, settings: ExecutorSettings) -> None:
        super().__init__(settings)
        self._client = client

    @property
    def client(self) -> Client:
        """The client of the scheduler."""
        return self._client

    def width(self, at_once: int | None) -> int:
        """Return the number of the workers' threads."""
        del at_once
        return sum(self._threads().values())

    @contextmanager
    def shared(self, inputs: object) -> Iterator[Work]:
        """Write the inputs to the shared folder, or send them to each worker."""
        folder = self._settings.shared_folder
        if folder is None:
            yield Work(SentInputs(self._client, inputs))
        else:
            with input_file(inputs, Path(folder)) as file:
                yield Work(file)


@contextmanager
def _silent() -> Iterator[None]:
    # Those that Dask gives a level of their own.
    loggers = [logging.getLogger(name) for name in LOGGERS]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
