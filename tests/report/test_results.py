"""The summary that `make repro` ends with."""

import shutil
from pathlib import Path

import pytest

from amlc.errors import DataError
from amlc.files import read_json, write_json
from amlc.models.timings import Timing, record
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


def test_models_have_held_out_scores_seconds_and_memory_where_known(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What this machine did not fit, or has no known test prices, has a dash."""
    monkeypatch.setenv("AMLC_STORE", str(root / "store"))
    details = read_json(root / "metrics/details.json")
    details["models"]["a"]["smape_held_out"] = 53.25
    write_json(root / "metrics/details.json", details)
    predictions = root / "data/models/a/predictions.parquet"
    predictions.parent.mkdir(parents=True)
    predictions.write_bytes(b"predictions of a")
    timing = Timing(seconds=9, fit_seconds=12.25, predict_seconds=1.5, peak_bytes=250_000_000)
    record(predictions, timing)
    lines = {line.split()[0]: line.split() for line in results(root).splitlines() if line}
    assert lines["a"] == ["a", "51.00", "0.50", "1.000", "53.25", "12.2", "1.5", "250"]
    assert lines["b"][-4:] == ["-", "-", "-", "-"]
    (untimed,) = (line for line in results(root, timed=False).splitlines() if line[:2] == "a ")
    assert untimed.split()[-4:] == ["53.25", "-", "-", "-"]


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
