"""The record of a run on real products."""

import json
from pathlib import Path

import pytest

from amlc.errors import DataError
from amlc.files import write_json
from tools.record import RECORD, main, record, with_ablation


def run_of(root: Path, smape: float, *, rows: int = 5, data: str = "data/raw") -> Path:
    """Write the metrics of a run into a folder and return it."""
    score = {"smape": smape, "smape_se": 0.5}
    mlp = {**score, "smape": smape + 1}
    models = {"ridge": {**score, "weight": 1.0}, "mlp": {**mlp, "weight": 0.0}}
    metrics = {**score, "smape_low": 49.0, "smape_high": 51.0}
    write_json(root / "metrics/metrics.json", metrics)
    write_json(root / "metrics/details.json", {"models": models})
    write_json(root / "metrics/images.json", {"links": 9, "ok": 7, "placeholders": 2})
    write_json(root / "metrics/data.json", {"train": {"kept": rows}, "test": {"rows": 3}})
    (root / "params.yaml").write_text(f"data: {{dir: {data}}}\n")
    return root


def test_it_keeps_scores_weights_and_counts(tmp_path: Path) -> None:
    """A model that is not in the blend has no weight there."""
    kept = record(run_of(tmp_path, 50.0))
    assert kept["blend"] == {
        "smape": 50.0,
        "smape_se": 0.5,
        "smape_low": 49.0,
        "smape_high": 51.0,
    }
    assert kept["models"]["ridge"] == {"smape": 50.0, "smape_se": 0.5, "weight": 1.0}
    assert kept["models"]["mlp"]["weight"] == 0.0
    assert kept["images"] == {"links": 9, "ok": 7}


def test_the_sample_is_no_real_run(tmp_path: Path) -> None:
    """The README does not pass made-up products for real ones."""
    with pytest.raises(DataError, match="expected a run on real products"):
        record(run_of(tmp_path, 50.0, data="data/synthetic"))


def test_an_ablation_is_a_column_beside_the_scores(tmp_path: Path) -> None:
    """The scores themselves stay as they were."""
    kept = record(run_of(tmp_path / "full", 50.0))
    wider = with_ablation(kept, "neighbours", run_of(tmp_path / "less", 52.0))
    column = {"blend": 52.0, "models": {"ridge": 52.0, "mlp": 53.0}}
    assert wider == {**kept, "without": {"neighbours": column}}


def test_an_ablation_on_other_rows_is_refused(tmp_path: Path) -> None:
    """Their scores cannot be compared."""
    kept = record(run_of(tmp_path / "full", 50.0))
    with pytest.raises(DataError, match="other rows"):
        with_ablation(kept, "neighbours", run_of(tmp_path / "less", 52.0, rows=4))


def test_the_program_writes_the_record_then_adds_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two runs, two calls."""
    monkeypatch.chdir(tmp_path)
    run_of(tmp_path, 50.0)
    monkeypatch.setattr("sys.argv", ["record"])
    main()
    run_of(tmp_path / "less", 52.0)
    monkeypatch.setattr("sys.argv", ["record", "--without", "vision", "--from", "less"])
    main()
    kept = json.loads(RECORD.read_text())
    assert kept["blend"]["smape"] == 50.0
    assert kept["without"]["vision"]["blend"] == 52.0
