"""The backend that the section `executor` of params.yaml names."""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager

from amlc.errors import MissingExtraError
from amlc.execution.backend import THREADS, Backend
from amlc.execution.fork_server import start_fork_server
from amlc.execution.processes import ProcessBackend
from amlc.execution.settings import ExecutorSettings


@contextmanager
def open_backend(settings: ExecutorSettings) -> Iterator[Backend]:
    """Start what the settings name, and end it afterwards.

    Parameters
    ----------
    settings : ExecutorSettings
        Section `executor` of params.yaml.

    Raises
    ------
    MissingExtraError
        Dask is not installed.
    ExecutionError
        The cluster cannot be used.
    """
    if settings.kind == "threads":
        yield THREADS
    elif settings.kind == "processes":
        with ProcessBackend(settings) as processes:
            yield processes
    else:
        if settings.local_workers is not None:
            # It imports Dask at the same time as this process.
            start_fork_server()
        try:
            importlib.import_module("distributed")
        except ImportError:
            raise MissingExtraError("executor.kind: dask", "cluster") from None
        # Dask takes a second to import, and may not be installed.
        from amlc.execution.cluster import open_cluster  # noqa: PLC0415

        with open_cluster(settings) as cluster:
            yield cluster
