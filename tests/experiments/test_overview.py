"""The table of experiments."""

import csv
import io
import json
from pathlib import Path

import pytest

from amlc.experiments.overview import overview, workspace_line
from amlc.experiments.predictions import predictions_path
from amlc.experiments.repository import Repository
from amlc.models.timings import Timing, record
from tests.helpers.revisions import MODELS, add_experiment, empty_cache, git, write_run


def names(table: str) -> list[str]:
    """Return the first words of the table's rows."""
    return [line.split()[0] for line in table.split("\n\n", maxsplit=1)[0].splitlines()[1:]]


def test_the_best_comes_first_with_its_difference(repository: Repository) -> None:
    """A difference of more than two standard errors has a mark."""
    text = overview(repository).text()
    assert names(text) == ["fine-yak", "main", "poor-gnu"]
    (best,) = [line for line in text.splitlines() if line.startswith("fine-yak")]
    assert " +- " in best
    assert " * " in best
    assert best.endswith("seed=2")


@pytest.mark.parametrize("width", [60, 80, 100])
def test_lines_fit_the_terminal(root: Path, width: int) -> None:
    """However long names and values are; the number of parameters left out is named."""
    changes = {f"a_long_name_of_a_parameter_{n}": "x" * 300 for n in range(9)}
    add_experiment(root, "long-" * 30 + "name", noise=0.6, **changes)
    text = overview(Repository(root)).text(width)
    assert max(map(len, text.splitlines())) <= width
    assert "long-" in text


def test_another_reference_may_be_named(repository: Repository) -> None:
    """Differences and changed parameters are then against it."""
    table = overview(repository, "poor-gnu")
    assert table.reference.name == "poor-gnu"
    (worst,) = [each for each in table.entries if each.run.revision.name == "main"]
    assert worst.changes == {"seed": (3, 1), "threads": (2, "(no such key)")}
    assert len(table.entries) == 3


def test_an_unchanged_workspace_is_not_listed(root: Path) -> None:
    """One with other predictions is."""
    assert "workspace" not in names(overview(Repository(root)).text())
    write_run(root, noise=0.6)
    assert "workspace" in names(overview(Repository(root)).text())


def test_without_predictions_the_scores_are_still_listed(root: Path) -> None:
    """As after a clone, before dvc pull."""
    empty_cache(root)
    text = overview(Repository(root)).text()
    assert text.count("not comparable") == 2
    assert names(text) == ["fine-yak", "main", "poor-gnu"]


def test_csv_has_every_score_and_the_parameters_that_differ_somewhere(
    repository: Repository,
) -> None:
    """A row for each run."""
    rows = list(csv.DictReader(io.StringIO(overview(repository).csv())))
    assert [row["name"] for row in rows] == ["fine-yak", "main", "poor-gnu"]
    assert [row["seed"] for row in rows] == ["2", "1", "3"]
    assert [row["threads"] for row in rows] == ["", "", "2"]
    assert {f"models.{name}" for name in MODELS} <= rows[0].keys()
    assert float(rows[0]["difference"]) < 0


def test_csv_makes_no_formula_of_a_parameter(root: Path) -> None:
    """A spreadsheet would run it."""
    add_experiment(root, "odd-one", noise=0.6, seed="=1+1")
    (row,) = [
        row
        for row in csv.DictReader(io.StringIO(overview(Repository(root)).csv()))
        if row["name"] == "odd-one"
    ]
    assert row["seed"] == "'=1+1"


def test_json_has_the_same_rows(repository: Repository) -> None:
    """With what identifies the result."""
    content = json.loads(overview(repository).json())
    rows = content["experiments"]
    assert [row["name"] for row in rows] == ["fine-yak", "main", "poor-gnu"]
    assert rows[0]["changes"] == {"seed": 2}
    assert len({row["result"] for row in rows}) == 3


def test_seconds_are_the_sum_over_the_models(root: Path) -> None:
    """They are unknown if one of the models was fitted elsewhere."""
    timing = Timing(seconds=4, fit_seconds=3, predict_seconds=1, peak_bytes=1)
    for name in MODELS:
        record(root / predictions_path(name), timing)
    seconds = {each.run.revision.name: each.seconds for each in overview(Repository(root)).entries}
    assert seconds == {"main": 8.0, "fine-yak": None, "poor-gnu": None}


def test_the_queue_is_counted(root: Path) -> None:
    """What has not run has no score."""
    git(root, "update-ref", "--create-reflog", "refs/exps/celery/stash", "HEAD")
    assert (
        overview(Repository(root))
        .text()
        .endswith("1 in the queue: dvc exp run --run-all runs them")
    )


def test_the_line_of_an_experiment_says_what_it_gained(root: Path) -> None:
    """It is what dvc exp run ends with."""
    write_run(root, noise=0.45, parameters={"seed": 2})
    line = workspace_line(Repository(root), "fine-yak", git(root, "rev-parse", "HEAD"))
    assert line.startswith("experiment fine-yak: SMAPE 29.60; against ")
    assert line.endswith(" *; seed=2")


def test_without_the_reference_in_the_cache_the_line_still_has_the_score(root: Path) -> None:
    """An experiment does not fail because of it."""
    empty_cache(root)
    line = workspace_line(Repository(root), "fine-yak", "HEAD")
    assert "SMAPE 32.69" in line
    assert "not comparable" in line
