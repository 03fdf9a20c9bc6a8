"""The models by their names in params.yaml: each class in this package that has a `name`."""

import importlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

from amlc.errors import ModelError, ParamsError

if TYPE_CHECKING:
    # Importing this module must not import what the models need.
    from amlc.models.base import Regressor

# A class, or the name of the class above it.
_CLASS_OR_NAME = re.compile(rb'^class (\w+)|^    name = "(\w+)"$', re.MULTILINE)


def find_models(folder: Path) -> dict[str, str]:
    """Find the models below a folder, without importing them.

    A model is a class with a line ``name = "..."``. Source code is read, not parsed, so that a
    module that is not valid Python stops only the stages that run it.

    Parameters
    ----------
    folder : Path
        The folder of the package ``amlc.models``.

    Returns
    -------
    dict of str to str
        Module and class by name, in alphabetical order, such as ``amlc.models.lgbm.LightGBM``.

    Raises
    ------
    ModelError
        Two classes have the same name.
    """
    models: dict[str, str] = {}
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder).with_suffix("").parts
        module = ".".join(["amlc.models", *(part for part in parts if part != "__init__")])
        class_name = ""
        for match in _CLASS_OR_NAME.finditer(path.read_bytes()):
            if match[1]:
                class_name = match[1].decode()
                continue
            name, found = match[2].decode(), f"{module}.{class_name}"
            if name in models:
                raise ModelError(f"two models are named {name!r}: {models[name]} and {found}")
            models[name] = found
    return dict(sorted(models.items()))


MODELS = find_models(Path(__file__).parent)


def regressor(name: str) -> "type[Regressor]":
    """Import and return the class of a model.

    Raises
    ------
    ParamsError
        No model has this name.
    """
    if name not in MODELS:
        raise ParamsError(f"no model {name!r}; models: {', '.join(MODELS)}")
    module, _, class_name = MODELS[name].rpartition(".")
    model: type[Regressor] = getattr(importlib.import_module(module), class_name)
    return model


def module_path(name: str) -> Path:
    """Return the file that a model's class is defined in, relative to the repository's root."""
    module, _, _ = MODELS[name].rpartition(".")
    path = Path(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def members(names: object) -> list[str]:
    """Check the list of the models that run, the members of the blend, and return it.

    Parameters
    ----------
    names : object
        The value of `models` in params.yaml.

    Raises
    ------
    ParamsError
        It is not a list of different models' names.
    """
    if not isinstance(names, list) or not names or len(set(map(str, names))) < len(names):
        raise ParamsError(f"models: expected a list of different names, got {names!r}")
    unknown = [str(name) for name in names if name not in list(MODELS)]
    if unknown:
        raise ParamsError(f"models: unknown {', '.join(unknown)}; models: {', '.join(MODELS)}")
    return [str(name) for name in names]
