"""The executor of a benchmark: that of params.yaml, or the one that an option names."""

import re
from pathlib import Path
from typing import Any

import checkout  # noqa: F401 - makes amlc importable

from amlc import params
from amlc.errors import ParamsError
from amlc.execution.settings import ExecutorSettings

THREADS = "threads"
_POSSIBLE = re.compile(r"threads|processes|local:[1-9][0-9]{0,2}")
_EXPECTED = (
    "expected threads, processes or local:N, because other workers do not have the benchmarks"
)


def changes_of(executor: str) -> dict[str, str]:
    """Return the settings of an executor, by their keys in the section `executor`.

    Parameters
    ----------
    executor : str
        ``threads``, ``processes``, or a scheduler as in params.yaml, such as ``local:2``.
    """
    if executor in {THREADS, "processes"}:
        return {"kind": executor}
    return {"kind": "dask", "scheduler": executor}


def chosen(executor: str | None, path: Path) -> ExecutorSettings:
    """Return the section `executor` of a params.yaml, with another executor if one is named.

    Raises
    ------
    ParamsError
        A setting is wrong, or names workers elsewhere, which do not have the benchmarks.
    """
    section: Any = params.value("executor", path)
    place = f"{path}: executor.scheduler: {section['scheduler']}"
    if executor is not None:
        if not _POSSIBLE.fullmatch(executor):
            raise ParamsError(f"--executor: {executor}: {_EXPECTED}")
        section = {**section, **changes_of(executor)}
    settings = params.check(ExecutorSettings, section, "executor", path)
    if settings.kind == "dask" and settings.local_workers is None:
        raise ParamsError(f"{place}: {_EXPECTED}; name one of them as --executor")
    return settings
