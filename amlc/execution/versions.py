"""What has to be the same on all machines: Python, amlc's code, the libraries, their kernels."""

import hashlib
import os
import platform
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import amlc
from amlc import numerics
from amlc.errors import ExecutionError, first_few

# Those whose results or pickles could differ.
LIBRARIES = (
    *("numpy", "scipy", "pandas", "pyarrow", "pillow", "scikit-learn", "lightgbm", "xgboost-cpu"),
    *("pydantic", "dask", "distributed"),
)
# Those of the extra `deep`, which only some models need.
OPTIONAL = ("torch", "transformers", "tokenizers", "peft")
MISSING = "not installed"
REMEDY = "install the same versions there and start it as docs/cluster.md says"


@cache
def installed() -> dict[str, str]:
    """Return versions by what they are of, and the variables that choose numerical kernels."""
    found = {"Python": ".".join(platform.python_version_tuple()[:2]), "amlc": _code_version()}
    for name in (*LIBRARIES, *OPTIONAL):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = MISSING
    for name in sorted(numerics.variables(Path("/proc/cpuinfo"))):
        # NumPy reads them when it is imported.
        found[name] = "not set" if numerics.TOO_LATE else os.environ.get(name, "not set")
    return found


def differences(ours: Mapping[str, str], theirs: Mapping[str, str]) -> list[str]:
    """Return what differs, in words; optional libraries may be missing.

    Parameters
    ----------
    ours, theirs : mapping of str to str
        What `installed` returned here and on a worker.
    """
    return [
        f"{name} is {there} there and {here} here"
        for name in sorted({*ours, *theirs})
        if (here := ours.get(name, "not set")) != (there := theirs.get(name, "not set"))
        and not (name in OPTIONAL and MISSING in {here, there})
    ]


def check_like(ours: Mapping[str, str], theirs: Mapping[str, str], worker: str) -> None:
    """See whether a worker may compute pieces.

    Parameters
    ----------
    ours, theirs : mapping of str to str
        As in `differences`.
    worker : str
        Which one it is, for the error.

    Raises
    ------
    ExecutionError
        Something differs.
    """
    found = differences(ours, theirs)
    if found:
        raise ExecutionError(
            f"the worker {worker} differs from this machine: {first_few(found)}; {REMEDY}, with "
            "python -m amlc.execution.worker"
        )


def _code_version() -> str:
    """Return the version and the start of a hash of the code, which may have been edited."""
    folder = Path(amlc.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(f"{path.relative_to(folder).as_posix()}\n".encode())
        digest.update(path.read_bytes())
    return f"{amlc.__version__} (code {digest.hexdigest()[:8]})"
