"""Inputs that many pieces share: sent to other processes once, as a file or a message."""

import fcntl
import hashlib
import mmap
import os
import pickle
import platform
import struct
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import IO, Any

from amlc.errors import ExecutionError
from amlc.interrupts import finally_even_if_late

# Arrays begin at multiples of this many bytes, as NumPy wants them.
_ALIGNMENT = 64
_HEADER = struct.Struct("<Q")
_NEW_SECONDS = 60.0
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
    with ExitStack() as stack:
        try:
            file = stack.enter_context(_abandonable(folder))
            digest = hashlib.sha256()
            for part in _parts(inputs):
                digest.update(part)
                file.write(part)
            file.flush()
            if folder is not None:
                # Other machines see what has reached the server.
                os.fsync(file.fileno())
        except OSError as error:
            place = f"executor.shared_folder: {folder}" if folder else tempfile.gettempdir()
            raise ExecutionError(
                f"{place}: the inputs of the workers cannot be written: {error.strerror or error}; "
                "name a folder with enough space that all machines see under this path"
            ) from None
        yield InputFile(Path(file.name).absolute(), digest.hexdigest())


@contextmanager
def _abandonable(folder: Path | None) -> Iterator[IO[bytes]]:
    """Open a new file, and remove it afterwards; remove those of runs that were killed before.

    A run holds a lock on its file. As not every disk shares locks between machines, only files of
    this one are removed.
    """
    prefix = f"amlc-inputs-{platform.node()}-"
    for path in Path(folder or tempfile.gettempdir()).glob(f"{prefix}*"):
        with suppress(OSError), path.open("r+b") as left:
            fcntl.flock(left, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # A new one may not be locked yet.
            if time.time() - os.fstat(left.fileno()).st_mtime > _NEW_SECONDS:
                path.unlink()
    with (
        tempfile.NamedTemporaryFile(prefix=prefix, dir=folder, delete=False) as file,
        finally_even_if_late(partial(os.unlink, file.name)),
    ):
        with suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)
        yield file


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
            f"{path}: the worker on {platform.node()} cannot read the inputs ({error}); "
            "executor.shared_folder has to be the same folder on all machines, and workers have to "
            "run as the user of the stage, who alone can read this file"
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
