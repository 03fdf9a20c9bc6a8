"""The manifest of a bundle: its files with their hashes, and the checks before it is used."""

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

from amlc import __version__
from amlc.errors import ModelError, first_few
from amlc.files import write_json

MANIFEST = "manifest.json"
# Incremented whenever the layout of a bundle changes.
FORMAT = 5
# Distributions that read the files of a bundle or compute prices; their versions are recorded.
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
# Another major version of these may read the same model file differently.
MODEL_LIBRARIES = frozenset({"lightgbm", "xgboost-cpu", "xgboost"})
_MAX_BYTES = 2**20  # of the manifest
_REMEDY = "make it again with dvc repro bundle, or fetch it with dvc pull"
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
            name: {"bytes": (folder / name).stat().st_size, "sha256": sha256}
            for name, sha256 in zip(names, hashes, strict=True)
        }
    content = {"format": FORMAT, "amlc": __version__, "libraries": versions(), "files": files}
    write_json(folder / MANIFEST, content)


@contextmanager
def verified(folder: Path) -> Iterator[str]:
    """Check a bundle while the block runs; the block must not read the bundle.

    Hashing releases Python's lock, so the block can import the libraries that loading needs.

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
        The folder is not a bundle, was made by another version, or a file is missing, unexpected,
        a link or changed; raised before the block or at its end.
    """
    raw = _read(folder)
    manifest = _parsed(folder, raw)
    _check_versions(folder, manifest)
    files: dict[str, dict[str, Any]] = manifest["files"]
    _check_names(folder, set(files))
    with ThreadPoolExecutor(_threads()) as pool:
        # The largest first, so that no thread is left with it at the end.
        order = sorted(files, key=lambda name: -files[name]["bytes"])
        checks = {name: pool.submit(_unchanged, folder / name, files[name]) for name in order}
        yield hashlib.sha256(raw).hexdigest()[:12]
        _check_hashes(folder, checks)


def _read(folder: Path) -> bytes:
    path = folder / MANIFEST
    try:
        with path.open("rb") as stream:
            raw = stream.read(_MAX_BYTES + 1)
    except OSError as error:
        raise ModelError(
            f"{path}: {error.strerror}; make the bundle with dvc repro bundle, or name its folder"
        ) from None
    if len(raw) > _MAX_BYTES:
        raise ModelError(f"{path}: longer than {_MAX_BYTES:,} bytes: not a manifest")
    return raw


def _parsed(folder: Path, raw: bytes) -> dict[str, Any]:
    """Return the manifest, its types checked."""
    try:
        content: dict[str, Any] = json.loads(raw)
        valid = isinstance(content["format"], int) and all(
            isinstance(entry["bytes"], int) and isinstance(entry["sha256"], str)
            for entry in content["files"].values()
        )
        dict(content["libraries"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        valid = False
    if not valid:
        raise ModelError(f"{folder / MANIFEST}: not a manifest; {_REMEDY}")
    return content


def _check_versions(folder: Path, manifest: dict[str, Any]) -> None:
    if manifest["format"] != FORMAT or manifest.get("amlc") != __version__:
        raise ModelError(
            f"{folder}: made by amlc {manifest.get('amlc')}, format {manifest['format']}; this is "
            f"amlc {__version__}, format {FORMAT}: {_REMEDY}"
        )
    here = versions()
    made: dict[str, str] = manifest["libraries"]
    different = [name for name in sorted({*made, *here}) if made.get(name) != here.get(name)]
    listed = ", ".join(f"{name} {made.get(name)} (here {here.get(name)})" for name in different)
    if any(name in MODEL_LIBRARIES and not _same_major(name, made, here) for name in different):
        raise ModelError(f"{folder}: made with {listed}; install those, or {_REMEDY}")
    if different:
        _LOG.warning("%s: made with %s; prices may differ in their last digits", folder, listed)


def _same_major(name: str, made: dict[str, str], here: dict[str, str]) -> bool:
    # XGBoost comes in two builds that read the same files.
    builds = [name] if name == "lightgbm" else ["xgboost-cpu", "xgboost"]
    majors = [
        {str(libraries[build]).split(".")[0] for build in builds if build in libraries}
        for libraries in (made, here)
    ]
    return majors[0] == majors[1]


def _check_names(folder: Path, expected: set[str]) -> None:
    links = [name for name in _files(folder) if (folder / name).is_symlink()]
    if links:
        raise ModelError(
            f"{folder}: holds links: {first_few(links)}; copy the files themselves, with DVC: "
            "dvc config --local cache.type reflink,hardlink,copy && dvc checkout --relink"
        )
    present = set(_files(folder)) - {MANIFEST}
    differences = [
        f"{kind} files: {first_few(sorted(names))}"
        for kind, names in (("missing", expected - present), ("additional", present - expected))
        if names
    ]
    if differences:
        raise ModelError(f"{folder}: {'; '.join(differences)}: {_REMEDY}")


def _files(folder: Path) -> Iterator[str]:
    """Yield the files and links of a folder as the manifest names them, following no link."""
    for place, folders, names in os.walk(folder):
        links = [name for name in folders if (Path(place) / name).is_symlink()]
        for name in (*names, *links):
            yield (Path(place) / name).relative_to(folder).as_posix()


def _unchanged(path: Path, entry: dict[str, Any]) -> bool:
    """Return whether a file is what the manifest says; its size is compared first."""
    return path.stat().st_size == entry["bytes"] and bool(_sha256(path) == entry["sha256"])


def _check_hashes(folder: Path, checks: dict[str, Future[bool]]) -> None:
    try:
        broken = sorted(name for name, unchanged in checks.items() if not unchanged.result())
    except OSError as error:
        raise ModelError(f"{error.filename}: cannot be read: {error.strerror}") from None
    if broken:
        raise ModelError(f"{folder}: changed or damaged files: {first_few(broken)}: {_REMEDY}")


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _threads() -> int:
    return min(os.cpu_count() or 1, 8)
