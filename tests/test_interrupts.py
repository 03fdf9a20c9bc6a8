"""Ctrl-C ends a program without a traceback, wherever it is."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from amlc.errors import run
from amlc.interrupts import children_ignore_interrupts, finally_even_if_late

ROOT = Path(__file__).parents[1]
# Holds the main thread in a library, and other threads as well.
LONG_FIT = """
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
import numpy as np
from amlc.errors import run
from amlc.interrupts import finally_even_if_late

def fit():
    matrix = np.random.default_rng(0).normal(size=(3_000, 3_000))
    while True:
        print("fitting", flush=True)
        np.linalg.svd(matrix)

def main():
    file = Path(sys.argv[1])
    file.touch()
    with finally_even_if_late(file.unlink), ThreadPoolExecutor(1) as pool:
        pool.submit(fit)
        fit()

run(main)
"""
# What a stage does while it is starting.
START = ["stages.prepare", "stages.train", "stages.report", "amlc"]


def interrupted(command: list[str], seconds: float | None) -> tuple[int, str, float]:
    """Run Python, interrupt it; return its exit code, its errors, and how long it then took.

    Parameters
    ----------
    seconds : float, optional
        When to interrupt it; None: once it has printed a line.
    """
    with subprocess.Popen(
        [sys.executable, *command],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A process that was started in the background may ignore it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509 - no threads hold locks here
    ) as process:
        if seconds is None:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(0.5)
        else:
            time.sleep(seconds)
        process.send_signal(signal.SIGINT)
        start = time.monotonic()
        _, errors = process.communicate(timeout=60)
        return process.returncode, errors, time.monotonic() - start


@pytest.mark.slow
@pytest.mark.parametrize("module", START)
@pytest.mark.parametrize("seconds", [0.2, 0.5, 0.9])
def test_a_program_that_is_starting_ends_at_once(module: str, seconds: float) -> None:
    """No traceback of an import that was interrupted is printed."""
    arguments = ["serve", "--bundle", "nothing"] if module == "amlc" else []
    code, errors, _ = interrupted(["-m", module, *arguments], seconds)
    # Before the program has imported the function that prevents it, Python prints a traceback.
    if "import end_quietly\n" not in errors:
        assert f'File "{ROOT / "amlc"}' not in errors
        assert f'File "{ROOT / "stages"}' not in errors
    # A fast machine may have come to an end by then, with the error of a missing file.
    assert code in {-signal.SIGINT, 130, 1}


@pytest.mark.slow
def test_a_program_that_computes_ends_within_two_seconds(tmp_path: Path) -> None:
    """Neither code of a library nor threads that are still computing hold it; no file is left."""
    code, errors, seconds = interrupted(["-c", LONG_FIT, str(tmp_path / "inputs")], None)
    assert (code, errors) == (130, "interrupted\n")
    assert seconds < 2
    assert list(tmp_path.iterdir()) == []


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
