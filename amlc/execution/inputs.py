"""Inputs that many pieces share: sent to other processes once, as a file or a message."""

import hashlib
import mmap
import os
import pickle
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from amlc.errors import ExecutionError
from amlc.interrupts import finally_even_if_late

# Arrays begin at multiples of this many bytes, as NumPy wants them.
_ALIGNMENT = 64
_HEADER = struct.Struct("<Q")
# Values that a process keeps: those of the work under way, and of the one before.
_KEPT = 2


@dataclass(frozen=True)
class InputFile:
    """A file of pickled inputs, which the processes of one user on one or more machines read.

    Parameters
    ----------
    path : Path
        The file.
    sha256 : str
        Of its content; a file with another content is not read.
    """

    path: Path
    sha256: str

    def load(self) -> Any:
        """Return the inputs; their arrays are mapped into memory, and shared until one is changed.

        Raises
        ------
        ExecutionError
            The file cannot be read, or is not the one that was written.
        """
        return _load_file(self.path, self.sha256)


@contextmanager
def input_file(inputs: object, folder: Path | None) -> Iterator[InputFile]:
    """Write inputs to a temporary file, which only the user can read, and remove it afterwards.

    Parameters
    ----------
    inputs : object
        What to pickle.
    folder : Path or None
        The folder of the file; None: that of the system.

    Raises
    ------
    ExecutionError
        The file cannot be written.
    """
    try:
        with (
            tempfile.NamedTemporaryFile(prefix="amlc-inputs-", dir=folder, delete=False) as file,
            finally_even_if_late(partial(os.unlink, file.name)),
        ):
            digest = hashlib.sha256()
            for part in _parts(inputs):
                digest.update(part)
                file.write(part)
            file.flush()
            yield InputFile(Path(file.name).absolute(), digest.hexdigest())
    except FileNotFoundError:
        raise ExecutionError(
            f"executor.shared_folder: {folder}: no such folder; create it on a disk that all "
            "machines see under this path"
        ) from None


def _parts(inputs: object) -> Iterator[bytes | memoryview]:
    """Yield a table of lengths, the pickle, and each array at a multiple of `_ALIGNMENT`."""
    buffers: list[pickle.PickleBuffer] = []
    parts: list[bytes | memoryview] = [
        pickle.dumps(inputs, protocol=5, buffer_callback=buffers.append)
    ]
    parts += [buffer.raw() for buffer in buffers]
    table = _HEADER.pack(len(parts)) + b"".join(_HEADER.pack(len(part)) for part in parts)
    for part in (table, *parts):
        yield part
        yield bytes(-len(part) % _ALIGNMENT)


@lru_cache(maxsize=_KEPT)
def _load_file(path: Path, sha256: str) -> Any:
    try:
        with path.open("rb") as file:
            # The kernel copies a page of it only when a piece writes to it.
            content = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))
    except (OSError, ValueError) as error:
        raise ExecutionError(
            f"{path}: a worker cannot read the inputs ({error}); executor.shared_folder has to be "
            "the same folder on all machines"
        ) from None
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ExecutionError(f"{path}: not the inputs that were written; run again")
    (count,) = _HEADER.unpack_from(content)
    lengths = [_HEADER.unpack_from(content, 8 * (1 + index))[0] for index in range(count)]
    parts, start = [], 8 * (1 + count)
    for length in lengths:
        start += -start % _ALIGNMENT
        parts.append(content[start : start + length])
        start += length
    # Written by this user's own stage: the hash came with the piece.
    return pickle.loads(parts[0], buffers=parts[1:])  # noqa: S301 - see above
