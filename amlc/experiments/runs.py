"""What a run of the pipeline gave that git tracks: scores and parameters of a revision."""

import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import yaml
from pydantic import ValidationError

from amlc import layout, params
from amlc.errors import DataError
from amlc.evaluation.metrics_files import Details, Scores
from amlc.experiments.repository import Repository, Revision

# The value of a key that a params.yaml does not have.
ABSENT = "(no such key)"
# A key at the start of a line.
_KEY = re.compile(r"^([A-Za-z_]\w*):(?=[ \n])", re.MULTILINE)
# A line that belongs to no key: neither empty nor indented, no comment and no entry of a list.
_OTHER = re.compile(r"\n[^\s#-]|\A[^\s#]")
# Keys that YAML reads as something else than text.
_NOT_TEXT = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}


@dataclass(frozen=True)
class Run:
    """The results of a revision that git tracks.

    Parameters
    ----------
    revision : Revision
        Which.
    scores : Scores
        metrics/metrics.json.
    parameters : dict of str to value
        The leaves of params.yaml by dotted key; a list is a leaf.
    """

    revision: Revision
    scores: Scores
    parameters: dict[str, Any]


def read_runs(repository: Repository, revisions: Sequence[Revision]) -> list[Run]:
    """Return the runs of the revisions that have scores and parameters; the others are left out.

    Parameters
    ----------
    repository : Repository
        Where the revisions are.
    revisions : sequence of Revision
        All are read at once, which takes milliseconds for each.
    """
    scores = repository.read(revisions, layout.SCORES)
    parameters = repository.read(revisions, params.PATH)
    runs = []
    for revision, content, text in zip(revisions, scores, parameters, strict=True):
        found = leaves(text) if text is not None else None
        score = _metrics(content)
        if score is not None and found is not None:
            runs.append(Run(revision, score, found))
    return runs


def read_run(repository: Repository, revision: Revision) -> Run:
    """Return the run of a revision.

    Raises
    ------
    DataError
        The revision has no scores or no readable params.yaml.
    """
    runs = read_runs(repository, [revision])
    if not runs:
        raise DataError(
            f"{revision.label}: {layout.SCORES} or {params.PATH} is missing or cannot be read; "
            "run dvc repro there and commit its results"
        )
    return runs[0]


def read_details(repository: Repository, revision: Revision) -> Details | None:
    """Return metrics/details.json of a revision; None where it is missing or of another layout."""
    (content,) = repository.read([revision], layout.SCORE_DETAILS)
    try:
        return Details.model_validate_json(content or b"")
    except ValidationError:
        return None


def _metrics(content: bytes | None) -> Scores | None:
    try:
        return Scores.model_validate_json(content or b"")
    except ValidationError:
        return None


def leaves(text: bytes) -> dict[str, Any] | None:
    """Return the leaves of a params.yaml by dotted key; None if it is not a mapping in YAML."""
    try:
        content = _parsed(text.decode())
    except (yaml.YAMLError, UnicodeDecodeError):
        # A section may not be valid by itself, for example because an anchor stands in another.
        try:
            content = yaml.load(text, Loader=params.Loader)  # noqa: S506 - a safe loader
        except yaml.YAMLError:
            return None
    return dict(_walk(content, "")) if isinstance(content, dict) else None


@lru_cache(maxsize=4096)
def _parsed(text: str) -> Any:
    """Return YAML as `params.Loader` reads it, each section only once.

    Experiments differ in few sections, and the parser takes most of the time of listing them.
    """
    parts = _KEY.split(text)
    # What comes before the first key, then each key and what follows it.
    sections = dict(zip(parts[1::2], parts[2::2], strict=True))
    plain = not _OTHER.search(parts[0]) and not any(_OTHER.search(rest) for rest in parts[2::2])
    repeated = 2 * len(sections) + 1 < len(parts)
    if not plain or repeated or len(sections) < 2 or _NOT_TEXT & {*map(str.lower, sections)}:
        return yaml.load(text, Loader=params.Loader)  # noqa: S506 - a safe loader
    return {key: _section(key, rest) for key, rest in sections.items()}


def _section(key: str, rest: str) -> Any:
    first, _, others = rest.partition("\n")
    if not first and all(not line or line[:2] == "  " for line in others.split("\n")):
        return _parsed(textwrap.dedent(others))
    return _parsed_alone(f"{key}:{rest}")[key]


@lru_cache(maxsize=4096)
def _parsed_alone(text: str) -> Any:
    return yaml.load(text, Loader=params.Loader)  # noqa: S506 - a safe loader


def _walk(node: Mapping[Any, Any], prefix: str) -> list[tuple[str, Any]]:
    leaves: list[tuple[str, Any]] = []
    for key, value in node.items():
        if isinstance(value, dict) and value:
            leaves += _walk(value, f"{prefix}{key}.")
        else:
            leaves.append((f"{prefix}{key}", value))
    return leaves


def changed_parameters(
    before: Mapping[str, Any], after: Mapping[str, Any]
) -> dict[str, tuple[Any, Any]]:
    """Return the keys whose values differ, each with both values or `ABSENT`.

    Examples
    --------
    >>> changed_parameters({"seed": 1, "threads": 2}, {"seed": 3, "threads": 2})
    {'seed': (1, 3)}
    """
    keys = [*before, *(key for key in after if key not in before)]
    pairs = {key: (before.get(key, ABSENT), after.get(key, ABSENT)) for key in keys}
    return {key: (old, new) for key, (old, new) in pairs.items() if old != new}
