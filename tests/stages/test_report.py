"""The stage report, from files to files."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from amlc.errors import ParamsError
from stages import report
from tests.helpers.results import PARAMETERS, write_results

ROOT = Path(__file__).parents[2]
SECTIONS: dict[str, Any] = {
    **PARAMETERS,
    "seed": 1,
    "models": ["linear", "lightgbm"],
    "data": {"dir": "data/synthetic"},
    "blend": {"coverage": 0.8},
    "evaluate": {"bootstrap_level": 0.95},
    "guards": {"max_explained_variance": 0.9},
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the working folder, with results and parameters."""
    write_results(tmp_path)
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(SECTIONS))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_it_writes_the_report_and_the_tables(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It prints the models whose results it reads, and the path of the report."""
    report.main()
    assert (folder / "data/report/index.html").read_text().startswith("<!DOCTYPE html>")
    tables = ["coverage", "curves", "epochs", "importance", "predicted", "residuals"]
    assert sorted(path.stem for path in (folder / "metrics").glob("*.csv")) == tables
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "report: reads the results of linear, lightgbm"
    assert lines[-1].startswith("report: data/report/index.html")


def test_a_missing_parameter_is_named(folder: Path) -> None:
    """The message names the key."""
    sections = {name: value for name, value in SECTIONS.items() if name != "evaluate"}
    (folder / "params.yaml").write_text(yaml.safe_dump(sections))
    with pytest.raises(ParamsError, match="missing key evaluate"):
        report.main()


def test_what_the_page_shows_of_the_parameters_is_what_it_depends_on() -> None:
    """DVC draws the page again when one of them changes."""
    stage = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]["report"]
    assert {key.split(".")[0] for key in stage["params"]} == set(report.SHOWN)


def test_every_table_has_a_template() -> None:
    """Templates lie where DVC looks for them."""
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    plots = [plot for stage in stages.values() for plot in stage.get("plots", [])]
    names = [next(iter(plot.values()))["template"] for plot in plots]
    assert names
    assert all((ROOT / f".dvc/plots/{name}.json").is_file() for name in names)
