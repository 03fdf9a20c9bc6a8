"""Settings of params.yaml that a benchmark changes, named as for `dvc exp run -S`."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import checkout  # noqa: F401 - makes amlc importable
import yaml

from amlc import params
from amlc.errors import ParamsError


def parse_changes(lines: Iterable[str]) -> dict[str, Any]:
    """Return the values that lines like ``train.mlp.networks=1`` give to settings, by key.

    Raises
    ------
    ParamsError
        A line has no value.
    """
    split = [line.partition("=") for line in lines]
    if bad := [key for key, sign, _ in split if not sign]:
        raise ParamsError(f"{bad[0]}: expected KEY=VALUE with a key of params.yaml")
    return {key: yaml.load(value, Loader=params.Loader) for key, _, value in split}


def changed(settings: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings with some of them replaced.

    Parameters
    ----------
    settings : dict
        The content of params.yaml; it stays as it is.
    changes : mapping of str to object
        Values by key, such as ``train.mlp.networks``.

    Raises
    ------
    ParamsError
        There is no such setting.
    """
    result: dict[str, Any] = json.loads(json.dumps(settings))
    for key, value in changes.items():
        *sections, last = key.split(".")
        node: Any = result
        for section in sections:
            node = node.get(section) if isinstance(node, dict) else None
        if not isinstance(node, dict) or last not in node:
            raise ParamsError(
                f"{key}: there is no such setting; expected KEY=VALUE with a key of params.yaml"
            )
        node[last] = value
    return result
