"""amlc compare and amlc experiments on the command line."""

import json
from pathlib import Path

import pytest

from amlc import cli
from amlc.report import results as report_results


@pytest.fixture
def here(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the repository, which is the current folder."""
    monkeypatch.chdir(root)
    return root


@pytest.mark.usefixtures("here")
def test_compare_takes_the_last_commit_and_the_workspace(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As dvc metrics diff does."""
    cli.main(["compare"])
    assert capsys.readouterr().out.startswith("A  HEAD (")
    cli.main(["compare", "main", "fine-yak"])
    assert "B is better than A" in capsys.readouterr().out


@pytest.mark.usefixtures("here")
def test_results_end_with_the_difference_from_the_last_commit(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether a run is better stands where its score does."""
    monkeypatch.setattr(report_results, "results", lambda: "the table of models")
    cli.main(["results"])
    assert capsys.readouterr().out.splitlines()[-1].startswith("against     HEAD (")


@pytest.mark.usefixtures("here")
def test_compare_prints_markdown_or_json(capsys: pytest.CaptureFixture[str]) -> None:
    """For .ci/compare and other programs."""
    cli.main(["compare", "main", "fine-yak", "--markdown"])
    assert "| blend | 120 |" in capsys.readouterr().out
    cli.main(["compare", "main", "fine-yak", "--json"])
    assert json.loads(capsys.readouterr().out)["counts"] == [120, 120]


@pytest.mark.usefixtures("here")
def test_experiments_are_listed_in_three_forms(capsys: pytest.CaptureFixture[str]) -> None:
    """Text, CSV and JSON have the same runs."""
    outputs = []
    for form in ([], ["--csv"], ["--json"]):
        cli.main(["experiments", *form])
        outputs.append(capsys.readouterr().out)
    assert all("fine-yak" in output and "poor-gnu" in output for output in outputs)
    assert len({output.count("\n") for output in outputs}) == 3


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("command", [["compare", "none"], ["experiments", "--against", "none"]])
def test_an_unknown_revision_ends_in_one_line(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """It says what lists the names."""
    with pytest.raises(SystemExit) as error:
        cli.main(command)
    assert error.value.code == 1
    assert capsys.readouterr().err.startswith("error: none: not a revision or an experiment")
