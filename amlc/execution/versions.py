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

# Those whose results or pickles could differ; one that is not installed is not compared.
LIBRARIES = (
    *("numpy", "scipy", "pandas", "pyarrow", "pillow", "scikit-learn", "lightgbm", "xgboost-cpu"),
    *("pydantic", "dask", "distributed", "torch", "transformers", "tokenizers", "peft"),
)


@cache
def installed() -> dict[str, str]:
    """Return versions by what they are of, and the variables that choose numerical kernels."""
    found = {"Python": platform.python_version(), "amlc": _code_version()}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    for name in sorted(numerics.variables(Path("/proc/cpuinfo"))):
        # NumPy reads them when it is imported.
        found[name] = "not set" if numerics.TOO_LATE else os.environ.get(name, "not set")
    return found


@cache
def fingerprint() -> str:
    """Return a hash of what `installed` returns."""
    return hashlib.sha256(repr(installed()).encode()).hexdigest()


def differences(ours: Mapping[str, str], theirs: Mapping[str, str]) -> list[str]:
    """Return what differs, in words.

    Parameters
    ----------
    ours, theirs : mapping of str to str
        What `installed` returned here and on a worker.
    """
    return [
        f"{name} is {theirs.get(name, 'not set')} there and {ours.get(name, 'not set')} here"
        for name in sorted({*ours, *theirs})
        if ours.get(name) != theirs.get(name)
    ]


def _code_version() -> str:
    """Return the version and the start of a hash of the code, which may have been edited."""
    folder = Path(amlc.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(f"{path.relative_to(folder).as_posix()}\n".encode())
        digest.update(path.read_bytes())
    return f"{amlc.__version__} (code {digest.hexdigest()[:8]})"
