"""Run a module as a script and write its cost: python benchmarks/measured.py OUT MODULE ARGS...

OUT becomes a JSON file: wall-clock seconds, imports included; CPU seconds of all threads
and in processes that were waited for; the peak memory in MB, and that without the pages of files
that are mapped into memory, which the system can drop. The script ends when its parent does, and
needs only the standard library, so that any environment can run it.
"""

import argparse
import json
import os
import resource
import runpy
import signal
import sys
import threading
import time
from pathlib import Path


def peak_megabytes() -> float:
    """Return the peak memory of this process so far."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        # macOS has no such file, and counts bytes here.
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    # Unlike ru_maxrss, this does not include the memory of the parent before the fork.
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


class PrivatePeak(threading.Thread):
    """Watches the memory of this process that belongs to no file; Linux only, otherwise 0."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.megabytes = 0.0

    def run(self) -> None:
        """Look ten times a second; the thread ends with the process."""
        status = Path("/proc/self/status")
        while status.is_file():
            lines = status.read_text().splitlines()
            sizes = [int(line.split()[1]) for line in lines if line.startswith("RssAnon:")]
            self.megabytes = max(self.megabytes, *(size / 1024 for size in sizes), 0.0)
            time.sleep(0.1)


def _wait_for_fork_server() -> None:
    """End the process from which workers were forked, which counts their CPU seconds.

    The standard library leaves it to end by itself, and has no public function for this.
    """
    loaded = sys.modules.get("multiprocessing.forkserver")
    if loaded is not None:
        loaded._forkserver._stop()  # noqa: SLF001 - see above


def _end_with_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.1)
    os._exit(1)


def main() -> None:
    """Run the module and write its cost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("module")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="of the module")
    options = parser.parse_args()
    # A worker that waits for this process ignores Ctrl-C, and may be killed.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    private = PrivatePeak()
    private.start()
    started = time.perf_counter()
    sys.argv = [options.module, *options.arguments]
    try:
        runpy.run_module(options.module, run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        if ended.code:
            raise
    seconds = time.perf_counter() - started
    _wait_for_fork_server()
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cost = {
        "seconds": seconds,
        "cpu_seconds": sum(used.ru_utime + used.ru_stime for used in spent),
        "megabytes": peak_megabytes(),
        "private_megabytes": private.megabytes,
    }
    options.out.write_text(json.dumps(cost))


if __name__ == "__main__":
    main()
