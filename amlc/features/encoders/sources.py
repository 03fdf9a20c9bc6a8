"""Where the weights of an encoder are: a local path, the hub's cache, or the hub."""

import hashlib
import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amlc.errors import MissingExtraError, ModelError, first_few

EXTRA = "deep"
# What loading may read of a model; the weights are asked for after it.
_SMALL_FILES = ("*.json", "*.txt", "*.model")
_SAFETENSORS, _PICKLES = ("*.safetensors",), ("pytorch_model*.bin",)
_STATE_DICTS = (".safetensors", ".pth", ".pt", ".bin")
_MAX_JSON_BYTES = 32 * 2**20
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class Source:
    """The files of a model on this machine.

    Parameters
    ----------
    path : Path
        Its folder, or the file of a bare state dict.
    revision : str or None
        The commit on the hub; None for a local path.
    """

    path: Path
    revision: str | None

    def weights(self) -> list[Path]:
        """Return the files with weights that loading reads, sorted.

        Raises
        ------
        ModelError
            There is none.
        """
        if self.path.is_file():
            return [self.path]
        for pattern in (*_SAFETENSORS, *_PICKLES):
            # sentence-transformers may keep the model in a folder below.
            if found := sorted([*self.path.glob(pattern), *self.path.glob(f"*/{pattern}")]):
                return found
        raise ModelError(f"{self.path}: holds no weights: expected model.safetensors")

    def files(self) -> list[Path]:
        """Return all files that loading may read, sorted."""
        if self.path.is_file():
            return [self.path]
        patterns = [f"{folder}{name}" for folder in ("", "*/") for name in _SMALL_FILES]
        small = {path for pattern in patterns for path in self.path.glob(pattern)}
        return sorted({path for path in small if path.is_file()} | set(self.weights()))

    def sha256(self) -> str:
        """Return one SHA-256 of the model: that of its only file with weights, or of all of them.

        Returns
        -------
        str
            64 hexadecimal digits.
        """
        digests = [file_sha256(path) for path in self.weights()]
        if len(digests) == 1:
            return digests[0]
        return hashlib.sha256("\n".join(digests).encode()).hexdigest()

    def fingerprint(self) -> str:
        """Return the SHA-256 of the names and contents of all files that loading may read."""
        root = self.path.parent if self.path.is_file() else self.path
        lines = (f"{file_sha256(path)}  {path.relative_to(root)}\n" for path in self.files())
        return hashlib.sha256("".join(lines).encode()).hexdigest()


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal digits."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}") from None


def find_source(model: str, revision: str | None) -> Source:
    """Find the files of a model; the network is asked only if they are not on this machine.

    Parameters
    ----------
    model : str
        A folder, the file of a state dict, or a name on the Hugging Face hub.
    revision : str, optional
        A branch, a tag or a commit on the hub.

    Raises
    ------
    MissingExtraError
        The model is on the hub, and the extra `deep` is not installed.
    ModelError
        There is no such folder or file, or the hub cannot be reached or has no such model.
    """
    path = Path(os.path.expanduser(model))  # noqa: PTH111 - pathlib raises where there is no such user
    if path.is_dir() or (path.is_file() and path.suffix in _STATE_DICTS):
        if revision is not None:
            raise ModelError(f"{model}: a local path has no revision: set revision to null")
        return Source(path, None)
    if path.exists():
        raise ModelError(f"{model}: expected a folder or a file named *{' *'.join(_STATE_DICTS)}")
    if path.is_absolute() or model.startswith((".", "~")) or model.count("/") > 1:
        raise ModelError(f"{model}: no such file or folder")
    return _from_hub(model, revision)


def _from_hub(model: str, revision: str | None) -> Source:
    try:
        import huggingface_hub as hub  # noqa: PLC0415 - may not be installed
    except ModuleNotFoundError:
        raise MissingExtraError(f"the encoder {model}", EXTRA) from None
    errors = (hub.errors.HfHubHTTPError, OSError, ValueError)
    try:
        return _snapshot(hub, model, revision, _SMALL_FILES + _SAFETENSORS + _PICKLES, cached=True)
    except (*errors, ModelError):
        # Not in the cache, or without its weights.
        pass
    try:
        try:
            return _snapshot(hub, model, revision, _SMALL_FILES + _SAFETENSORS, cached=False)
        except ModelError:
            return _snapshot(hub, model, revision, _SMALL_FILES + _PICKLES, cached=False)
    except errors as error:
        reason = first_few(str(error).splitlines() or [type(error).__name__], count=1)
        raise ModelError(
            f"{model}: neither a folder here nor in the hub's cache, and it cannot be fetched from "
            f"the hub: {reason}; set model to a local folder, or fetch it once with: hf download "
            f"{model}"
        ) from None


def _snapshot(
    hub: Any, model: str, revision: str | None, patterns: Iterable[str], *, cached: bool
) -> Source:
    """Return the hub's folder of a model with its weights."""
    patterns = [f"{folder}{pattern}" for folder in ("", "*/") for pattern in patterns]
    folder = hub.snapshot_download(
        model, revision=revision, allow_patterns=patterns, local_files_only=cached
    )
    # The hub's cache names a snapshot's folder after its commit.
    path = Path(folder)
    source = Source(path, path.name if _COMMIT.fullmatch(path.name) else revision)
    source.weights()
    return source


def read_model_json(path: Path) -> Any:
    """Read a JSON file of a model; None if it is missing.

    Raises
    ------
    ModelError
        It is too long, or not JSON.
    """
    try:
        with path.open("rb") as stream:
            raw = stream.read(_MAX_JSON_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}") from None
    if len(raw) > _MAX_JSON_BYTES:
        raise ModelError(f"{path}: longer than {_MAX_JSON_BYTES:,} bytes")
    try:
        return json.loads(raw)
    except ValueError as error:
        raise ModelError(f"{path}: not JSON: {error}") from None
