"""Checkpoints outside the repository: a fit that was killed goes on where its last one was written.

A checkpoint is one safetensors file, named after the SHA-256 of all that the fit depends on. Its
header holds the progress, what the name was computed from, and the SHA-256 of the arrays.
"""

import hashlib
import json
import os
import struct
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from amlc.files import replacing
from amlc.models.fusion.settings import CheckpointSettings

Arrays = dict[str, np.ndarray[Any, Any]]
_SUFFIX = ".safetensors"
# The only key of the files' metadata: several would be written in random order.
_KEY = "amlc"
_SECONDS_PER_DAY = 86_400
_MAX_HEADER_BYTES = 100 * 2**20
# Files that this process wrote: another of its fits is no reason for a message.
_written: set[Path] = set()


def default_folder() -> Path:
    """Return the folder of checkpoints: in the one that `AMLC_STORE` names, else in the cache."""
    folder = os.environ.get("AMLC_STORE")
    if not folder:
        folder = platformdirs.user_cache_dir("amlc", appauthor=False, opinion=False)
    return Path(folder) / "checkpoints"


@dataclass(frozen=True)
class Progress:
    """How far a fit has come.

    Parameters
    ----------
    epoch, step : int
        Finished epochs, and finished steps of the next one.
    finished : bool
        Whether the fit is complete; the arrays are then only the weights and the curve.
    best : float or None
        The lowest SMAPE on the inner hold-out so far, if the fit stops early.
    best_epoch : int
        The number of epochs after which it was reached.
    """

    epoch: int
    step: int
    finished: bool = False
    best: float | None = None
    best_epoch: int = 0


class Checkpoint:
    """The checkpoint of one fit.

    Parameters
    ----------
    folder : Path
        The folder of all checkpoints.
    parts : mapping of str to str
        What the fit depends on, such as the hash of its data; any difference makes another
        checkpoint.
    settings : CheckpointSettings
        How often to write, how many to keep, and for how long.
    """

    def __init__(
        self, folder: Path, parts: Mapping[str, str], settings: CheckpointSettings
    ) -> None:
        self._parts = dict(sorted(parts.items()))
        self._settings = settings
        name = hashlib.sha256(json.dumps(self._parts).encode()).hexdigest()
        self.path = folder / f"{name}{_SUFFIX}"
        self._saved_at = time.monotonic()

    @property
    def is_due(self) -> bool:
        """Whether the last checkpoint of this process is older than the settings allow."""
        return time.monotonic() - self._saved_at >= self._settings.seconds

    def load(self) -> tuple[Arrays, Progress] | None:
        """Return arrays and progress of the checkpoint; None if there is none, or it is damaged."""
        if not self.path.exists():
            return None
        try:
            header = _header(self.path)
            arrays: Arrays = load_file(self.path)
            _check(arrays, header["sha256"])
            progress = Progress(**header["progress"])
        except (
            OSError,
            ValueError,
            TypeError,
            LookupError,
            struct.error,
            SafetensorError,
        ) as error:
            print(f"fusion: {self.path}: damaged, so the fit starts again: {error}")
            return None
        # It is in use: the oldest are removed first, as another process may just have done.
        with suppress(FileNotFoundError):
            os.utime(self.path)
        _written.add(self.path)
        return arrays, progress

    def save(self, arrays: Arrays, progress: Progress) -> None:
        """Write the checkpoint, atomically, and remove those that are too many or too old."""
        header = {
            "parts": self._parts,
            "progress": asdict(progress),
            "sha256": _digest(arrays),
        }
        with replacing(self.path) as temporary:
            save_file(dict(sorted(arrays.items())), temporary, metadata={_KEY: json.dumps(header)})
        _written.add(self.path)
        self._remove_old()
        self._saved_at = time.monotonic()

    def differences(self) -> list[str]:
        """Return what differs in the most similar checkpoint of an unfinished fit of another run.

        Returns
        -------
        list of str
            Names of parts; empty if there is no such checkpoint.
        """
        found: list[list[str]] = []
        for path in self._others():
            try:
                header = _header(path)
                parts, finished = header["parts"], header["progress"]["finished"]
            except (OSError, ValueError, TypeError, LookupError, struct.error):
                continue
            names = self._parts.keys() | parts.keys()
            if not finished:
                found.append(
                    sorted(name for name in names if parts.get(name) != self._parts.get(name))
                )
        return min(found, key=len, default=[])

    def _others(self) -> list[Path]:
        return sorted(path for path in self._present() if path not in _written)

    def _present(self) -> list[Path]:
        """Return all checkpoints, without those that a process is writing."""
        paths = self.path.parent.glob(f"*{_SUFFIX}")
        return [path for path in paths if path.name[0] != "."]

    def _remove_old(self) -> None:
        ages: list[tuple[float, Path]] = []
        for path in self._present():
            # Another process may remove it at the same time.
            try:
                ages.append((path.stat().st_mtime, path))
            except FileNotFoundError:
                continue
        ages.sort(reverse=True)
        oldest = time.time() - self._settings.days * _SECONDS_PER_DAY
        for index, (changed, path) in enumerate(ages):
            if path != self.path and (index >= self._settings.count or changed < oldest):
                path.unlink(missing_ok=True)


def _header(path: Path) -> dict[str, Any]:
    """Return what `Checkpoint.save` wrote to the start of a file."""
    with path.open("rb") as stream:
        (length,) = struct.unpack("<Q", stream.read(8))
        if length > _MAX_HEADER_BYTES:
            raise ValueError("not a safetensors file")
        header: dict[str, Any] = json.loads(json.loads(stream.read(length))["__metadata__"][_KEY])
    return header


def _check(arrays: Arrays, sha256: str) -> None:
    if _digest(arrays) != sha256:
        raise ValueError("its content has changed")


def _digest(arrays: Arrays) -> str:
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()
