"""What the page shows."""

from dataclasses import replace
from importlib import metadata
from pathlib import Path

import pandas as pd
import pytest

from amlc.evaluation.metrics_files import ModelScore
from amlc.report.findings import Findings, read_findings
from amlc.report.page import Importance, Page
from tests.helpers.results import page_of_findings, write_results


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


@pytest.fixture(scope="module")
def page(root: Path, findings: Findings) -> Page:
    """Return the page of these findings."""
    return page_of_findings(root, findings)


def test_scores_and_counts_are_those_of_the_findings(page: Page, findings: Findings) -> None:
    """They are not computed again."""
    assert (page.scores, page.details) == (findings.scores, findings.details)
    assert (page.guards, page.data, page.images) == (
        findings.guards,
        findings.data,
        findings.images,
    )
    assert (page.level, page.target, page.floor) == (0.95, 0.8, 30.0)


def test_most_products_are_within_the_two_factors(page: Page, findings: Findings) -> None:
    """Half of them are within one factor, nine in ten within the other."""
    predicted, price = findings.train["predicted"], findings.train["price"]
    factor = pd.concat([predicted / price, price / predicted], axis=1).max(axis=1)
    assert (factor <= page.factor_of_half + 1e-9).mean() >= 0.5
    assert (factor <= page.factor_of_nine_tenths + 1e-9).mean() >= 0.9


def test_the_columns_are_those_of_the_model_with_the_largest_weight(
    root: Path, findings: Findings
) -> None:
    """Columns of the other models are left out."""
    table = pd.DataFrame(
        [("linear", "a", 1.0), ("lightgbm", "b", 0.8), ("lightgbm", "c", 0.2)],
        columns=["model", "feature", "share"],
    )
    models = {
        "linear": ModelScore(smape=60.0, smape_se=1.0, weight=0.1),
        "lightgbm": ModelScore(smape=50.0, smape_se=1.0, weight=0.9),
    }
    details = findings.details.model_copy(update={"models": models})
    page = page_of_findings(root, replace(findings, importance=table, details=details))
    assert page.importance == Importance("lightgbm", (("b", 0.8), ("c", 0.2)))


def test_every_kind_of_unit_has_a_median_price(page: Page, findings: Findings) -> None:
    """It is that of the train products with this kind of unit."""
    assert set(page.median_prices) == set(findings.details.slices.unit_kind)
    prices = findings.train.loc[findings.train["kind"] == "count", "price"]
    assert page.median_prices["count"] == prices.median()


def test_versions_are_those_of_what_is_installed(page: Page) -> None:
    """Python comes first, then the libraries that compute and draw."""
    assert next(iter(page.versions)) == "Python"
    assert page.versions["jinja2"] == metadata.version("jinja2")
    assert {"numpy", "lightgbm", "matplotlib"} <= set(page.versions)
