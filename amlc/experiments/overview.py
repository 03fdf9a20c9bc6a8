"""All experiments and branches in one table, the best first."""

import csv
import io
import json
from dataclasses import dataclass
from typing import Any

from amlc.errors import DataError
from amlc.experiments.paired import Difference
from amlc.experiments.predictions import BLEND, Predictions
from amlc.experiments.repository import WORKSPACE, Repository, Revision
from amlc.experiments.runs import Run, changed_parameters, read_run, read_runs
from amlc.experiments.tables import joined, value
from amlc.models.timings import RESULT_LENGTH
from amlc.report.cleaning import clean

# Longest name of an experiment or branch in the table.
NAME_LENGTH = 24
# Characters of a line without the name and with little room for parameters.
OTHER_COLUMNS = 45


@dataclass(frozen=True)
class Entry:
    """An experiment, a branch or the workspace.

    Parameters
    ----------
    run : Run
        Its scores and parameters.
    difference : Difference or None
        Its SMAPE minus that of the reference, paired; None where the predictions of one of them are
        not in DVC's cache, or they share no products.
    changes : dict of str to (value, value)
        Parameters that differ from the reference's, which come first.
    result : str
        Identifies its predictions; the report's title has it, too. Empty if unknown.
    seconds : float or None
        Time of fitting all models; None if a model was not fitted on this machine.
    """

    run: Run
    difference: Difference | None
    changes: dict[str, tuple[Any, Any]]
    result: str
    seconds: float | None

    @property
    def smape(self) -> float:
        """The blend's SMAPE in percent."""
        return self.run.scores.smape

    def changed(self) -> list[str]:
        """Return the changed parameters as ``key=value``."""
        return [f"{clean(key, 60)}={value(after)}" for key, (_, after) in self.changes.items()]

    def content(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        revision, scores = self.run.revision, self.run.scores
        return {
            "name": revision.name,
            "kind": revision.kind,
            "commit": revision.commit,
            "result": self.result,
            **scores.model_dump(exclude={"models"}),
            "difference": self.difference and self.difference.mean,
            "difference_se": self.difference and self.difference.finite_se,
            "verdict": self.difference and self.difference.verdict,
            "seconds": self.seconds,
            "changes": {key: after for key, (_, after) in self.changes.items()},
            "models": scores.models,
        }


@dataclass(frozen=True)
class Overview:
    """The table.

    Parameters
    ----------
    reference : Revision
        What the others are compared with.
    entries : list of Entry
        By SMAPE, the best first.
    pending : int
        Experiments in DVC's queue, which have no results yet.
    """

    reference: Revision
    entries: list[Entry]
    pending: int

    def text(self, width: int = 80) -> str:
        """Return the table for a terminal of this many columns."""
        longest = min(NAME_LENGTH, max(width - OTHER_COLUMNS, len("experiment")))
        names = [clean(each.run.revision.name, longest) for each in self.entries]
        first = max([*map(len, names), len("experiment")])
        lines = [f"{'experiment':<{first}}  {'smape':>6}  {'against reference':<17}  changed"]
        room = max(width - len(lines[0]) + len("changed"), 12)
        for name, entry in zip(names, self.entries, strict=True):
            changed = joined(entry.changed(), room)
            shown = "reference" if entry.run.revision == self.reference else _shown(entry)
            lines.append(f"{name:<{first}}  {entry.smape:6.2f}  {shown:<17}  {changed}".rstrip())
        lines.append("")
        lines.append(f"reference: {self.reference.label}; * more than two standard errors")
        if self.pending:
            lines.append(f"{self.pending} in the queue: dvc exp run --run-all runs them")
        return "\n".join(lines)

    def csv(self) -> str:
        """Return the table as CSV, with a column for each parameter that differs somewhere."""
        contents = [entry.content() for entry in self.entries]
        keys = sorted({key for entry in self.entries for key in entry.changes})
        fixed = [name for name in contents[0] if name not in {"changes", "models"}]
        models = sorted({name for content in contents for name in content["models"]})
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([*fixed, *(f"models.{name}" for name in models), *keys])
        for entry, content in zip(self.entries, contents, strict=True):
            parameters = (entry.run.parameters.get(key, "") for key in keys)
            scores = (content["models"].get(name, "") for name in models)
            writer.writerow(
                [*(_cell(content[name]) for name in fixed), *scores, *map(_cell, parameters)]
            )
        return stream.getvalue()

    def json(self) -> str:
        """Return the table as JSON."""
        content = {
            "reference": self.reference.label,
            "pending": self.pending,
            "experiments": [entry.content() for entry in self.entries],
        }
        return json.dumps(content, indent=2, default=str)


def _cell(content: Any) -> Any:
    if isinstance(content, list | dict):
        return json.dumps(content)
    if isinstance(content, str) and content.startswith(("=", "+", "-", "@")):
        # A spreadsheet would take it for a formula.
        return f"'{content}"
    return "" if content is None else content


def _shown(entry: Entry) -> str:
    if entry.difference is None:
        return "not comparable"
    if entry.difference.verdict == "same":
        return "same predictions"
    mark = "" if entry.difference.verdict == "unclear" else " *"
    return f"{entry.difference}{mark}"


def overview(repository: Repository, reference: str = "HEAD") -> Overview:
    """Return all experiments and branches, and the workspace if it is no copy of one of them.

    Parameters
    ----------
    repository : Repository
        Where they are.
    reference : str
        The revision to compare with.

    Raises
    ------
    DataError
        The reference is not a revision or has no scores.
    """
    base = repository.revision(reference)
    branches = repository.branches()
    # Under its branch's name, where it has one.
    named = [each for each in branches if each.commit == base.commit]
    base = named[0] if named else base
    others = [each for each in branches if each.commit != base.commit]
    workspace = repository.revision(WORKSPACE)
    experiments = [each for each in repository.experiments() if each.commit != base.commit]
    revisions = [*experiments, *others, *([workspace] if base.commit else [])]
    reference_run = read_run(repository, base)
    predictions = Predictions(repository)
    repository.digests([base, *revisions])
    entries = [_entry(predictions, reference_run, reference_run)]
    entries += [_entry(predictions, reference_run, run) for run in read_runs(repository, revisions)]
    if entries[-1].run.revision.kind == WORKSPACE and any(
        _is_copy(entries[-1], each) for each in entries[:-1]
    ):
        entries.pop()
    return Overview(base, sorted(entries, key=lambda each: each.smape), repository.pending())


def workspace_line(repository: Repository, name: str, reference: str) -> str:
    """Return the workspace's line of the table, for the end of an experiment.

    Parameters
    ----------
    repository : Repository
        Where the experiment runs.
    name : str
        The experiment's name.
    reference : str
        The commit that it starts from.
    """
    base = repository.revision(reference)
    try:
        runs = [read_run(repository, each) for each in (base, repository.revision(WORKSPACE))]
        each = _entry(Predictions(repository), *runs)
    except DataError as error:
        return f"experiment {name}: not compared: {error}"
    changed = joined(each.changed(), 200)
    parts = [f"SMAPE {each.smape:.2f}", f"against {str(base.commit)[:7]}: {_shown(each)}", changed]
    return f"experiment {name}: {'; '.join(part for part in parts if part)}"


def _is_copy(one: Entry, other: Entry) -> bool:
    """Return whether both have the same scores, parameters and, if known, predictions."""
    same = (one.run.scores, one.run.parameters) == (other.run.scores, other.run.parameters)
    return same and (one.result == other.result or not one.result or not other.result)


def _entry(predictions: Predictions, reference: Run, run: Run) -> Entry:
    first, second = reference.revision, run.revision
    try:
        difference = predictions.difference(first, second)
    except DataError:
        difference = None
    timings = [predictions.timing(second, name) for name in run.scores.models]
    known = [timing.seconds for timing in timings if timing]
    return Entry(
        run,
        difference,
        changed_parameters(reference.parameters, run.parameters),
        (predictions.digest(second, BLEND) or "")[:RESULT_LENGTH],
        sum(known) if known and len(known) == len(timings) else None,
    )
