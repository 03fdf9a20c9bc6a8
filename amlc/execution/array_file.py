"""Files of a pickled value whose arrays another process maps into its memory."""

import hashlib
import mmap
import os
import pickle
import platform
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from amlc.errors import ExecutionError

# Arrays begin at multiples of this many bytes, as NumPy wants them.
_ALIGNMENT = 64
_HEADER = struct.Struct("<Q")


@dataclass(frozen=True)
class ArrayFile:
    """A file of a pickled value, which the processes of one user on one or more machines read.

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
        """Return the value; its arrays are mapped into memory, and shared until one is changed.

        Raises
        ------
        ExecutionError
            The file cannot be read, or is not the one that was written.
        """
        try:
            with self.path.open("rb") as file:
                # The kernel copies a page of it only when it is written to.
                content = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))
        except (OSError, ValueError) as error:
            raise ExecutionError(
                f"{self.path}: cannot be read on {platform.node()} ({error}); "
                "executor.shared_folder has to be the same folder on all machines, and workers "
                "have to run as the user of the stage, who alone can read it"
            ) from None
        if hashlib.sha256(content).hexdigest() != self.sha256:
            raise ExecutionError(f"{self.path}: not what was written; run again")
        (count,) = _HEADER.unpack_from(content)
        lengths = [_HEADER.unpack_from(content, 8 * (1 + index))[0] for index in range(count)]
        parts, start = [], 8 * (1 + count)
        for length in lengths:
            start += -start % _ALIGNMENT
            parts.append(content[start : start + length])
            start += length
        # Written by this user's own stage or worker: the hash came with the message.
        return pickle.loads(parts[0], buffers=parts[1:])  # noqa: S301 - see above


class Pickled:
    """A value, pickled with its arrays beside it, that is not yet in a file.

    Parameters
    ----------
    value : object
        What to pickle.
    """

    def __init__(self, value: object) -> None:
        buffers: list[pickle.PickleBuffer] = []
        pickled = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
        self._parts: list[bytes | memoryview] = [pickled, *(each.raw() for each in buffers)]

    @property
    def size(self) -> int:
        """The number of bytes."""
        return sum(map(len, self._parts))

    def write(self, path: Path) -> ArrayFile:
        """Write a new file, which only the user can read.

        Raises
        ------
        ExecutionError
            It cannot be written, for example because the disk is full.
        """
        digest = hashlib.sha256()
        try:
            with _new_file(path) as file:
                for part in self._aligned():
                    digest.update(part)
                    file.write(part)
        except OSError as error:
            raise ExecutionError(
                f"{path}: cannot be written: {error.strerror}; inputs and results of pieces lie in "
                "executor.shared_folder, otherwise in the system's folder for temporary files, "
                "which TMPDIR names"
            ) from None
        return ArrayFile(path, digest.hexdigest())

    def _aligned(self) -> Iterator[bytes | memoryview]:
        """Yield a table of lengths, the pickle, and each array at a multiple of `_ALIGNMENT`."""
        lengths = (len(self._parts), *map(len, self._parts))
        for part in (b"".join(map(_HEADER.pack, lengths)), *self._parts):
            yield part
            yield bytes(-len(part) % _ALIGNMENT)


def _new_file(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
