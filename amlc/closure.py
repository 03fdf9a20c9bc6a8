"""Which of the project's modules a script reaches, read from its source."""

import ast
import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

PACKAGES = ("amlc", "stages")


def module_of(path: Path) -> str:
    """Return the dotted name of a file given relative to the root."""
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


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
