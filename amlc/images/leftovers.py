"""Unfinished folders of runs that were killed, and how to know them from those still in use."""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

if sys.platform != "win32":
    import fcntl


@contextmanager
def in_use(folder: Path) -> Iterator[None]:
    """Mark a folder as in use while the block runs; the mark ends with the process, however."""
    with _opened(folder) as handle:
        _lock(handle)
        yield


def remove_leftovers(target: Path) -> None:
    """Remove what killed runs left beside `target` while they made it.

    Parameters
    ----------
    target : Path
        The folder that `amlc.files.replacing_folder` was to make.
    """
    for folder in sorted(target.parent.glob(f".{target.name}.*")):
        with _opened(folder) as handle:
            if _lock(handle):
                shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _opened(folder: Path) -> Iterator[int | None]:
    # Windows opens no folders: nothing is marked there, and nothing removed.
    handle = None if sys.platform == "win32" else os.open(folder, os.O_RDONLY)
    try:
        yield handle
    finally:
        if handle is not None:
            os.close(handle)


def _lock(handle: int | None) -> bool:
    if handle is None or sys.platform == "win32":
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
