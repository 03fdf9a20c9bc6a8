"""An array whose rows come in parts, and that is larger than memory should be."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from amlc.files import StreamedArray, write_errors

# Bytes that are read at a time.
BLOCK = 2**22


class Spool(StreamedArray):
    """Rows in a file without a name, of which a killed process leaves nothing behind.

    Parameters
    ----------
    path : Path
        The file that the rows are for; they are kept on the same disk.
    dtype : dtype
        Type of the array.
    width : int, optional
        Number of columns; None for an array of one axis.
    """

    def __init__(self, path: Path, dtype: DTypeLike, width: int | None = None) -> None:
        self.dtype = np.dtype(dtype)
        self._path = path
        self._row: tuple[int, ...] = () if width is None else (width,)
        self._count = 0
        with write_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = TemporaryFile(dir=path.parent)  # noqa: SIM115 - `__exit__` closes it

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # What is left in the buffer is not needed, and may not fit on the disk.
        with suppress(OSError):
            self._file.close()

    def append(self, rows: NDArray[Any]) -> None:
        """Add rows at the end.

        Raises
        ------
        DataError
            They cannot be written, for example because the disk is full.
        """
        with write_errors(self._path):
            self._file.write(np.ascontiguousarray(rows, self.dtype).reshape(-1).data)
        self._count += len(rows)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array of all rows."""
        return (self._count, *self._row)

    def blocks(self) -> Iterator[bytes]:
        """Yield the bytes of all rows, a few megabytes at a time."""
        self._file.seek(0)
        while block := self._file.read(BLOCK):
            yield block
