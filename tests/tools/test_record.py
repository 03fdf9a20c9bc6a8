"""The records of measurements."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from amlc.errors import CheckError, DataError
from amlc.files import write_json
from tools.record import REAL, RESULTS, commit_of, main, record_run, record_tables, tables

TABLES = "before\n\n## One\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\nTwo\n| c | 3 |\nafter"


def run_of(root: Path, smape: float, *, data: str = "data/raw") -> Path:
    """Write the metrics of a run into a folder and return it."""
    score = {"smape": smape, "smape_se": 0.5}
    mlp = {**score, "smape": smape + 1}
    models = {"ridge": {**score, "weight": 1.0}, "mlp": {**mlp, "weight": 0.0}}
    write_json(
        root / "metrics/metrics.json",
        {**score, "smape_low": 49.0, "smape_high": 51.0, "models": {"ridge": smape}},
    )
    write_json(root / "metrics/details.json", {"models": models, "interval": {"coverage": 80.0}})
    write_json(root / "metrics/guards.json", {"drift": {"auc": 0.5}})
    write_json(root / "metrics/images.json", {"links": 9, "ok": 7, "placeholders": 2})
    write_json(root / "metrics/data.json", {"train": {"kept": 5}, "test": {"rows": 3}})
    (root / "params.yaml").write_text(f"data: {{dir: {data}}}\n")
    return root


def git(root: Path, *arguments: str) -> None:
    """Run git with a fixed author."""
    person = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    subprocess.run(["git", *person, *arguments], cwd=root, check=True, capture_output=True)


def repository(root: Path) -> Path:
    """Make a folder a repository with one file of code."""
    (root / "amlc").mkdir(parents=True)
    (root / "amlc/a.py").write_text("")
    git(root, "init")
    git(root, "add", "amlc")
    git(root, "commit", "--message", "first")
    return root


def test_a_run_keeps_scores_weights_guards_and_counts(tmp_path: Path) -> None:
    """A model that is not in the blend has the weight 0 there."""
    kept = record_run(run_of(tmp_path, 50.0), "abc1234")
    assert kept["commit"] == "abc1234"
    assert kept["blend"] == {
        "smape": 50.0,
        "smape_se": 0.5,
        "smape_low": 49.0,
        "smape_high": 51.0,
    }
    assert kept["models"]["ridge"] == {"smape": 50.0, "smape_se": 0.5, "weight": 1.0}
    assert kept["models"]["mlp"]["weight"] == 0.0
    assert kept["images"] == {"links": 9, "ok": 7}
    assert kept["interval"] == {"coverage": 80.0}
    assert kept["guards"] == {"drift": {"auc": 0.5}}


def test_a_run_on_the_synthetic_catalogue_is_refused(tmp_path: Path) -> None:
    """Scores on synthetic products must not appear as scores on real ones."""
    with pytest.raises(DataError, match="expected a run on real products"):
        record_run(run_of(tmp_path, 50.0, data="data/synthetic"), "abc1234")


def test_tables_are_found_with_their_titles() -> None:
    """The title is the last line before the table; its lines are kept as they are."""
    assert tables(TABLES) == [
        {"title": "One", "lines": ["| a | b |", "|---|---|", "| 1 | 2 |"]},
        {"title": "Two", "lines": ["| c | 3 |"]},
    ]


def test_a_benchmark_runs_and_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """Its output is printed as well as kept."""
    kept = record_tables([sys.executable, "-c", f"print({TABLES!r})"], "abc1234")
    assert kept == {"commit": "abc1234", "tables": tables(TABLES)}
    assert capsys.readouterr().out == f"{TABLES}\n"


def test_a_benchmark_that_fails_is_not_recorded() -> None:
    """Half a table must not replace a whole one."""
    program = "import sys; print('| a |'); sys.exit(3)"
    with pytest.raises(CheckError, match="ended with status 3"):
        record_tables([sys.executable, "-c", program], "abc1234")


def test_a_benchmark_without_a_table_is_refused() -> None:
    """An empty record would empty the documentation."""
    with pytest.raises(DataError, match="printed no table"):
        record_tables([sys.executable, "-c", ""], "abc1234")


def test_a_changed_module_is_marked_but_changed_results_are_not(tmp_path: Path) -> None:
    """A run always changes parameters and metrics; what was measured is the code."""
    root = repository(tmp_path)
    clean = commit_of(root)
    (root / "params.yaml").write_text("a: 1\n")
    (root / RESULTS).mkdir(parents=True)
    (root / RESULTS / "real.json").write_text("{}")
    git(root, "add", "--all", str(RESULTS))
    assert commit_of(root) == clean
    (root / "amlc/a.py").write_text("changed")
    assert commit_of(root) == f"{clean}-dirty"


def test_a_folder_outside_git_is_refused(tmp_path: Path) -> None:
    """A record without a commit could not be checked."""
    with pytest.raises(DataError, match="cannot tell the commit"):
        commit_of(tmp_path)


def test_the_program_writes_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One form keeps a run, the other a benchmark's tables."""
    monkeypatch.chdir(run_of(repository(tmp_path), 50.0))
    main(["run"])
    main(["tables", "peers", "--", sys.executable, "-c", "print('| a |')"])
    assert json.loads(REAL.read_text())["blend"]["smape"] == 50.0
    kept = json.loads((RESULTS / "peers.json").read_text())
    assert kept["tables"][0]["lines"] == ["| a |"]
