"""Start a worker of a cluster: ``python -m amlc.execution.worker ADDRESS``.

It is Dask's own worker, whose further options may follow, with the variables that give the same
arithmetic on every machine, and with one piece at a time.
"""

import os
import sys

from amlc import numerics  # noqa: F401 - sets the variables, before NumPy is imported

# Dask has its workers return freed memory to the system at once, and with it each array of more
# than 128 kB, so that the system clears the pages of the next one again: that doubled the processor
# time of a search for neighbours. These are the limits, in bytes, to which glibc raises its own.
ALLOCATOR = {
    "MALLOC_MMAP_THRESHOLD_": str(32 * 2**20),
    "MALLOC_TRIM_THRESHOLD_": str(64 * 2**20),
}
MODULE = "distributed.cli.dask_worker"
# Options given on the command line come later, and win.
DEFAULTS = ("--nworkers", "1", "--nthreads", "1", "--no-dashboard")


def command(arguments: list[str]) -> list[str]:
    """Return the command that runs Dask's worker with this Python."""
    return [sys.executable, "-m", MODULE, *DEFAULTS, *arguments]


def main() -> None:
    """Become the worker."""
    words = command(sys.argv[1:])
    os.environ.update({**ALLOCATOR, **os.environ})
    os.execv(words[0], words)  # noqa: S606 - this Python


if __name__ == "__main__":
    main()
