"""The values that a search may try for each parameter: section `search` of params.yaml."""

import json
from typing import Annotated, Any, Self

from pydantic import Discriminator, Field, Tag, model_validator

from amlc.errors import ParamsError
from amlc.models.base import ModelSettings
from amlc.models.registry import regressor
from amlc.params import PATH, Settings, check

# Floats are rounded to this many digits, so that the printed value is the one that was tried.
DIGITS = 4
# Python writes smaller floats as 1e-05, which PyYAML reads as text.
SMALLEST_FLOAT = 1e-4


class NumberRange(Settings):
    """Numbers from `low` to `high`, both included; whole numbers if both ends are whole."""

    low: int | float
    high: int | float
    log: bool

    @model_validator(mode="after")
    def _ends(self) -> Self:
        if type(self.low) is not type(self.high):
            raise ValueError("expected low and high to be both whole or both with a decimal point")
        if not self.low < self.high:
            raise ValueError("expected low below high")
        if isinstance(self.low, float) and self.low < SMALLEST_FLOAT:
            raise ValueError(f"expected low of {SMALLEST_FLOAT} or more")
        if self.log and self.low <= 0:
            raise ValueError("expected low above 0 where log is true")
        return self


def _kind(raw: object) -> str:
    return "options" if isinstance(raw, list) else "range"


# A mapping is a range, a list holds the values themselves.
Space = Annotated[
    Annotated[NumberRange, Tag("range")]
    | Annotated[list[Any], Field(min_length=2, max_length=1000), Tag("options")],
    Discriminator(_kind),
]
Spaces = dict[str, Space]


class SearchSettings(Settings):
    """Section `search` of params.yaml."""

    n_trials: int = Field(ge=1, le=1_000_000)
    n_startup_trials: int = Field(ge=1)
    # By model, then by parameter.
    spaces: dict[str, Spaces]


def model_spaces(settings: SearchSettings, name: str, section: dict[str, Any]) -> Spaces:
    """Return a model's spaces, after checking that the model accepts their ends and options.

    Parameters
    ----------
    settings : SearchSettings
        Section `search` of params.yaml.
    name : str
        The model's name.
    section : dict
        Its raw section of `train`.

    Raises
    ------
    ParamsError
        The model has no spaces, or does not accept a parameter or a value in one.
    """
    spaces = settings.spaces.get(name, {})
    if not spaces:
        raise ParamsError(f"{PATH}: search.spaces.{name}: expected the parameters to search")
    for parameter, space in spaces.items():
        for value in [space.low, space.high] if isinstance(space, NumberRange) else space:
            try:
                model_settings(name, {**section, parameter: value})
            except ParamsError as error:
                raise ParamsError(f"search.spaces.{name}.{parameter}: {error}") from None
    return spaces


def model_settings(name: str, section: dict[str, Any]) -> ModelSettings:
    """Return a model's settings from a raw section."""
    return check(regressor(name).settings_type, section, f"train.{name}", PATH)


def draw(trial: Any, spaces: Spaces) -> dict[str, Any]:
    """Return the value that an Optuna trial suggests for each parameter."""
    return {name: _draw_value(trial, name, space) for name, space in spaces.items()}


def _draw_value(trial: Any, name: str, space: Space) -> Any:
    if not isinstance(space, NumberRange):
        # Optuna does not store lists, so options are stored as JSON.
        return json.loads(trial.suggest_categorical(name, [json.dumps(value) for value in space]))
    if isinstance(space.low, int):
        return trial.suggest_int(name, space.low, space.high, log=space.log)
    value = trial.suggest_float(name, space.low, space.high, log=space.log)
    return min(max(float(f"{value:.{DIGITS}g}"), space.low), space.high)


def stored(values: dict[str, Any], spaces: Spaces) -> dict[str, Any] | None:
    """Return values as Optuna stores them; None if one lies outside its space."""
    if not all(_contains(space, values[name]) for name, space in spaces.items()):
        return None
    return {
        name: values[name] if isinstance(space, NumberRange) else json.dumps(values[name])
        for name, space in spaces.items()
    }


def _contains(space: Space, value: Any) -> bool:
    if not isinstance(space, NumberRange):
        return value in space
    return isinstance(value, (int, float)) and space.low <= value <= space.high


def override(value: Any) -> str:
    """Return a value as ``dvc exp run -S KEY=`` takes it.

    Examples
    --------
    >>> override([192, 64]), override(None), override(0.05), override("huber")
    ('[192,64]', 'null', '0.05', 'huber')
    """
    if isinstance(value, list):
        return f"[{','.join(override(item) for item in value)}]"
    return value if isinstance(value, str) else json.dumps(value)
