"""Whether a commit has the data that an experiment reads.

`dvc exp run` runs on a commit. When it ends, it takes out of git's index what was not committed
before, such as the pointer that `dvc add` wrote: the next commit would then have results without
the data that they come from.
"""

import os
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from amlc import layout
from amlc.errors import DataError, first_few

# DVC sets it to the commit of the experiment that a stage belongs to.
BASELINE = "DVC_EXP_BASELINE_REV"
POINTER = ".dvc"


def check_committed(folder: str, names: Iterable[str | None]) -> None:
    """Check that files are in git or in DVC, if this is an experiment.

    Parameters
    ----------
    folder : str
        A folder, relative to the repository's root. One that a stage writes, or that is outside the
        repository, is not checked.
    names : iterable of str or None
        Files in it that the experiment reads; those that do not exist are not checked.

    Raises
    ------
    DataError
        The experiment's commit has neither a file nor a pointer to it; with the commands to run.
    """
    commit = os.environ.get(BASELINE)
    if not commit or Path(folder) == layout.SYNTHETIC or not _is_inside(Path(folder)):
        return
    paths = [path for name in names if name and (path := Path(folder, name)).is_file()]
    candidates = {path: [path.as_posix(), *_pointers(path)] for path in paths}
    tracked = _tracked(commit, sorted({name for names in candidates.values() for name in names}))
    missing = [path for path, names in candidates.items() if tracked.isdisjoint(names)]
    if missing:
        raise DataError(_message(missing))


def _is_inside(path: Path) -> bool:
    return not path.is_absolute() and ".." not in path.parts


def _pointers(path: Path) -> list[str]:
    """Return the pointers that DVC may have for a file: its own, or one of a folder above it."""
    folders = [parent for parent in path.parents if parent.name]
    return [f"{each.as_posix()}{POINTER}" for each in (path, *folders)]


def _tracked(commit: str, names: Sequence[str]) -> set[str]:
    """Return those of the names that a commit has."""
    command = ["git", "ls-tree", "-r", "-z", "--name-only", commit, "--", *names]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - git, without a shell
    except (OSError, subprocess.CalledProcessError):
        # Without git nobody can tell, and an experiment that runs elsewhere has the data anyway.
        return set(names)
    return set(done.stdout.split("\0"))


def _message(missing: Sequence[Path]) -> str:
    without_pointer = [path for path in missing if not any(map(_exists, _pointers(path)))]
    add = f"dvc add {_join(without_pointer)} && " if without_pointer else ""
    pointers = [next(filter(_exists, _pointers(path)), f"{path}{POINTER}") for path in missing]
    ignored = sorted({f"{Path(name).parent}/.gitignore" for name in pointers})
    names = " ".join(dict.fromkeys([*pointers, *ignored]))
    return (
        f"{first_few(missing)}: not in the commit that the experiment starts from, so its results "
        f"could not be made again. Run: {add}git add {names} && "
        f"git commit -m 'My products' -- {names}"
    )


def _exists(name: str) -> bool:
    return Path(name).is_file()


def _join(paths: Iterable[Path]) -> str:
    return " ".join(path.as_posix() for path in paths)
