"""A fit of the model fusion in a process of its own, which can be killed at a given moment."""

import contextlib
import json
import multiprocessing
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import numpy as np

from amlc.models.fusion.regressor import Fusion
from amlc.models.fusion.training import Trainer
from tests.helpers.forks import Forks
from tests.helpers.fusion import make_catalogue, settings

ROWS = 90
FIT, NEW = np.arange(60), np.arange(60, ROWS)
# What a fit imports.
PRELOADED = (__name__, "transformers.models.auto.modeling_auto")


def run(
    forks: Forks, store: Path, out: Path, changes: dict[str, Any], kill_at: str = ""
) -> tuple[int, str]:
    """Fit in another process, and write predictions; return its exit code and what it printed.

    Parameters
    ----------
    forks : Forks
        Processes that have imported `PRELOADED`.
    store : Path
        Its `AMLC_STORE`.
    out : Path
        A folder: of the model, and ``predicted.npz``.
    changes : dict
        Settings that differ from those of `tests.helpers.fusion.SECTION`.
    kill_at : str
        "step N": killed before its update number N; "save N": while it writes checkpoint number N.
    """
    return forks.run(__name__, str(store), str(out), json.dumps(changes), kill_at)


def run_together(store: Path, out: Path, changes: dict[str, Any], count: int) -> list[int]:
    """Fit in several processes, as accelerate would start them; return their exit codes.

    Each writes into a folder with its number below `out`.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    shared = {"WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    shared |= {"ACCELERATE_USE_CPU": "yes", "GLOO_SOCKET_IFNAME": "lo", "AMLC_LAUNCHED": "1"}
    processes = [
        _started(store, out / rank, changes, {**shared, "RANK": rank, "LOCAL_RANK": rank})
        for rank in map(str, range(count))
    ]
    return [_ended(process) for process in processes]


def _started(store: Path, out: Path, changes: dict[str, Any], environment: dict[str, str]) -> Any:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.helpers.fusion_process"])
    process = context.Process(target=_fit, args=(store, out, changes, environment))
    process.start()
    return process


def _ended(process: Any) -> int:
    process.join()
    assert process.exitcode is not None
    return int(process.exitcode)


def _fit(store: Path, out: Path, changes: dict[str, Any], environment: dict[str, str]) -> None:
    os.environ.update(environment)
    with (
        (store.parent / "printed.txt").open("w", buffering=1) as stream,
        contextlib.redirect_stdout(stream),
    ):
        _fit_and_save(store, out, changes, "")


def _fit_and_save(store: Path, out: Path, changes: dict[str, Any], kill_at: str) -> None:
    os.environ["AMLC_STORE"] = str(store)
    kind, _, number = kill_at.partition(" ")
    if kind == "step":
        _kill_at(Trainer, "_step", int(number))
    elif kind == "save":
        # Called when the new file is complete, but not yet in the place of the old one.
        _kill_at(Path, "replace", int(number))
    blocks, target, _ = make_catalogue(ROWS)
    model = Fusion(settings(**changes))
    model.watch(blocks.take(NEW))
    model.fit(blocks.take(FIT), target.take(FIT), seed=3, threads=1)
    model.save(out / "model")
    curve = np.stack([values for _, values in model.staged_predict(blocks.take(NEW))])
    np.savez(out / "predicted.npz", log_price=model.predict(blocks.take(NEW)), curve=curve)


def _kill_at(owner: Any, name: str, number: int) -> None:
    """End the process without a warning at a given call of a method."""
    method, calls = getattr(owner, name), iter(range(1, number))

    def counted(*arguments: Any, **named: Any) -> Any:
        if next(calls, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)
        return method(*arguments, **named)

    setattr(owner, name, counted)


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr] - it is a text stream
    _fit_and_save(Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3]), sys.argv[4])
