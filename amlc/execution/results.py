"""Results of pieces: small ones are messages, large ones files beside the inputs."""

import pickle
import secrets
from pathlib import Path
from typing import Any

from amlc.execution.array_file import ArrayFile, Pickled

# Bytes from which a result is a file. A message is pickled, encrypted, decrypted and copied.
LARGE = 2**20


class ResultFile(ArrayFile):
    """A file of one result, which whoever asked for the piece loads once."""

    def load(self) -> Any:
        """Return the result as `ArrayFile.load` does, and remove the file, whose pages remain."""
        try:
            return super().load()
        finally:
            self.path.unlink(missing_ok=True)


def packed(result: Any, folder: Path) -> Any:
    """Return a result as it leaves the worker: itself, or a `ResultFile` if it is large.

    Parameters
    ----------
    result : object
        What a piece returned.
    folder : Path
        That of the inputs. What nobody loads is removed with it.

    Raises
    ------
    ExecutionError
        The file cannot be written, for example because the disk is full.
    """
    try:
        pickled = Pickled(result)
    except (pickle.PicklingError, AttributeError, TypeError):
        # Dask's own pickles also have what a script defines.
        return result
    if pickled.size < LARGE:
        return result
    file = pickled.write(folder / f"result-{secrets.token_hex(8)}")
    return ResultFile(file.path, file.sha256)


def unpacked(result: Any) -> Any:
    """Return the result that `packed` has made ready."""
    return result.load() if isinstance(result, ResultFile) else result
