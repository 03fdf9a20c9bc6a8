"""A process that imports what the workers of this machine need, and from which they are forked.

It imports all of it once, while the stage goes on: not each worker after another.
"""

import multiprocessing
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from multiprocessing import forkserver
from pathlib import Path

import amlc
from amlc import numerics
from amlc.execution.worker import ALLOCATOR
from amlc.interrupts import children_ignore_interrupts

METHOD = "forkserver"
# The first sets variables that NumPy reads when Dask imports it.
_FIRST = (numerics.__name__, "distributed.nanny", "distributed.worker")


def start_fork_server() -> None:
    """Start the process, unless it runs; it ends with this process and its workers.

    It imports the modules of amlc that this process has imported, because its pieces come from
    those. The memory of what was imported is shared among the workers.
    """
    modules = sorted(name for name in sys.modules if name.startswith(f"{amlc.__name__}."))
    multiprocessing.get_context(METHOD).set_forkserver_preload([*_FIRST, *modules])
    # Python does not pass it where to find the modules, nor does it take other variables later.
    path = [str(Path(amlc.__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    variables = {**ALLOCATOR, **os.environ, "PYTHONPATH": os.pathsep.join(path)}
    with children_ignore_interrupts(), _environment(variables):
        forkserver.ensure_running()


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Have some environment variables in the block."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
