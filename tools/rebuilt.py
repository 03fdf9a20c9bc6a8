"""Hold a rebuilt pipeline against the committed one: `python -m tools.rebuilt`, after `dvc repro`.

Where processor and libraries round like those that wrote dvc.lock, every tracked file must come out
the same, byte for byte. Elsewhere the last bits of sums and of elementary functions may differ, and
the numbers in metrics/*.json must agree to four digits. Details and the tables for plots may
differ: a row more or less in an interval shows in them.

`python -m tools.rebuilt record` names this machine's kind of arithmetic in .ci/arithmetic.json, if
dvc.lock is not the committed one; `make repro` runs it.
"""

import argparse
import json
import math
import platform
import subprocess
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

import amlc.numerics  # noqa: F401 - before NumPy: the same arithmetic as in the pipeline

# isort: split
import numpy as np
import scipy.linalg  # noqa: F401 - it brings its own OpenBLAS
import yaml
from threadpoolctl import threadpool_info

from amlc import layout
from amlc.errors import CheckError, DataError, run
from amlc.files import write_json

KIND = Path(".ci/arithmetic.json")
LOCK = Path("dvc.lock")
# What dvc.lock says of these is the same on every machine.
CODE = ("amlc/", "data/code", "stages")
DETAILS = (KIND.as_posix(), layout.SCORE_DETAILS.as_posix())
# Largest difference, as a share of the larger number, or of 1 for numbers below 1: 44.031 and
# 44.034 agree, 44.03 and 44.04 do not.
TOLERANCE = 2e-4
# Of a standard error (a key that ends with _se), which is a difference between scores of that size.
ERROR_TOLERANCE = 50 * TOLERANCE


def kind_of_arithmetic() -> dict[str, Any]:
    """Return what rounding depends on: architecture, C library, kernels of OpenBLAS and NumPy."""
    simd: Any = np.show_config(mode="dicts")
    extensions = simd["SIMD Extensions"]
    pools = threadpool_info()
    return {
        "machine": platform.machine(),
        "libc": " ".join(platform.libc_ver()),
        "openblas": sorted({pool["architecture"] for pool in pools if "architecture" in pool}),
        "numpy": sorted([*extensions["baseline"], *extensions.get("found", [])]),
    }


def check(root: Path) -> str:
    """Hold the working files of a repository against those of its last commit.

    Parameters
    ----------
    root : Path
        The repository's root, after `dvc repro`.

    Returns
    -------
    str
        One sentence about what was compared.

    Raises
    ------
    CheckError
        On the kind of machine that wrote dvc.lock, a tracked file differs. On another kind,
        something differs but hashes of data, details and, within the tolerance, metrics.
    DataError
        The folder is not a repository, or no kind was recorded.
    """
    changed = [line[3:] for line in _git(root, "status", "--porcelain").splitlines()]
    if not changed:
        return "The rebuild gave the same dvc.lock and the same metrics."
    recorded = json.loads(_committed(root, KIND.as_posix()))
    kind = kind_of_arithmetic()
    if recorded == kind:
        raise CheckError(f"the rebuild changed tracked files: {', '.join(changed)}")
    found: list[str] = []
    for name in changed:
        is_metric = Path(name).parent == layout.METRICS
        if not (root / name).is_file():
            found.append(f"{name}: missing")
        elif name in DETAILS or (is_metric and name.endswith(".csv")):
            continue
        elif is_metric or name == LOCK.as_posix():
            committed = _comparable(name, _committed(root, name))
            rebuilt = _comparable(name, (root / name).read_text(encoding="utf-8"))
            found += differences(committed, rebuilt, name)
        else:
            found.append(f"{name}: changed")
    if found:
        raise CheckError("\n".join(["the rebuild differs by more than rounding:", *found]))
    others = ", ".join(key for key in kind if recorded.get(key) != kind[key])
    return f"The rebuild gave the same metrics to four digits, with other arithmetic: {others}."


def record(root: Path) -> None:
    """Write this machine's kind of arithmetic, if dvc.lock is not the committed one."""
    if (root / ".git").exists() and _git(root, "status", "--porcelain", "--", LOCK.as_posix()):
        write_json(root / KIND, kind_of_arithmetic())


def differences(committed: Any, rebuilt: Any, place: str) -> Iterator[str]:
    """Yield where two values of JSON differ by more than rounding.

    Examples
    --------
    >>> list(differences({"smape": 44.031, "rows": 9}, {"smape": 44.034, "rows": 9}, "m"))
    []
    >>> list(differences({"smape": 44.03}, {"smape": 43.86}, "metrics.json"))
    ['metrics.json: smape: 44.03, now 43.86']
    """
    if isinstance(committed, dict) and isinstance(rebuilt, dict):
        for key in sorted(committed.keys() | rebuilt.keys()):
            yield from differences(committed.get(key), rebuilt.get(key), f"{place}: {key}")
    elif isinstance(committed, list) and isinstance(rebuilt, list):
        for index, (before, after) in enumerate(zip_longest(committed, rebuilt), 1):
            yield from differences(before, after, f"{place}: {index}")
    elif not _agree(committed, rebuilt, ERROR_TOLERANCE if place.endswith("_se") else TOLERANCE):
        yield f"{place}: {committed}, now {rebuilt}"


def _agree(committed: Any, rebuilt: Any, absolute: float) -> bool:
    try:
        return math.isclose(committed, rebuilt, rel_tol=TOLERANCE, abs_tol=absolute)
    except TypeError:
        return bool(committed == rebuilt)


def _comparable(name: str, text: str) -> Any:
    """Return the content of a file of metrics, or of dvc.lock without the hashes of data."""
    if name.endswith(".json"):
        return json.loads(text)
    stages = yaml.safe_load(text)["stages"]
    for stage in stages.values():
        for kind in ("deps", "outs"):
            stage[kind] = {
                entry["path"]: entry["md5"] if entry["path"].startswith(CODE) else "data"
                for entry in stage.get(kind, [])
            }
    return stages


def _committed(root: Path, name: str) -> str:
    return _git(root, "show", f"HEAD:{name}")


def _git(root: Path, *arguments: str) -> str:
    command = ["git", *arguments]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)  # noqa: S603 - the arguments are ours
    if done.returncode:
        raise DataError(f"{root}: git {arguments[0]} failed: {done.stderr.strip()}")
    return done.stdout


def main() -> None:
    """Check, or record the kind of arithmetic."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", nargs="?", choices=["check", "record"], default="check")
    if parser.parse_args().command == "record":
        record(layout.ROOT)
    else:
        print(check(layout.ROOT))


if __name__ == "__main__":
    run(main)
