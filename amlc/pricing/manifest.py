"""The manifest of a bundle: its files with their hashes, and the checks before it is used."""

import hashlib
import importlib.metadata
import logging
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel, ValidationError

from amlc import __version__
from amlc.errors import ModelError, first_few
from amlc.files import write_json

MANIFEST = "manifest.json"
# Incremented whenever the layout of a bundle changes.
FORMAT = 9
# Distributions that read the files of a bundle or compute prices; their versions are recorded.
LIBRARIES = (
    "lightgbm",
    "numpy",
    "pandas",
    "pillow",
    "pyarrow",
    "scipy",
    "xgboost-cpu",
    "xgboost",
)
# The same for a bundle with pretrained weights.
_DEEP = ("safetensors", "tokenizers", "torch", "transformers")
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


class _File(BaseModel):
    bytes: int
    sha256: str


class _Manifest(BaseModel):
    """The content of a manifest; that of another version may have other keys as well."""

    format: int
    amlc: str | None = None
    libraries: dict[str, str]
    files: dict[str, _File]


def write_manifest(folder: Path) -> None:
    """List every file of a finished bundle, with its size and SHA-256."""
    names = sorted(_files(folder))
    with ThreadPoolExecutor(_threads()) as pool:
        files = dict(
            zip(names, pool.map(lambda name: _describe(folder / name), names), strict=True)
        )
    deep = _DEEP if any(name.endswith(".safetensors") for name in names) else ()
    libraries = versions((*LIBRARIES, *deep))
    manifest = _Manifest(format=FORMAT, amlc=__version__, libraries=libraries, files=files)
    write_json(folder / MANIFEST, manifest.model_dump())


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
    raw = _read(folder / MANIFEST)
    manifest = _parsed(folder, raw)
    _check_libraries(folder, manifest)
    _check_names(folder, set(manifest.files))
    with ThreadPoolExecutor(_threads()) as pool:
        # The largest first, so that no thread is left with it at the end.
        order = sorted(manifest.files, key=lambda name: -manifest.files[name].bytes)
        checks = {
            name: pool.submit(_is_unchanged, folder / name, manifest.files[name]) for name in order
        }
        yield hashlib.sha256(raw).hexdigest()[:12]
        try:
            broken = sorted(name for name, unchanged in checks.items() if not unchanged.result())
        except OSError as error:
            raise ModelError(f"{error.filename}: cannot be read: {error.strerror}") from None
    if broken:
        raise ModelError(f"{folder}: changed or damaged files: {first_few(broken)}: {_REMEDY}")


def check_format(folder: Path) -> None:
    """Check that a bundle was made by this version, without reading its files.

    Raises
    ------
    ModelError
        The folder is not a bundle, or was made by another version.
    """
    _parsed(folder, _read(folder / MANIFEST))


def _parsed(folder: Path, raw: bytes) -> _Manifest:
    try:
        manifest = _Manifest.model_validate_json(raw, strict=True)
    except ValidationError:
        raise ModelError(f"{folder / MANIFEST}: not a manifest; {_REMEDY}") from None
    if (manifest.format, manifest.amlc) != (FORMAT, __version__):
        raise ModelError(
            f"{folder}: made by amlc {manifest.amlc}, format {manifest.format}; this is "
            f"amlc {__version__}, format {FORMAT}: {_REMEDY}"
        )
    return manifest


def _read(path: Path) -> bytes:
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


def _check_libraries(folder: Path, manifest: _Manifest) -> None:
    made = manifest.libraries
    here = versions({*LIBRARIES, *made})
    different = [name for name in sorted({*made, *here}) if made.get(name) != here.get(name)]
    listed = ", ".join(f"{name} {made.get(name)} (here {here.get(name)})" for name in different)
    if _majors(made) != _majors(here):
        raise ModelError(f"{folder}: made with {listed}; install those, or {_REMEDY}")
    if different:
        _LOG.warning("%s: made with %s; prices may differ in their last digits", folder, listed)


def _majors(libraries: dict[str, str]) -> dict[str, str]:
    """Return the major versions of the libraries that read model files."""
    return {
        # XGBoost comes in two builds that read the same files.
        name.removesuffix("-cpu"): version.partition(".")[0]
        for name, version in libraries.items()
        if name in MODEL_LIBRARIES
    }


def _check_names(folder: Path, expected: set[str]) -> None:
    present = set(_files(folder)) - {MANIFEST}
    links = sorted(name for name in present if (folder / name).is_symlink())
    if links:
        raise ModelError(
            f"{folder}: holds links: {first_few(links)}; copy the files themselves, with DVC: "
            "dvc config --local cache.type reflink,hardlink,copy && dvc checkout --relink"
        )
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


def _describe(path: Path) -> _File:
    with path.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    return _File(bytes=path.stat().st_size, sha256=sha256)


def _is_unchanged(path: Path, entry: _File) -> bool:
    """Return whether a file is what the manifest says; its size is compared first."""
    return path.stat().st_size == entry.bytes and _describe(path) == entry


def _threads() -> int:
    return min(os.cpu_count() or 1, 8)
