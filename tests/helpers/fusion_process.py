"""A fit of the model fusion in a process of its own, which can be killed at a given moment."""

import io
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
from torch.distributed import TCPStore

from amlc.models.fusion.regressor import Fusion, code_files
from amlc.models.fusion.training import Trainer
from tests.helpers.forks import Forks
from tests.helpers.fusion import make_catalogue, settings

ROWS = 90
FIT, NEW = np.arange(60), np.arange(60, ROWS)
# What a fit imports, in part only while it runs: without these, each takes a second longer.
PRELOADED = (
    __name__,
    "sklearn.model_selection",
    "sklearn.preprocessing",
    "torch._dynamo",
    "transformers.models.auto.modeling_auto",
    "transformers.models.bert.modeling_bert",
    "transformers.models.bert.tokenization_bert",
    "transformers.models.vit.modeling_vit",
)
# Which is cached, for the forks.
code_files()


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


def run_together(
    forks: Forks, store: Path, out: Path, changes: dict[str, Any]
) -> tuple[list[int], str]:
    """Fit in two processes as accelerate would start them; return exit codes, what they printed.

    Each writes into a folder with its number below `out`.
    """
    # They meet at a store of this process: a port that one of them opens later could be taken.
    store_of_both = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(store_of_both.port)}
    shared |= {"TORCHELASTIC_USE_AGENT_STORE": "True", "TORCHELASTIC_RESTART_COUNT": "0"}
    shared |= {"ACCELERATE_USE_CPU": "yes", "GLOO_SOCKET_IFNAME": "lo", "AMLC_LAUNCHED": "1"}
    environments = [{**os.environ, **shared, "RANK": rank, "LOCAL_RANK": rank} for rank in "01"]
    command = (__name__, str(store), str(out), json.dumps(changes), "")
    return forks.run_together(command, environments)


def fit_and_save(store: Path, out: Path, changes: dict[str, Any], kill_at: str = "") -> None:
    """Fit in this process, and write model and predictions."""
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
    assert isinstance(sys.stdout, io.TextIOWrapper)
    sys.stdout.reconfigure(line_buffering=True)
    out = Path(sys.argv[2], os.environ.get("RANK", ""))
    fit_and_save(Path(sys.argv[1]), out, json.loads(sys.argv[3]), sys.argv[4])
