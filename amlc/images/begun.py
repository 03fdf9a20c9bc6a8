"""Which links a run has begun to fetch, on disk before their first request.

What a kill broke off stands here and not in the store. The next run leaves it for last, so that
kills in quick succession do not ask for the same pictures again and again.
"""

import hashlib
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from amlc.errors import ImageError

_DIGEST_BYTES = 16


class Begun:
    """A file of links' digests, appended to; emptied by a run that comes to its end.

    Parameters
    ----------
    path : Path
        Created where it is missing.

    Raises
    ------
    ImageError
        The file cannot be read, or a link cannot be added to it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
            content = path.read_bytes()
        except OSError as error:
            raise self._explained(error) from None
        self._before = {
            content[start : start + _DIGEST_BYTES]
            for start in range(0, len(content), _DIGEST_BYTES)
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            os.ftruncate(self._file, 0)
        os.close(self._file)

    def __contains__(self, link: str) -> bool:
        """Return whether an earlier run that did not come to its end had begun with a link."""
        return _digest(link) in self._before

    def add(self, link: str) -> None:
        """Say that a link's first request is next; from any thread."""
        try:
            # In one piece, also beside other runs: the file was opened for appending.
            os.write(self._file, _digest(link))
        except OSError as error:
            raise self._explained(error) from None

    def _explained(self, error: OSError) -> ImageError:
        return ImageError(
            f"{self._path}: cannot be written: {error.strerror}; what was fetched before is safe: "
            "make space or give access, or set AMLC_STORE to another folder, and run again"
        )


def _digest(link: str) -> bytes:
    return hashlib.blake2b(link.encode(errors="surrogatepass"), digest_size=_DIGEST_BYTES).digest()
