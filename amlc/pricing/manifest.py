"""The list of a bundle's files with their hashes, and whether a bundle may be used."""

import hashlib
import importlib.metadata
import json
import logging
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from amlc.errors import ModelError, first_few
from amlc.files import write_json

MANIFEST = "manifest.json"
# Raised whenever a bundle's layout changes.
FORMAT = 4
# The version of amlc; pyproject.toml says the same.
AMLC = "0.1.0"
# Libraries that read the bundle's files or compute prices, by the name of their distribution.
LIBRARIES = (
    "lightgbm",
    "numpy",
    "pandas",
    "pillow",
    "pyarrow",
    "scikit-learn",
    "scipy",
    "xgboost-cpu",
    "xgboost",
)
# These read model files in formats of their own: another major version may read something else.
READERS = frozenset({"lightgbm", "xgboost-cpu", "xgboost"})
_LONGEST_MANIFEST = 2**20  # bytes
_LOG = logging.getLogger(__name__)


def versions(libraries: Iterable[str] = LIBRARIES) -> dict[str, str]:
    """Return the versions of those libraries that are installed, by distribution."""
    installed = {}
    for name in libraries:
        try:
            installed[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return installed


def write_manifest(folder: Path) -> None:
    """List every file of a finished bundle, with its size and SHA-256."""
    names = sorted(_files(folder))
    with ThreadPoolExecutor(_threads()) as pool:
        hashes = pool.map(lambda name: _sha256(folder / name), names)
        files = {
            name: {"bytes": (folder / name).stat().st_size, "sha256": found}
            for name, found in zip(names, hashes, strict=True)
        }
    content = {"format": FORMAT, "amlc": AMLC, "libraries": versions(), "files": files}
    write_json(folder / MANIFEST, content)


@contextmanager
def verified(folder: Path) -> Iterator[str]:
    """Check a bundle; what the block does meanwhile must not read it.

    Hashing leaves the interpreter free, so the block can import what is needed afterwards.

    Parameters
    ----------
    folder : Path
        The bundle.

    Yields
    ------
    str
        The model's version: the first 12 hexadecimal digits of the manifest's SHA-256.

    Raises
    ------
    ModelError
        When the block ends, or before: it is no bundle, was made by another version, or a file is
        missing, additional, a link or not what it was.
    """
    raw = _read(folder)
    manifest = _parsed(folder, raw)
    _check_versions(folder, manifest)
    files: dict[str, dict[str, Any]] = manifest["files"]
    _check_names(folder, set(files))
    with ThreadPoolExecutor(_threads()) as pool:
        # The largest first, so that no thread is left with it alone.
        order = sorted(files, key=lambda name: -files[name]["bytes"])
        hashes = {name: pool.submit(_checked, folder / name, files[name]) for name in order}
        yield hashlib.sha256(raw).hexdigest()[:12]
        _check_hashes(folder, hashes)


def _read(folder: Path) -> bytes:
    path = folder / MANIFEST
    try:
        with path.open("rb") as stream:
            raw = stream.read(_LONGEST_MANIFEST + 1)
    except OSError as error:
        raise ModelError(
            f"{path}: {error.strerror}; make the bundle with dvc repro bundle, or name its folder"
        ) from None
    if len(raw) > _LONGEST_MANIFEST:
        raise ModelError(f"{path}: longer than {_LONGEST_MANIFEST:,} bytes: no manifest")
    return raw


def _parsed(folder: Path, raw: bytes) -> dict[str, Any]:
    """Return the manifest, its types checked."""
    try:
        content = json.loads(raw)
        fine = isinstance(content["format"], int) and all(
            isinstance(entry["bytes"], int) and isinstance(entry["sha256"], str)
            for entry in content["files"].values()
        )
        dict(content["libraries"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        fine = False
    if not fine:
        raise ModelError(f"{folder / MANIFEST}: is no manifest; {_REMEDY}")
    found: dict[str, Any] = content
    return found


def _check_versions(folder: Path, manifest: dict[str, Any]) -> None:
    if manifest["format"] != FORMAT or manifest.get("amlc") != AMLC:
        raise ModelError(
            f"{folder}: made by amlc {manifest.get('amlc')}, format {manifest['format']}; this is "
            f"amlc {AMLC}, format {FORMAT}: {_REMEDY}"
        )
    here = versions()
    made: dict[str, str] = manifest["libraries"]
    other = [name for name in sorted({*made, *here}) if made.get(name) != here.get(name)]
    told = [f"{name} {made.get(name)} (here {here.get(name)})" for name in other]
    refused = [name for name in other if name in READERS and not _same_major(name, made, here)]
    if refused:
        raise ModelError(f"{folder}: made with {', '.join(told)}; install those, or {_REMEDY}")
    if told:
        _LOG.warning(
            "%s: made with %s; prices may differ in their last digits", folder, ", ".join(told)
        )


def _same_major(name: str, made: dict[str, str], here: dict[str, str]) -> bool:
    # XGBoost comes in two builds that read the same files.
    both = [name] if name == "lightgbm" else ["xgboost-cpu", "xgboost"]
    found = [{str(some[one]).split(".")[0] for one in both if one in some} for some in (made, here)]
    return found[0] == found[1]


def _check_names(folder: Path, expected: set[str]) -> None:
    links = [name for name in _files(folder) if (folder / name).is_symlink()]
    if links:
        raise ModelError(
            f"{folder}: holds links: {first_few(links)}; copy the files themselves, with DVC: "
            "dvc config --local cache.type reflink,hardlink,copy && dvc checkout --relink"
        )
    found = set(_files(folder)) - {MANIFEST}
    faults = [
        f"{what} files: {first_few(sorted(names))}"
        for what, names in (("missing", expected - found), ("additional", found - expected))
        if names
    ]
    if faults:
        raise ModelError(f"{folder}: {'; '.join(faults)}: {_REMEDY}")


def _files(folder: Path) -> Iterator[str]:
    """Yield what is in a folder and is no folder, as the manifest names it; no link is followed."""
    for place, folders, names in os.walk(folder):
        links = [name for name in folders if (Path(place) / name).is_symlink()]
        for name in (*names, *links):
            yield (Path(place) / name).relative_to(folder).as_posix()


def _checked(path: Path, entry: dict[str, Any]) -> bool:
    """Return whether a file is what the manifest says; its size tells at once."""
    return path.stat().st_size == entry["bytes"] and bool(_sha256(path) == entry["sha256"])


def _check_hashes(folder: Path, hashes: dict[str, Future[bool]]) -> None:
    try:
        broken = sorted(name for name, fine in hashes.items() if not fine.result())
    except OSError as error:
        raise ModelError(f"{error.filename}: cannot be read: {error.strerror}") from None
    if broken:
        raise ModelError(f"{folder}: changed or damaged files: {first_few(broken)}: {_REMEDY}")


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _threads() -> int:
    return min(os.cpu_count() or 1, 8)


_REMEDY = "make it again with dvc repro bundle, or fetch it with dvc pull"
