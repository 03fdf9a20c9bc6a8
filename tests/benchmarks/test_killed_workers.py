"""Killing workers: which processes are workers, the kill, the table."""

import subprocess
import sys
import time

import pytest
from killed_workers import Kill, Killer, table, workers_of

# A worker, and a process that is none, beside those of multiprocessing.
PROGRAM = """
import multiprocessing, subprocess, sys, time
subprocess.Popen([sys.executable, "-Sc", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
context = multiprocessing.get_context("forkserver")
worker = context.Process(target=time.sleep, args=(60,), daemon=True)
worker.start()
print(worker.pid, flush=True)
sys.stdin.readline()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_worker_is_killed_and_nothing_else() -> None:
    """Until it is replaced, which here it is not: its stage ends."""
    with subprocess.Popen(
        [sys.executable, "-Sc", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as stage:
        assert stage.stdout is not None
        worker = int(stage.stdout.readline())
        assert workers_of(stage.pid) == [worker]
        killer = Killer([0.0], seed=1)
        killer.stage = ("terms", stage.pid)
        killer.start()
        deadline = time.monotonic() + 60
        while workers_of(stage.pid) and time.monotonic() < deadline:
            time.sleep(0.01)
        stage.communicate("\n")
        killer.stage = None
        killer.join()
    assert [(kill.stage, kill.replaced) for kill in killer.kills] == [("terms", None)]


def test_the_table_says_when_a_worker_was_replaced() -> None:
    """Or that its stage needed none any more."""
    lines = table([Kill("terms", 1.0, 1.5, 2.25), Kill("guards", 3.0, 3.0, None)]).splitlines()
    assert lines[2:] == [
        "| terms | 1.0 | 1.5 | 2.2 |",
        "| guards | 3.0 | 3.0 | stage had ended |",
    ]
