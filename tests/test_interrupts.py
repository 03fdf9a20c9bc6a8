"""Ctrl-C ends a program without a traceback, wherever it is."""

import os
import signal
import subprocess
import sys
from itertools import islice
from pathlib import Path
from typing import IO

import pytest

from amlc import interrupts
from amlc.errors import run
from amlc.interrupts import children_ignore_interrupts, finally_even_if_late

ROOT = Path(__file__).parents[1]
# Holds the main thread in a library, and other threads as well.
LONG_FIT = """
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import numpy as np
from amlc.errors import run
from amlc.files import replacing
from amlc.interrupts import only_if_late

def fit():
    matrix = np.random.default_rng(0).normal(size=(3_000, 3_000))
    while True:
        np.linalg.svd(matrix)

def main():
    folder = Path(sys.argv[1])
    (folder / "socket").touch()
    only_if_late((folder / "socket").unlink)
    with replacing(folder / "model") as file, ThreadPoolExecutor(1) as pool:
        file.touch()
        pool.submit(fit)
        # By then, both threads are in the library.
        threading.Timer(0.5, print, ["fitting"], {"file": sys.stderr, "flush": True}).start()
        fit()

run(main)
"""
# What a stage does while it is starting.
START = ["stages.prepare", "stages.train", "stages.report", "amlc"]


def interrupted(command: list[str], folder: Path, line: str, then: int = 0) -> tuple[int, str]:
    """Run Python in a folder, interrupt it, return its exit code and what it wrote afterwards.

    Parameters
    ----------
    line : str
        It is interrupted once it has written a line that ends with this to its errors.
    then : int
        And so many lines more.
    """
    with subprocess.Popen(
        [sys.executable, *command],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        # A process that was started in the background may ignore it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509 - no threads hold locks here
    ) as process:
        assert process.stderr is not None
        wait_for(process.stderr, line, then)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        return process.returncode, errors


def wait_for(stream: IO[str], line: str, then: int) -> None:
    """Read until a line ends with a text, and so many lines more, or until the end."""
    for found in stream:
        if found.rstrip().endswith(line):
            break
    for _ in islice(stream, then):
        pass


@pytest.mark.slow
@pytest.mark.parametrize("module", START)
@pytest.mark.parametrize("imports", [1, 100, 700])
def test_a_program_that_is_starting_ends_at_once(module: str, imports: int, tmp_path: Path) -> None:
    """No traceback of an import that was interrupted is printed."""
    arguments = ["serve", "--bundle", "nothing"] if module == "amlc" else []
    # Writes a line after each import; the first that comes after this one is interrupted as well.
    command = ["-X", "importtime", "-m", module, *arguments]
    code, errors = interrupted(command, tmp_path, " amlc.interrupts", imports)
    assert "Traceback" not in errors
    # A test that is not woken in time may find the error of a missing file.
    assert code in {-signal.SIGINT, 130, 1}


@pytest.mark.slow
def test_a_program_that_computes_ends_soon(tmp_path: Path) -> None:
    """Neither code of a library nor threads that are still computing hold it; no file is left."""
    work = tmp_path / "work"
    work.mkdir()
    assert interrupted(["-c", LONG_FIT, str(work)], tmp_path, "fitting") == (130, "interrupted\n")
    assert list(work.iterdir()) == []


def test_a_program_that_computes_has_less_than_two_seconds() -> None:
    """Until it is ended, whatever it does."""
    assert interrupts._GRACE_SECONDS + interrupts._LAST_SECONDS < 2  # noqa: SLF001 - measured, they would depend on what else runs


def test_what_is_done_late_is_done_once_without_an_interrupt() -> None:
    """After the block, also where it raises; what fails then hides no other error."""
    done = []

    def fail() -> None:
        done.append(1)
        raise FileNotFoundError

    with pytest.raises(ZeroDivisionError), finally_even_if_late(fail):
        raise ZeroDivisionError
    assert done == [1]


def test_children_do_not_hear_interrupts() -> None:
    """From their first line on, when they could only answer with a traceback."""
    blocked = "import signal; print(signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, []))"

    def child() -> str:
        return subprocess.check_output([sys.executable, "-c", blocked], text=True)

    with children_ignore_interrupts():
        assert child() == "True\n"
    assert child() == "False\n"


def test_an_interrupt_in_time_is_not_followed_by_another(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A program that ends by itself leaves signals as they were."""

    def stop() -> None:
        signal.raise_signal(signal.SIGUSR1)
        raise ZeroDivisionError

    before = signal.signal(signal.SIGUSR1, lambda *_: None)
    try:
        with pytest.raises(ZeroDivisionError):
            run(stop)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert signal.set_wakeup_fd(-1) == -1
    assert capsys.readouterr().err == ""
