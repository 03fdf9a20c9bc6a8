"""Run a module as a script and write its cost: python benchmarks/measured.py OUT MODULE ARGS...

OUT becomes a JSON file with the wall-clock seconds, imports included, the processor's seconds in all
threads and processes that it waited for, and the peak memory in MB.
The script needs only the standard library, so that any environment can run it.
"""

import json
import resource
import runpy
import sys
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


def main() -> None:
    """Run the module and write its cost."""
    started = time.perf_counter()
    out, module, *arguments = sys.argv[1:]
    sys.argv = [module, *arguments]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        if ended.code:
            raise
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cost = {
        "seconds": time.perf_counter() - started,
        "cpu_seconds": sum(used.ru_utime + used.ru_stime for used in spent),
        "megabytes": peak_megabytes(),
    }
    Path(out).write_text(json.dumps(cost))


if __name__ == "__main__":
    main()
