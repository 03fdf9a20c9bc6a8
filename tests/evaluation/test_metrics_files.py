"""The metrics files that the report reads."""

import json
from pathlib import Path

import pytest

from amlc.errors import DataError
from amlc.evaluation import metrics_files
from amlc.evaluation.metrics_files import Details, Guards, HeldOut, Scores, read_metrics
from tests.helpers.results import write_results


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder of a run's metrics."""
    write_results(tmp_path, gap=0.4)
    return tmp_path / "metrics"


def test_numbers_are_those_of_the_file(folder: Path) -> None:
    """Every level has the values of its part of the file."""
    raw = json.loads((folder / "details.json").read_text())
    details = read_metrics(Details, folder / "details.json")
    assert {name: dict(score) for name, score in details.models.items()} == raw["models"]
    assert dict(details.interval) == raw["interval"]
    assert details.held_out is not None
    assert dict(details.held_out) == raw["held_out"]


def test_models_are_ranked_by_their_score(folder: Path) -> None:
    """The best comes first."""
    content = json.loads((folder / "details.json").read_text())
    content["models"]["linear"]["smape"] = 1.0
    content["models"]["lightgbm"]["smape"] = 2.0
    details = Details.model_validate(content)
    assert [name for name, _ in details.ranked()] == ["linear", "lightgbm"]


@pytest.mark.parametrize(("gap", "agrees"), [(1.9, True), (2.1, False), (-2.1, False)])
def test_a_held_out_score_has_to_be_close_to_the_other(gap: float, *, agrees: bool) -> None:
    """It may differ by four standard errors, in either direction."""
    held_out = HeldOut(rows=9, smape=50.0, smape_se=0.4, gap=gap, gap_se=0.5, coverage=80.0)
    assert held_out.agrees == agrees


def test_a_missing_key_is_named(folder: Path) -> None:
    """A file of an older version ends in a message that says what to do."""
    path = folder / "guards.json"
    content = json.loads(path.read_text())
    del content["leak"]["share"]
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match=r"guards\.json: leak\.share: field required; run dvc"):
        read_metrics(Guards, path)


def test_keys_that_the_report_does_not_read_are_ignored(folder: Path) -> None:
    """A stage may write more than the report shows."""
    path = folder / "metrics.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "another": 1}))
    assert read_metrics(Scores, path).smape == content["smape"]


def test_no_metric_is_called_error() -> None:
    """DVC takes a file with such a key for one that it failed to load."""
    kinds = metrics_files.Metrics.__subclasses__()
    assert len(kinds) > 10
    assert all("error" not in kind.model_fields for kind in kinds)
