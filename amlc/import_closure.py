"""The files that each stage imports, directly or indirectly: if one changes, the stage reruns."""

import ast
import hashlib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

import yaml

from amlc.errors import CheckError, first_few
from amlc.files import replacing_folder, write_text

# Imports of other packages are not followed.
PACKAGES = ("amlc", "stages")


def write_code_lists(root: Path, folder: Path, models: Mapping[str, Path]) -> int:
    """Write, for each script in ``stages``, a list of the files that it imports with their hashes.

    Parameters
    ----------
    root : Path
        The folder that holds `PACKAGES` and dvc.yaml.
    folder : Path
        The folder of the lists, relative to the root; it is replaced as a whole.
    models : mapping of str to Path
        The module of each model. ``train`` imports its model's module by name, so it has one list
        for each model.

    Returns
    -------
    int
        The number of lists.

    Raises
    ------
    CheckError
        A stage imports a file that the stage ``code`` does not depend on, so that DVC would not
        notice when it is edited.
    """
    scripts = {
        path.stem: [path.relative_to(root)] for path in sorted((root / "stages").glob("*.py"))
    }
    del scripts["__init__"]
    train = scripts.pop("train")
    scripts |= {f"train.{name}": [*train, module] for name, module in models.items()}
    files = {name: imported_files(root, paths) for name, paths in scripts.items()}
    stages = yaml.safe_load((root / "dvc.yaml").read_bytes())["stages"]
    watched = {Path(path) for path in stages["code"]["deps"]}
    imported = sorted(set().union(*files.values()))
    missing = [str(path) for path in imported if watched.isdisjoint({path, *path.parents})]
    if missing:
        raise CheckError(
            f"dvc.yaml: add to the dependencies of the stage code: {first_few(missing)}"
        )
    with replacing_folder(root / folder) as temporary:
        for name, paths in files.items():
            write_text(temporary / f"{name}.txt", checksums(root, paths))
    return len(files)


def imported_files(root: Path, scripts: Iterable[Path]) -> set[Path]:
    """Return the files that scripts import, directly or indirectly.

    Parameters
    ----------
    root : Path
        The folder that holds `PACKAGES`.
    scripts : iterable of Path
        Relative to the root.

    Returns
    -------
    set of Path
        Relative to the root; with the scripts and the ``__init__.py`` of each package.
    """
    pending = [path for script in scripts for path in (script, script.parent / "__init__.py")]
    files: set[Path] = set()
    while pending:
        path = pending.pop()
        if path not in files:
            files.add(path)
            for name in _imported_names((root / path).read_bytes()):
                pending.extend(_files_of_module(root, name))
    return files


def checksums(root: Path, paths: Iterable[Path]) -> str:
    """Return lines of SHA-256 and path in the format of `sha256sum --check`."""
    return "".join(f"{_sha256(root / path)}  {path.as_posix()}\n" for path in sorted(paths))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@cache
def _imported_names(source: bytes) -> frozenset[str]:
    """Return what a file imports, at its top or inside a function, that may be in `PACKAGES`."""
    names: set[str] = set()
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        # Only the stages that run the file fail; listing the code does not.
        return frozenset()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            # What follows `import` is a module in `from amlc import params`, but a function in
            # `from amlc.params import load`.
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return frozenset(name for name in names if name.split(".")[0] in PACKAGES)


def _files_of_module(root: Path, module: str) -> list[Path]:
    """Return the file of a module, if there is one, and those of the packages that contain it."""
    parts = module.split(".")
    packages = [Path(*parts[:depth], "__init__.py") for depth in range(1, len(parts) + 1)]
    file = Path(*parts).with_suffix(".py")
    return [path for path in (*packages, file) if (root / path).exists()]
