"""Which of the project's modules a script reaches, read from its source."""

import ast
from collections.abc import Iterable
from pathlib import Path

PACKAGES = ("amlc", "stages")


def module_of(path: Path) -> str:
    """Return the dotted name of a file given relative to the root."""
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(path: Path) -> set[str]:
    """Return the project's modules that a file imports, at its top or inside a function."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            # `from amlc import params` imports a module, `from amlc.params import load` a name.
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return {name for name in found if name.split(".")[0] in PACKAGES and _file(path, name)}


def reached(root: Path, scripts: Iterable[Path]) -> set[Path]:
    """Return the files that some scripts reach, the scripts and packages included."""
    waiting = [root / script for script in scripts]
    seen: set[Path] = set()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        for name in imported(path):
            waiting.extend(_files(root, name))
    seen.update(root / script.parent / "__init__.py" for script in scripts)
    return {path.relative_to(root) for path in seen}


def _files(root: Path, module: str) -> list[Path]:
    """Return the module's file and the packages that importing it runs."""
    parts = module.split(".")
    packages = [root.joinpath(*parts[:depth], "__init__.py") for depth in range(1, len(parts) + 1)]
    found = [path for path in packages if path.exists()]
    plain = root.joinpath(*parts).with_suffix(".py")
    return [*found, plain] if plain.exists() else found


def _file(path: Path, module: str) -> bool:
    root = next(parent for parent in path.parents if (parent / "pyproject.toml").exists())
    parts = module.split(".")
    return root.joinpath(*parts).with_suffix(".py").exists() or root.joinpath(*parts).is_dir()
