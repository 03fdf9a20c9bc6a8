"""Typed, strict reading of params.yaml.

Each section's schema stands beside the code that it configures; this module only reads and checks.
"""

from collections.abc import Hashable
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from amlc.errors import ParamsError

PATH = Path("params.yaml")
SECTIONS = frozenset(
    {
        "seed",
        "threads",
        "models",
        "synthetic",
        "data",
        "images",
        "tabular",
        "terms",
        "topics",
        "neighbours",
        "vision",
        "train",
        "blend",
        "guards",
        "evaluate",
        "search",
    }
)


class Settings(BaseModel):
    """Base of every section: strict types, no unknown keys, immutable, no defaults by custom."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", allow_inf_nan=False)


SettingsT = TypeVar("SettingsT", bound=Settings)


# Seven times as fast where PyYAML was built with LibYAML, as its wheels are.
_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _UniqueKeyLoader(_SafeLoader):  # type: ignore[misc]  # known when it runs
    """A safe loader that refuses a key given twice, which PyYAML takes silently."""

    def construct_mapping(
        self,
        node: yaml.MappingNode,
        deep: bool = False,  # noqa: FBT001, FBT002 - PyYAML's signature
    ) -> dict[Hashable, Any]:
        own = [key for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        keys = [self.construct_object(key, deep=True) for key in own]
        repeated = sorted({str(key) for key in keys if keys.count(key) > 1})
        if repeated:
            line = node.start_mark.line + 1
            raise ParamsError(f"key given twice below line {line}: {', '.join(repeated)}")
        found: dict[Hashable, Any] = super().construct_mapping(node, deep=deep)
        return found


def read(path: Path = PATH) -> dict[str, Any]:
    """Read params.yaml as a whole and check its top-level keys.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    dict
        Section name to its raw value.

    Raises
    ------
    ParamsError
        The file cannot be read, is not YAML or not a mapping, has a key given twice or an
        unknown section.
    """
    try:
        content = yaml.load(path.read_bytes(), Loader=_UniqueKeyLoader)  # noqa: S506 - it derives from SafeLoader
    except FileNotFoundError:
        raise ParamsError(f"{path}: no such file; run from the repository's root") from None
    except OSError as error:
        raise ParamsError(f"{path}: cannot be read: {error.strerror}") from None
    except ParamsError as error:
        raise ParamsError(f"{path}: {error}") from None
    except yaml.YAMLError as error:
        raise ParamsError(f"{path}: not valid YAML: {error}") from None
    if not isinstance(content, dict):
        raise ParamsError(f"{path}: expected a mapping of sections, got {_shown(content)}")
    unknown = sorted(str(key) for key in content if key not in SECTIONS)
    if unknown:
        known = ", ".join(sorted(SECTIONS))
        raise ParamsError(f"{path}: unknown key {', '.join(unknown)}; known keys: {known}")
    return content


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
        The key is missing, or anything that `read` raises.
    """
    node: Any = read(path)
    walked: list[str] = []
    for part in key.split("."):
        walked.append(part)
        if not isinstance(node, dict) or part not in node:
            raise ParamsError(f"{path}: missing key {'.'.join(walked)}")
        node = node[part]
    return node


def load(schema: type[SettingsT], key: str, path: Path = PATH) -> SettingsT:
    """Read one section into its schema.

    Parameters
    ----------
    schema : type of Settings
        What the section has to be.
    key : str
        Dotted path of the section.
    path : Path
        The file.

    Raises
    ------
    ParamsError
        Every fault of the section, each with its dotted path and what was expected.
    """
    raw = value(key, path)
    if not isinstance(raw, dict):
        raise ParamsError(f"{path}: {key}: expected a mapping, got {_shown(raw)}")
    return check(schema, raw, key, path)


def check(schema: type[SettingsT], raw: dict[str, Any], key: str, path: Path) -> SettingsT:
    """Turn a raw section into its schema; see `load`."""
    try:
        return schema.model_validate(raw)
    except ValidationError as error:
        faults = "\n  ".join(_fault(key, dict(detail)) for detail in error.errors())
        raise ParamsError(f"{path}:\n  {faults}") from None


def whole(key: str, low: int, high: int, path: Path = PATH) -> int:
    """Return the integer at a dotted key, checked against its range (both ends included)."""
    found = value(key, path)
    if isinstance(found, bool) or not isinstance(found, int) or not low <= found <= high:
        raise ParamsError(
            f"{path}: {key}: expected a whole number from {low} to {high}, got {_shown(found)}"
        )
    return found


def seed(path: Path = PATH) -> int:
    """Return the seed that every random draw starts from."""
    return whole("seed", 0, 2**31 - 1, path)


def threads(path: Path = PATH) -> int:
    """Return the number of threads for numerical work."""
    return whole("threads", 1, 1024, path)


def _fault(key: str, detail: dict[str, Any]) -> str:
    where = ".".join([key, *(str(part) for part in detail["loc"])])
    if detail["type"] == "extra_forbidden":
        return f"{where}: unknown key"
    if detail["type"] == "missing":
        return f"{where}: missing key"
    message = str(detail["msg"]).removeprefix("Value error, ")
    return f"{where}: {message[0].lower()}{message[1:]}, got {_shown(detail['input'])}"


def _shown(found: object) -> str:
    text = f"{found!r} ({type(found).__name__})"
    if isinstance(found, str) and _is_number(found):
        text += "; PyYAML reads it as text: write 1.0e-3, not 1e-3"
    return text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
