"""Typed, strict reading of params.yaml.

The schema of each section is beside the code that it configures; this module reads and checks.
"""

import math
import re
from collections.abc import Hashable
from copy import deepcopy
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from amlc.errors import ParamsError

PATH = Path("params.yaml")
SECTIONS = (
    *(
        "seed",
        "threads",
        "executor",
        "models",
        "synthetic",
        "data",
        "images",
        "fetching",
        "tabular",
        "terms",
    ),
    *(
        "topics",
        "neighbours",
        "vision",
        "encoders",
        "train",
        "blend",
        "spread",
        "guards",
        "evaluate",
        "search",
    ),
)


class Settings(BaseModel):
    """Base of all schemas: strict types, unknown keys refused, immutable."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", allow_inf_nan=False)


SettingsT = TypeVar("SettingsT", bound=Settings)


# The loader in C, which PyYAML's wheels contain, is seven times as fast.
_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Loader(_SafeLoader):  # type: ignore[misc]  # chosen at run time
    """A safe loader that reads 2e-05 as a number, as YAML 1.2 does and PyYAML does not.

    So writes DVC what `dvc exp run -S KEY=2.0e-5` sets.
    """


Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?[0-9]+(?:\.[0-9]*)?[eE][-+]?[0-9]+$"),
    list("-+0123456789"),
)


class _UniqueKeyLoader(Loader):
    """A loader that refuses a key given twice, which PyYAML accepts silently."""

    def construct_mapping(
        self,
        node: yaml.MappingNode,
        deep: bool = False,  # noqa: FBT001, FBT002 - PyYAML's signature
    ) -> dict[Hashable, Any]:
        nodes = [key for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        keys = [self.construct_object(key, deep=True) for key in nodes]
        repeated = sorted({str(key) for key in keys if keys.count(key) > 1})
        if repeated:
            line = node.start_mark.line + 1
            raise ParamsError(f"key given twice below line {line}: {', '.join(repeated)}")
        mapping: dict[Hashable, Any] = super().construct_mapping(node, deep=deep)
        return mapping


def read(path: Path = PATH) -> dict[str, Any]:
    """Read the whole of params.yaml and check its top-level keys.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    dict
        The raw value of each section.

    Raises
    ------
    ParamsError
        The file cannot be read, is not YAML or not a mapping, or has a repeated key or an unknown
        section.
    """
    try:
        # A copy, so that a caller that changes it changes no later read.
        content = deepcopy(_parsed(path.read_bytes()))
    except FileNotFoundError:
        raise ParamsError(f"{path}: no such file; run from the repository's root") from None
    except OSError as error:
        raise ParamsError(f"{path}: cannot be read: {error.strerror}") from None
    except ParamsError as error:
        raise ParamsError(f"{path}: {error}") from None
    except yaml.YAMLError as error:
        raise ParamsError(f"{path}: not valid YAML: {error}") from None
    if not isinstance(content, dict):
        raise ParamsError(f"{path}: expected a mapping of sections, got {_describe(content)}")
    unknown = sorted(str(key) for key in content if key not in SECTIONS)
    if unknown:
        known = ", ".join(sorted(SECTIONS))
        raise ParamsError(f"{path}: unknown key {', '.join(unknown)}; known keys: {known}")
    return content


@lru_cache(maxsize=1)
def _parsed(text: bytes) -> Any:
    """Return the content of a YAML file; a stage reads the same file several times."""
    return yaml.load(text, Loader=_UniqueKeyLoader)  # noqa: S506 - it derives from SafeLoader


def value(key: str, path: Path = PATH) -> Any:
    """Return the raw value at a dotted key.

    Parameters
    ----------
    key : str
        For example ``"train.lightgbm"``.
    path : Path
        The file.

    Raises
    ------
    ParamsError
        The key is missing, or the file is not a valid mapping of sections.
    """
    node: Any = read(path)
    parts: list[str] = []
    for part in key.split("."):
        parts.append(part)
        if not isinstance(node, dict) or part not in node:
            raise ParamsError(f"{path}: missing key {'.'.join(parts)}")
        node = node[part]
    return node


def load(schema: type[SettingsT], key: str, path: Path = PATH) -> SettingsT:
    """Read one section into its schema; defaults of the schema do not count.

    Parameters
    ----------
    schema : type of Settings
        The schema.
    key : str
        Dotted path of the section.
    path : Path
        The file.

    Raises
    ------
    ParamsError
        The section does not match the schema; the message lists every error with its dotted path
        and what was expected.
    """
    raw = value(key, path)
    if not isinstance(raw, dict):
        raise ParamsError(f"{path}: {key}: expected a mapping, got {_describe(raw)}")
    section = check(schema, raw, key, path)
    missing = sorted(schema.model_fields.keys() - section.model_fields_set)
    if missing:
        raise ParamsError(f"{path}: missing key {', '.join(f'{key}.{name}' for name in missing)}")
    return section


def check(schema: type[SettingsT], raw: dict[str, Any], key: str, path: Path) -> SettingsT:
    """Check a section that was read, and return it as an object of its schema.

    Parameters
    ----------
    schema : type of Settings
        The schema.
    raw : dict
        The section.
    key : str
        Dotted path of the section, for messages.
    path : Path
        The file that it comes from, for messages.

    Raises
    ------
    ParamsError
        The section does not match the schema.
    """
    try:
        return schema.model_validate(raw)
    except ValidationError as error:
        lines = "\n  ".join(_message(key, dict(detail)) for detail in error.errors())
        raise ParamsError(f"{path}:\n  {lines}") from None


def seed(path: Path = PATH) -> int:
    """Return the seed of all random draws."""
    return _integer("seed", 0, 2**31 - 1, path)


def threads(path: Path = PATH) -> int:
    """Return the number of threads for numerical work."""
    return _integer("threads", 1, 1024, path)


def _integer(key: str, low: int, high: int, path: Path) -> int:
    """Return the integer at a dotted key, checked against its range (both ends included)."""
    number = value(key, path)
    if isinstance(number, bool) or not isinstance(number, int) or not low <= number <= high:
        raise ParamsError(
            f"{path}: {key}: expected a whole number from {low} to {high}, got {_describe(number)}"
        )
    return number


def _message(key: str, detail: dict[str, Any]) -> str:
    where = ".".join([key, *(str(part) for part in detail["loc"])])
    if detail["type"] == "extra_forbidden":
        return f"{where}: unknown key"
    if detail["type"] == "missing":
        return f"{where}: missing key"
    message = str(detail["msg"]).removeprefix("Value error, ")
    return f"{where}: {message[0].lower()}{message[1:]}, got {_describe(detail['input'])}"


def _describe(raw: object) -> str:
    text = f"{raw!r} ({type(raw).__name__})"
    if isinstance(raw, str) and _is_number(raw):
        text += "; write it without quotes"
    return text


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
