"""Two revisions beside each other, paired by row."""

import textwrap
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from amlc import layout
from amlc.arrays import Bools, Floats, Objects
from amlc.catalog.products import LINK, TEST
from amlc.errors import DataError, read_errors_as
from amlc.evaluation.scores import price_deciles
from amlc.experiments.paired import Difference, paired_difference
from amlc.experiments.predictions import BLEND, Predictions, Shared
from amlc.experiments.repository import WORKSPACE, MissingDataError, Repository, Revision
from amlc.experiments.runs import Run, changed_parameters, read_run
from amlc.experiments.tables import NAME_LENGTH, Table, joined, value
from amlc.features.block_names import CATEGORICAL
from amlc.images.fetch_result import OK
from amlc.models.timings import Timing
from amlc.report.cleaning import clean


@dataclass(frozen=True)
class Line:
    """The score of a model or of a slice in both revisions.

    Parameters
    ----------
    name : str
        Of the model or slice.
    rows : int
        Number of rows that it is the mean of.
    first, second : float or None
        SMAPE in percent; None where a revision has no such model.
    difference : Difference or None
        The second minus the first, paired; None where a score is missing.
    """

    name: str
    rows: int
    first: float | None
    second: float | None
    difference: Difference | None

    @property
    def star(self) -> str:
        """A star behind a difference of more than two standard errors."""
        clear = self.difference and self.difference.verdict in {"better", "worse"}
        return " *" if clear else ""

    def cells(self) -> tuple[str, ...]:
        """Return the cells of a table."""
        scores = ("-" if score is None else f"{score:.2f}" for score in (self.first, self.second))
        if self.difference is None:
            return (self.name, f"{self.rows:,}", *scores, "", "")
        shown = "0" if self.difference.verdict == "same" else str(self.difference)
        return (self.name, f"{self.rows:,}", *scores, shown, self.difference.verdict)


@dataclass(frozen=True)
class Comparison:
    """What differs between two revisions.

    Parameters
    ----------
    first, second : str
        Their labels.
    models : list of Line
        The blend, then the members by name, over the train rows that both have.
    held_out : Line or None
        The blend over the test rows with a known price, if there are any in both.
    slices : list of Line
        The blend by slice of the train rows.
    counts : (int, int)
        How many train rows either revision has.
    parameters : dict of str to (value, value)
        Those that differ.
    timings : dict of str to (Timing or None, Timing or None)
        Of each model, where this machine fitted it.
    """

    first: str
    second: str
    models: list[Line]
    held_out: Line | None
    slices: list[Line]
    counts: tuple[int, int]
    parameters: dict[str, tuple[Any, Any]]
    timings: dict[str, tuple[Timing | None, Timing | None]]

    def summary(self) -> str:
        """Return in a sentence whether the second revision's blend is better."""
        difference = self.models[0].difference
        if difference is None:
            return "The two have no train rows in common, so their scores cannot be paired."
        words = {
            "same": "B predicts as well as A, to the digit",
            "better": f"B is better than A: {difference}",
            "worse": f"B is worse than A: {difference}",
            "unclear": f"No clear difference: {difference}, less than two standard errors",
        }
        return f"{words[difference.verdict]}."

    def rows_used(self) -> str:
        """Return in a sentence which rows were compared."""
        shared = self.models[0].rows
        if self.counts == (shared, shared):
            return f"Paired over all {shared:,} train rows."
        return (
            f"Paired over the {shared:,} train rows with the same id and price, of "
            f"{self.counts[0]:,} in A and {self.counts[1]:,} in B."
        )

    def tables(self) -> Iterator[tuple[str, Table]]:
        """Yield the tables that have rows, each with its heading."""
        columns = ("rows", "A", "B", "B - A", "")
        lines = [*self.models, *([self.held_out] if self.held_out else [])]
        yield "SMAPE", Table(("model", *columns), [line.cells() for line in lines])
        if any(line.difference and line.difference.verdict != "same" for line in self.slices):
            cells = [line.cells() for line in self.slices]
            yield "The blend by slice", Table(("slice", *columns), cells)
        changed = [
            (clean(key, NAME_LENGTH), value(before), value(after))
            for key, (before, after) in self.parameters.items()
        ]
        if changed:
            yield "Parameters", Table(("parameter", "A", "B"), changed, left=True)
        timed = [
            (name, *(cell for timing in pair for cell in timing_cells(timing)))
            for name, pair in self.timings.items()
            if any(pair)
        ]
        if timed:
            header = ("fitted here", "A: fit s", "predict s", "MB", "B: fit s", "predict s", "MB")
            yield "Time and memory", Table(header, timed)

    def text(self) -> str:
        """Return the comparison for a terminal."""
        parts = [f"A  {self.first}\nB  {self.second}", f"{self.summary()} {self.rows_used()}"]
        parts += [table.text() for _, table in self.tables()]
        parts += [] if self.parameters else ["No parameter differs."]
        return "\n\n".join(parts)

    def brief(self) -> str:
        """Return the differences of the blend and its members in a few lines of 80 characters."""
        paired = [line for line in self.models if line.difference]
        moved = [line for line in paired if line.difference and line.difference.verdict != "same"]
        parts = [f"{line.name} {line.difference}{line.star}" for line in moved]
        only = {True: "is new", False: "no longer runs"}
        parts += [
            f"{line.name} {only[line.first is None]}"
            for line in self.models
            if None in {line.first, line.second} and line.name != BLEND
        ]
        others = ["the others predict the same"] if parts and len(moved) < len(paired) else []
        text = ", ".join([*parts, *others]) or "the same predictions"
        star = "; * more than two standard errors" if "*" in text else ""
        lines = [_labelled("against", f"{self.first}: {text}{star}")]
        changed = (f"{clean(key, 60)}={value(new)}" for key, (_, new) in self.parameters.items())
        if self.parameters:
            lines.append(_labelled("changed", joined(changed, 200)))
        return "\n".join(lines)

    def markdown(self) -> str:
        """Return the comparison as Markdown."""
        head = f"A: `{self.first}`, B: `{self.second}`. {self.summary()} {self.rows_used()}"
        tables = [f"### {title}\n\n{table.markdown()}" for title, table in self.tables()]
        return "\n\n".join([head, *tables])

    def content(self) -> dict[str, Any]:
        """Return the comparison as plain values, for JSON."""
        content = asdict(self)
        pairs = self.timings.items()
        content["timings"] = {
            name: [timing and timing.model_dump() for timing in pair] for name, pair in pairs
        }
        return content


def _labelled(label: str, text: str) -> str:
    """Return lines of 80 characters with a label before the first, as `amlc results` has them."""
    return textwrap.fill(
        f"{label:<12}{text}", 80, subsequent_indent=12 * " ", break_on_hyphens=False
    )


def against_last_commit(repository: Repository) -> str:
    """Return how the workspace differs from the last commit, or why that is not known."""
    try:
        revisions = repository.revision("HEAD"), repository.revision(WORKSPACE)
        return compare(repository, *revisions).brief()
    except MissingDataError:
        reason = "its predictions are not in DVC's cache (dvc pull gets them from a remote)"
    except DataError as error:
        reason = str(error)
    return _labelled("against", f"the last commit: not compared: {reason}")


def timing_cells(timing: Timing | None) -> tuple[str, str, str]:
    """Return seconds of fitting and predicting, and memory in MB, as cells; dashes for None."""
    if timing is None:
        return "-", "-", "-"
    return (
        f"{timing.fit_seconds:,.1f}",
        f"{timing.predict_seconds:,.1f}",
        f"{timing.peak_bytes / 1e6:,.0f}",
    )


def compare(repository: Repository, first: Revision, second: Revision) -> Comparison:
    """Compare the runs of two revisions.

    Parameters
    ----------
    repository : Repository
        Where the revisions are.
    first, second : Revision
        Which; differences are the second minus the first.

    Raises
    ------
    DataError
        A revision has no scores, or its products or blended predictions are not in DVC's cache.
    """
    runs = read_run(repository, first), read_run(repository, second)
    predictions = Predictions(repository)
    shared = predictions.shared(first, second)
    names = sorted({*runs[0].scores.models, *runs[1].scores.models})
    rows = len(shared.price)
    lines = [_line(predictions, (first, second), BLEND)]
    lines += [_member(predictions, runs, name) for name in names]
    test = predictions.shared(first, second, TEST)
    held_out = _line(predictions, (first, second), BLEND, TEST) if test.price.size else None
    return Comparison(
        first.label,
        second.label,
        lines,
        held_out,
        _slices(predictions, first, second) if rows else [],
        shared.counts,
        changed_parameters(runs[0].parameters, runs[1].parameters),
        {
            name: (predictions.timing(first, name), predictions.timing(second, name))
            for name in names
        },
    )


def _line(
    predictions: Predictions, pair: tuple[Revision, Revision], model: str, split: str = "train"
) -> Line:
    shared = predictions.shared(*pair, split)
    name = model if split == "train" else f"{model}, test rows"
    if not shared.price.size:
        return Line(name, 0, None, None, None)
    before, after = predictions.scores(*pair, model, split)
    return _scored(name, before, after, shared)


def _scored(name: str, before: Floats, after: Floats, shared: Shared) -> Line:
    difference = paired_difference(before, after, shared.groups)
    return Line(name, len(before), float(before.mean()), float(after.mean()), difference)


def _member(predictions: Predictions, runs: tuple[Run, Run], name: str) -> Line:
    """Return a member's line; where one revision lacks it, only the score that is known."""
    scores = [run.scores.models.get(name) for run in runs]
    first, second = (run.revision for run in runs)
    rows = len(predictions.shared(first, second).price)
    if None not in scores and rows:
        try:
            return _line(predictions, (first, second), name)
        except MissingDataError:
            pass
    return Line(name, rows, scores[0], scores[1], None)


def _slices(predictions: Predictions, first: Revision, second: Revision) -> list[Line]:
    shared = predictions.shared(first, second)
    before, after = predictions.scores(first, second)
    labels: dict[str, Any] = {"price decile": np.array(price_deciles(shared.price))}
    for name, read in (("unit", _kinds), ("picture", _pictured)):
        try:
            labels[name] = read(predictions.repository, first)[shared.first]
        except DataError:
            # The score by this slice is left out where the cache lacks the features or pictures.
            continue
    return [
        _slice(f"{kind}: {clean(str(label), NAME_LENGTH)}", of == label, before, after, shared)
        for kind, of in labels.items()
        for label in sorted(set(of))
    ]


def _slice(name: str, chosen: Bools, before: Floats, after: Floats, shared: Shared) -> Line:
    difference = paired_difference(before[chosen], after[chosen], shared.groups[chosen])
    scores = float(before[chosen].mean()), float(after[chosen].mean())
    return Line(name, int(chosen.sum()), *scores, difference)


def _kinds(repository: Repository, revision: Revision) -> Objects:
    """Return each product's kind of unit."""
    path = repository.data(revision, layout.TABULAR)
    name = f"{CATEGORICAL}kind"
    with read_errors_as(DataError, f"{revision.label}: {layout.TABULAR}: cannot be read"):
        kinds: Objects = (
            pq.read_table(path, columns=[name]).to_pandas()[name].astype(str).to_numpy()
        )
    return kinds


def _pictured(repository: Repository, revision: Revision) -> Objects:
    """Return "with" or "without" for each product."""
    good: set[str] = set()
    shards = [
        path for path in repository.files(revision, layout.IMAGES) if path.suffix == ".parquet"
    ]
    if not shards:
        raise MissingDataError(revision, layout.IMAGES)
    for shard in shards:
        path = repository.data(revision, shard)
        with read_errors_as(DataError, f"{revision.label}: {shard}: cannot be read"):
            table = pq.read_table(path, columns=["link", "status"]).to_pydict()
        good |= {link for link, ok in zip(table["link"], table["status"], strict=True) if ok == OK}
    links = pq.read_table(repository.data(revision, layout.PRODUCTS), columns=[LINK])[LINK]
    return np.array(["with" if link in good else "without" for link in links.to_pylist()], object)
