"""What the page shows."""

from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from amlc.report.findings import Findings, read_findings
from amlc.report.metrics_files import Drift, HeldOut, ModelScore
from amlc.report.page import LONGEST, Page, make_page
from tests.helpers.results import PARAMETERS, write_results


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a small repository with results."""
    folder = tmp_path_factory.mktemp("results")
    write_results(folder, gap=-0.4)
    return folder


@pytest.fixture(scope="module")
def findings(root: Path) -> Findings:
    """Return its findings."""
    return read_findings(root, ["linear", "lightgbm"], synthetic=True)


def page_of(root: Path, findings: Findings) -> Page:
    """Return the page of some findings."""
    images = root / "data/images"
    return make_page(
        findings, images, PARAMETERS, coverage=0.8, level=0.95, max_explained_variance=0.9
    )


@pytest.fixture(scope="module")
def page(root: Path, findings: Findings) -> Page:
    """Return the page of these findings."""
    return page_of(root, findings)


def changed(model: Any, **values: Any) -> Any:
    """Return a copy of a metrics file's content with other values."""
    return model.model_copy(update=values)


def test_scores_and_counts_are_those_of_the_findings(page: Page, findings: Findings) -> None:
    """They are not computed again."""
    assert (page.scores, page.details) == (findings.scores, findings.details)
    assert (page.data, page.images) == (findings.data, findings.images)
    assert (page.level, page.wanted, page.floor) == (0.95, 0.8, 30.0)


def test_most_products_are_within_the_two_factors(page: Page, findings: Findings) -> None:
    """Half of them are within one factor, nine in ten within the other."""
    predicted, price = findings.train["predicted"], findings.train["price"]
    factor = pd.concat([predicted / price, price / predicted], axis=1).max(axis=1)
    assert (factor <= page.half + 1e-9).mean() >= 0.5
    assert (factor <= page.nine_tenths + 1e-9).mean() >= 0.9


@pytest.mark.parametrize(("best", "gain"), [(41.5, 1.5), (39.0, -1.0)])
def test_the_gain_is_that_over_the_best_member(
    root: Path, findings: Findings, best: float, gain: float
) -> None:
    """It is negative where the blend is worse."""
    models = {
        "linear": ModelScore(smape=60.0, smape_se=1.0, weight=0.5),
        "lightgbm": ModelScore(smape=best, smape_se=1.0, weight=0.5),
    }
    other = replace(
        findings,
        scores=changed(findings.scores, smape=40.0, smape_low=39.0, smape_high=41.0),
        details=changed(findings.details, models=models),
    )
    assert page_of(root, other).gain == gain


def test_the_columns_of_drift_are_ordered(root: Path, findings: Findings) -> None:
    """The column with the largest AUC comes first; a bar is empty at an AUC of a half."""
    drift = Drift(auc=0.6, columns={"a": 0.5, "b": 0.75})
    guards = changed(findings.guards, drift=drift)
    checks = page_of(root, replace(findings, guards=guards)).checks
    assert checks.drift == drift
    rows = [(column.name, column.number, column.bar) for column in checks.drift_columns]
    assert rows == [("b", 0.75, 0.5), ("a", 0.5, 0.0)]


def test_rare_reasons_are_counted_together(root: Path, findings: Findings) -> None:
    """The most frequent ones are named, the most frequent first; no link is left out."""
    failures = {f"http {code}": code for code in range(400, 400 + LONGEST + 3)}
    images = changed(findings.images, failures=failures)
    reasons = page_of(root, replace(findings, images=images)).failures
    counts = [count for _, count in reasons.named]
    assert counts == sorted(counts, reverse=True)
    assert len(counts) == LONGEST
    assert sum(counts) + reasons.others == sum(failures.values())


def test_the_columns_are_those_of_the_model_with_the_largest_weight(
    root: Path, findings: Findings
) -> None:
    """Bars are relative to the first column."""
    table = pd.DataFrame(
        [("linear", "a", 1.0), ("lightgbm", "b", 0.8), ("lightgbm", "c", 0.2)],
        columns=["model", "feature", "share"],
    )
    models = {
        "linear": ModelScore(smape=60.0, smape_se=1.0, weight=0.1),
        "lightgbm": ModelScore(smape=50.0, smape_se=1.0, weight=0.9),
    }
    other = replace(findings, importance=table, details=changed(findings.details, models=models))
    importance = page_of(root, other).importance
    assert importance is not None
    assert importance.model == "lightgbm"
    rows = [(column.name, column.number, column.bar) for column in importance.columns]
    assert rows == [("b", 0.8, 1.0), ("c", 0.2, 0.25)]


@pytest.mark.parametrize(("gap", "agrees"), [(1.9, True), (2.1, False), (-2.1, False)])
def test_a_held_out_score_has_to_be_close_to_the_other(
    root: Path, findings: Findings, gap: float, *, agrees: bool
) -> None:
    """It may differ by four standard errors, in either direction."""
    held_out = HeldOut(rows=9, smape=50.0, gap=gap, gap_se=0.5, coverage=80.0)
    details = changed(findings.details, held_out=held_out)
    assert page_of(root, replace(findings, details=details)).checks.held_out_agrees == agrees


def test_names_of_columns_are_cut_to_size(root: Path, findings: Findings) -> None:
    """Words of the catalogue may be of any length."""
    leak = changed(findings.guards.leak, feature="w" * 500)
    guards = changed(findings.guards, leak=leak)
    assert len(page_of(root, replace(findings, guards=guards)).checks.leak.feature) == 90


def test_versions_are_those_of_what_is_installed(page: Page) -> None:
    """Python comes first, then the libraries that compute and draw."""
    assert next(iter(page.versions)) == "Python"
    assert page.versions["jinja2"] == metadata.version("jinja2")
    assert {"numpy", "lightgbm", "matplotlib"} <= set(page.versions)
