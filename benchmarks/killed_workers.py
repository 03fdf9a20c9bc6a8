"""Kill workers at random moments: the run has the same bytes, and every worker is replaced.

`python benchmarks/killed_workers.py` runs the stages over a small synthetic catalogue without
pictures: in threads, with `local:2`, and with `local:2` again, while workers are killed (SIGKILL)
at moments that are drawn from the time until the run before needed none any more. At a moment
without workers, as while a stage reads its files, the next one that starts is killed. The table
says which stage lost a worker when, and after how many seconds there were as many as before. Linux
only.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import checkout
from executor_choice import THREADS, changes_of
from executors import differing
from scale import STAGES, prepare_folder, steps
from setting_changes import parse_changes

from amlc.errors import CheckError, run

WORKERS = 2
CLUSTER = f"local:{WORKERS}"
POLL_SECONDS = 0.02


@dataclass(frozen=True)
class Kill:
    """A worker that was killed.

    Parameters
    ----------
    stage : str
        Whose worker it was.
    moment, seconds : float
        Seconds of the run at which it was to be killed, and at which it was.
    replaced : float or None
        After how many seconds there were as many processes as before, the last of which may still
        be starting; None: the stage ended earlier.
    """

    stage: str
    moment: float
    seconds: float
    replaced: float | None


class Watch(threading.Thread):
    """Notes the last moment at which the stage that runs had workers.

    Attributes
    ----------
    stage : (str, int) or None
        The stage and its process, which whoever runs it sets.
    last : float
        Seconds after the start of the thread.
    """

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.stage: tuple[str, int] | None = None
        self.last = 0.0
        self._ended = threading.Event()
        self._start_time = time.monotonic()

    def run(self) -> None:
        """Look until `end` is called."""
        while not self._ended.wait(POLL_SECONDS):
            stage = self.stage
            if stage is not None and workers_of(stage[1]):
                self.last = self._seconds()

    def end(self) -> None:
        """End the thread."""
        self._ended.set()
        self.join()

    def _seconds(self) -> float:
        return time.monotonic() - self._start_time


class Killer(Watch):
    """Kills one worker of the stage that runs at each of some moments.

    Parameters
    ----------
    moments : sequence of float
        Seconds after the start of the thread.
    seed : int
        Draws which worker it is.
    """

    def __init__(self, moments: Sequence[float], seed: int) -> None:
        super().__init__()
        self.kills: list[Kill] = []
        self._moments, self._random = sorted(moments), random.Random(seed)

    def run(self) -> None:
        """Kill, and see how long it takes until there is another worker."""
        for moment in self._moments:
            while self._seconds() < moment or not self._kill(moment):
                if self._ended.wait(POLL_SECONDS):
                    return

    def _kill(self, moment: float) -> bool:
        stage = self.stage
        before = workers_of(stage[1]) if stage else []
        if stage is None or not before:
            return False
        killed = self._random.choice(before)
        try:
            os.kill(killed, signal.SIGKILL)
        except ProcessLookupError:
            # It has ended by itself.
            return False
        seconds = self._seconds()
        while self.stage == stage and len({*workers_of(stage[1])} - {killed}) < len(before):
            time.sleep(POLL_SECONDS)
        replaced = self._seconds() - seconds if self.stage == stage else None
        self.kills.append(Kill(stage[0], moment, seconds, replaced))
        return True


def workers_of(process: int) -> list[int]:
    """Return the workers of a stage: the processes that its fork server has forked."""
    servers = [child for child in _children(process) if _is_fork_server(child)]
    # One that has ended has no command any more.
    return [child for server in servers for child in _children(server) if _is_fork_server(child)]


def _children(process: int) -> list[int]:
    # Any thread may have started one.
    threads = Path(f"/proc/{process}/task").glob("*/children")
    return [int(child) for path in threads for child in _read(path).split()]


def _is_fork_server(process: int) -> bool:
    """Whether a process is a fork server or has been forked from one, which leaves its command."""
    return "multiprocessing.forkserver" in _read(Path(f"/proc/{process}/cmdline"))


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def reproduce(
    folder: Path, rows: int, changes: Sequence[str], chosen: Sequence[str], watch: Watch | None
) -> float:
    """Run stages in a folder, watched if there is something to watch, and return the seconds.

    Raises
    ------
    CheckError
        A stage failed.
    """
    models = prepare_folder(folder, rows, parse_changes(changes))
    variables = {"PYTHONPATH": str(checkout.ROOT), "AMLC_STORE": str(folder / "store")}
    started = time.monotonic()
    for step in steps(models, chosen):
        stage, _, model = step.partition(".")
        command = [sys.executable, "-m", f"stages.{stage}", *([model] if model else [])]
        with subprocess.Popen(command, cwd=folder, env={**os.environ, **variables}) as process:
            if watch is not None:
                watch.stage = (step, process.pid)
            process.wait()
            if watch is not None:
                watch.stage = None
        if process.returncode:
            raise CheckError(f"{step}: ended with code {process.returncode}")
    return time.monotonic() - started


def table(kills: Sequence[Kill]) -> str:
    """Return a Markdown table with a line for each kill."""
    lines = ["| stage | drawn, s | killed, s | new process after, s |", "|---|---|---|---|"]
    for kill in kills:
        replaced = "stage had ended" if kill.replaced is None else f"{kill.replaced:.1f}"
        lines.append(f"| {kill.stage} | {kill.moment:.1f} | {kill.seconds:.1f} | {replaced} |")
    return "\n".join(lines)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--stages", nargs="+", default=list(STAGES), metavar="STAGE")
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", dest="changes")
    return parser.parse_args()


def main() -> None:
    """Run three times, compare, print; fail where bytes differ or a worker was not killed."""
    arguments = _arguments()
    rows, changes, stages = arguments.rows, arguments.changes, arguments.stages
    with tempfile.TemporaryDirectory() as name:
        folders = {kind: Path(name) / kind for kind in ("threads", "cluster", "killed")}
        settings = {
            kind: [*changes, *(f"executor.{key}={value}" for key, value in changes_of(of).items())]
            for kind, of in zip(folders, (THREADS, CLUSTER, CLUSTER), strict=True)
        }
        reproduce(folders["threads"], rows, settings["threads"], stages, None)
        watch = Watch()
        watch.start()
        seconds = reproduce(folders["cluster"], rows, settings["cluster"], stages, watch)
        watch.end()
        draw = random.Random(arguments.seed)
        moments = [draw.uniform(0, watch.last) for _ in range(arguments.kills)]
        killer = Killer(moments, arguments.seed)
        killer.start()
        reproduce(folders["killed"], rows, settings["killed"], stages, killer)
        killer.end()
        found = [differing(folders["threads"], folders[kind]) for kind in ("cluster", "killed")]
    print(f"## {rows:,} rows, {len(killer.kills)} workers of {CLUSTER} killed\n")
    print(table(killer.kills))
    print(
        f"\nWithout kills, the stages took {seconds:.0f} s, the last worker until {watch.last:.0f}."
    )
    if any(found):
        raise CheckError(f"files differ: with {CLUSTER}: {found[0]}, with kills: {found[1]}")
    print("\nAll files have the bytes of threads.")
    if len(killer.kills) < arguments.kills:
        raise CheckError(f"only {len(killer.kills)} of {arguments.kills} workers were killed")


if __name__ == "__main__":
    run(main)
