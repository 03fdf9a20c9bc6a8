"""What the report suggests to try next."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from amlc.evaluation.metrics_files import ModelScore
from amlc.report.findings import Findings, read_findings
from amlc.report.suggestions import suggestions
from tests.helpers.results import write_results

TRAIN: dict[str, Any] = {
    "linear": {"blocks": ["tabular"]},
    "lightgbm": {"blocks": ["tabular", "topics"], "n_estimators": 100},
}


@pytest.fixture
def findings(tmp_path: Path) -> Findings:
    """Return the findings of a run without curves."""
    write_results(tmp_path)
    found = read_findings(tmp_path, ["linear", "lightgbm"], synthetic=True)
    return replace(found, curves=found.curves.iloc[:0])


def with_curve(findings: Findings, smape: list[float]) -> Findings:
    """Return findings with a learning curve of LightGBM."""
    rounds = [10 * (n + 1) for n in range(len(smape))]
    curve = pd.DataFrame({"model": "lightgbm", "round": rounds, "smape": smape})
    return replace(findings, curves=curve)


def commands(findings: Findings) -> list[str]:
    """Return the suggested commands."""
    return [each.command for each in suggestions(findings, TRAIN)]


def test_a_curve_that_still_falls_calls_for_more_rounds(findings: Findings) -> None:
    """By half as many again."""
    falling = with_curve(findings, [60 - n for n in range(10)])
    assert "dvc exp run -S train.lightgbm.n_estimators=150" in commands(falling)


def test_a_curve_that_rose_again_calls_for_fewer(findings: Findings) -> None:
    """As many as at its lowest point."""
    risen = with_curve(findings, [60, 55, 50, 45, 44, 45, 46, 47, 48, 49])
    assert "dvc exp run -S train.lightgbm.n_estimators=50" in commands(risen)


def test_a_flat_curve_calls_for_nothing(findings: Findings) -> None:
    """Nor does one of a few points."""
    for smape in ([44.0] * 10, [50.0, 40.0]):
        assert not any("n_estimators" in each for each in commands(with_curve(findings, smape)))


def test_models_without_weight_may_be_left_out(findings: Findings) -> None:
    """The blend is then the same."""
    models = {
        "linear": ModelScore(smape=60, smape_se=1, weight=0.0),
        "lightgbm": ModelScore(smape=50, smape_se=1, weight=1.0),
    }
    idle = replace(findings, details=findings.details.model_copy(update={"models": models}))
    assert "dvc exp run -S 'models=[lightgbm]'" in commands(idle)
    assert not any("models=[" in each for each in commands(findings))


def test_the_block_that_a_model_relies_on_least_is_left_out(findings: Findings) -> None:
    """Of the model with the largest weight that has importances."""
    assert commands(findings) == ["dvc exp run -S 'train.lightgbm.blocks=[tabular]'"]
