"""The models by their names in params.yaml."""

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

from amlc.errors import ParamsError

if TYPE_CHECKING:
    # Importing this module must not import what the models need.
    from amlc.models.base import Regressor

# Each model's section below `train` in params.yaml, and its class, which only `regressor` imports.
MODELS = {
    "linear": "amlc.models.linear.LeastSquares",
    "ridge": "amlc.models.linear.RidgeRegression",
    "forest": "amlc.models.forest.RandomForest",
    "lightgbm": "amlc.models.lgbm.LightGBM",
    "xgboost": "amlc.models.xgb.XGBoost",
    "mlp": "amlc.models.mlp.regressor.SparseMLP",
    "fusion": "amlc.models.fusion.regressor.Fusion",
}


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
    return Path(*module.split(".")).with_suffix(".py")


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
