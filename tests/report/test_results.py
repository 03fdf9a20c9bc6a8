"""The summary that `make repro` ends with."""

import shutil
from pathlib import Path

import pytest

from amlc.errors import DataError
from amlc.files import read_json, write_json
from amlc.report.results import results
from tests.helpers.results import write_results


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a repository with the results of a run."""
    write_results(tmp_path)
    scores = {"smape": 50.0, "smape_se": 0.5, "smape_low": 49.0, "smape_high": 51.0}
    write_json(tmp_path / "metrics/metrics.json", scores)
    details = read_json(tmp_path / "metrics/details.json")
    details["models"] = {
        "a": {"smape": 51.0, "smape_se": 0.5, "weight": 1.0},
        "b": {"smape": 52.0, "smape_se": 0.5, "weight": 0.0},
    }
    write_json(tmp_path / "metrics/details.json", details)
    images = {"links": 9, "ok": 7, "placeholders": 2, "failures": {}}
    write_json(tmp_path / "metrics/images.json", images)
    (tmp_path / "params.yaml").write_text("evaluate: {bootstrap_level: 0.975}\n")
    return tmp_path


def test_it_names_every_model_the_images_and_the_submission(root: Path) -> None:
    """These are what a newcomer wants to know after the first run."""
    text = results(root)
    assert [line.split()[0] for line in text.splitlines()[:4]] == ["model", "b", "a", "blend"]
    assert "9 links: 7 good, 2 placeholders" in text
    assert "data/submission.csv" in text


def test_the_interval_has_the_coverage_of_the_settings(root: Path) -> None:
    """It is a parameter of the stage evaluate."""
    assert "97.5 % interval 49.00 to 51.00" in results(root)


def test_without_metrics_the_error_names_what_to_run(root: Path) -> None:
    """A pipeline that has not run ends in a message."""
    shutil.rmtree(root / "metrics")
    with pytest.raises(DataError, match="run dvc repro"):
        results(root)


def test_a_broken_file_is_named(root: Path) -> None:
    """The message names the file that is not JSON."""
    (root / "metrics/images.json").write_text("{")
    with pytest.raises(DataError, match=r"images\.json: not JSON"):
        results(root)


def test_a_missing_key_is_named(root: Path) -> None:
    """The metrics of an older version end in a message that says what to do."""
    (root / "metrics/images.json").write_text('{"links": 9}')
    with pytest.raises(DataError, match=r"images\.json: ok: field required; run dvc repro"):
        results(root)
