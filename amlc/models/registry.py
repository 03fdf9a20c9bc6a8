"""The models by the names that params.yaml calls them."""

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

from amlc.errors import ParamsError

if TYPE_CHECKING:
    # What only asks for names stays free of what models import.
    from amlc.models.base import Regressor

# The name of each model's section below `train` in params.yaml, and its class, whose module and
# libraries are imported only when the model is asked for.
MODELS = {
    "linear": "amlc.models.linear.LeastSquares",
    "ridge": "amlc.models.linear.RidgeRegression",
    "forest": "amlc.models.forest.RandomForest",
    "lightgbm": "amlc.models.lgbm.LightGBM",
    "xgboost": "amlc.models.xgb.XGBoost",
    "mlp": "amlc.models.mlp.regressor.SparseMLP",
}


def regressor(name: str) -> "type[Regressor]":
    """Return the class of a model, importing its module and the libraries that it needs only now.

    Raises
    ------
    ParamsError
        No model has this name.
    """
    if name not in MODELS:
        raise ParamsError(f"no model {name!r}; models: {', '.join(MODELS)}")
    module, _, class_name = MODELS[name].rpartition(".")
    found: type[Regressor] = getattr(importlib.import_module(module), class_name)
    return found


def module_path(name: str) -> Path:
    """Return the file that a model's class is defined in, relative to the repository's root."""
    module, _, _ = MODELS[name].rpartition(".")
    return Path(*module.split(".")).with_suffix(".py")


def members(found: object) -> list[str]:
    """Return the list `models` of params.yaml, checked.

    Raises
    ------
    ParamsError
        It is no list of different models' names.
    """
    if not isinstance(found, list) or not found or len(set(map(str, found))) < len(found):
        raise ParamsError(f"models: expected a list of different names, got {found!r}")
    unknown = [str(name) for name in found if name not in list(MODELS)]
    if unknown:
        raise ParamsError(f"models: unknown {', '.join(unknown)}; models: {', '.join(MODELS)}")
    return [str(name) for name in found]
