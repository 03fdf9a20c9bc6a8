"""Inputs that many pieces share, in a file that is written once and mapped by each process."""

import platform
import re
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from amlc.errors import DataError, ExecutionError
from amlc.execution.array_file import ArrayFile, Pickled
from amlc.files import temporary_folder

# Values that a process keeps: those of the work under way, and of the one before.
_KEPT = 2


class InputFile(ArrayFile):
    """A file of inputs, in a folder of their own, where workers put large results as well."""

    def load(self) -> Any:
        """Return the inputs as `ArrayFile.load` does; the same ones if they are asked for again."""
        return _load(self)


@contextmanager
def input_file(inputs: object, folder: Path | None) -> Iterator[InputFile]:
    """Write inputs to a file in a new folder, which only the user can enter; remove it afterwards.

    Parameters
    ----------
    inputs : object
        What to pickle.
    folder : Path or None
        Where the folder is made, and what killed runs of this machine left is removed; None: in the
        system's folder for temporary files.

    Raises
    ------
    ExecutionError
        The file cannot be written.
    """
    if folder is not None and not folder.is_dir():
        raise ExecutionError(
            f"executor.shared_folder: {folder}: no such folder; create it on a disk that all "
            "machines see under this path"
        )
    parent = (folder or Path(tempfile.gettempdir())).absolute()
    # Another machine may not see that this one has locked its folders.
    machine = re.sub(r"[^A-Za-z0-9-]", "-", platform.node())
    with ExitStack() as stack:
        try:
            own = stack.enter_context(temporary_folder(parent / f"amlc-pieces-{machine}"))
        except DataError as error:
            setting = "TMPDIR" if folder is None else "executor.shared_folder"
            raise ExecutionError(
                f"{error}; {setting} has to name a folder in which this user may write"
            ) from None
        file = Pickled(inputs).write(own / "inputs")
        yield InputFile(file.path, file.sha256)


@lru_cache(maxsize=_KEPT)
def _load(file: InputFile) -> Any:
    return ArrayFile(file.path, file.sha256).load()
