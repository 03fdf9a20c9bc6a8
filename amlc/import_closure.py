"""Which of the project's modules each stage reaches: a stage reruns when one of them changes."""

import ast
import hashlib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

import yaml

from amlc.errors import CheckError, first_few
from amlc.files import replacing_folder, write_text

PACKAGES = ("amlc", "stages")


def imported(root: Path, path: Path) -> set[str]:
    """Return the project's modules that a file imports, at its top or inside a function.

    A file that is no Python imports nothing: who reaches it fails by itself, and nobody else.
    """
    return {name for name in _named((root / path).read_bytes()) if _exists(root, name)}


@cache
def _named(source: bytes) -> frozenset[str]:
    """Return whatever in a source may be one of the project's modules."""
    found: set[str] = set()
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return frozenset()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            # `from amlc import params` imports a module, `from amlc.params import load` a name.
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return frozenset(name for name in found if name.split(".")[0] in PACKAGES)


def reached(root: Path, scripts: Iterable[Path]) -> set[Path]:
    """Return the files that some scripts reach, the scripts and packages included.

    Parameters
    ----------
    root : Path
        Holds `PACKAGES`.
    scripts : iterable of Path
        Relative to the root, as what is returned.
    """
    waiting = [path for script in scripts for path in (script, script.parent / "__init__.py")]
    seen: set[Path] = set()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        for name in imported(root, path):
            waiting.extend(_files(root, name))
    return seen


def write_lists(root: Path, folder: Path, models: Mapping[str, Path]) -> int:
    """Write, for each script in ``stages``, a list of the files that it reaches with their hashes.

    Parameters
    ----------
    root : Path
        Holds `PACKAGES` and dvc.yaml.
    folder : Path
        Where to, relative to the root; replaced as a whole.
    models : mapping of str to Path
        The module of each model: ``train`` imports its model's module by name, so that it gets one
        list for each model.

    Returns
    -------
    int
        The number of lists.

    Raises
    ------
    CheckError
        A stage reaches a file that the stage ``code`` does not depend on: DVC would not notice
        its edits.
    """
    scripts = {
        path.stem: [path.relative_to(root)] for path in sorted((root / "stages").glob("*.py"))
    }
    del scripts["__init__"]
    train = scripts.pop("train")
    scripts |= {f"train.{name}": [*train, module] for name, module in models.items()}
    found = {name: reached(root, paths) for name, paths in scripts.items()}
    _check_watched(root, set().union(*found.values()))
    with replacing_folder(root / folder) as temporary:
        for name, modules in found.items():
            write_text(temporary / f"{name}.txt", listing(root, modules))
    return len(found)


def _check_watched(root: Path, modules: Iterable[Path]) -> None:
    stages = yaml.safe_load((root / "dvc.yaml").read_bytes())["stages"]
    watched = {Path(path) for path in stages["code"]["deps"]}
    missed = sorted(
        path.as_posix() for path in modules if watched.isdisjoint({path, *path.parents})
    )
    if missed:
        raise CheckError(
            f"dvc.yaml: add to the dependencies of the stage code: {first_few(missed)}"
        )


def listing(root: Path, modules: Iterable[Path]) -> str:
    """Return path and SHA-256 of files, a line each, as `sha256sum --check` reads them."""
    lines = [
        f"{hashlib.sha256((root / path).read_bytes()).hexdigest()}  {path.as_posix()}\n"
        for path in sorted(modules)
    ]
    return "".join(lines)


def _files(root: Path, module: str) -> list[Path]:
    """Return the module's file and the packages that importing it runs."""
    parts = module.split(".")
    packages = [Path(*parts[:depth], "__init__.py") for depth in range(1, len(parts) + 1)]
    plain = Path(*parts).with_suffix(".py")
    return [path for path in (*packages, plain) if (root / path).exists()]


def _exists(root: Path, module: str) -> bool:
    place = root.joinpath(*module.split("."))
    return place.with_suffix(".py").exists() or place.is_dir()
