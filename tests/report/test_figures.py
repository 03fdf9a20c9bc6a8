"""The report's figures."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from markupsafe import Markup

from amlc.report import figures
from amlc.report.findings import Findings, read_findings
from tests.helpers.results import write_results


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory) -> Findings:
    """Return the findings of a small repository."""
    root = tmp_path_factory.mktemp("results")
    write_results(root)
    return read_findings(root, ["linear", "lightgbm"], synthetic=True)


def described(figure: Markup) -> str:
    """Return the description of a figure."""
    return figure.partition('aria-label="')[2].partition('"')[0]


def test_a_block_has_the_importance_of_its_columns() -> None:
    """Shares add up by model and block, in percent."""
    table = pd.DataFrame(
        [("a", "tabular: x", 0.5), ("a", "topics: 1", 0.2), ("a", "tabular: y", 0.3)],
        columns=["model", "feature", "share"],
    )
    shares = figures.block_shares(table)
    assert list(shares.itertuples(index=False, name=None)) == [
        ("a", "tabular", pytest.approx(80)),
        ("a", "topics", pytest.approx(20)),
    ]


def test_the_description_of_the_models_has_their_scores(findings: Findings) -> None:
    """The blend is first, then its members, the best first."""
    names = ["blend", *(name for name, _ in findings.details.ranked())]
    scores = [findings.scores.smape, *(score.smape for _, score in findings.details.ranked())]
    listed = ", ".join(f"{name} {score:.2f}" for name, score in zip(names, scores, strict=True))
    assert listed in described(figures.model_scores(findings))


def test_the_description_of_residuals_has_their_quantiles(findings: Findings) -> None:
    """They are factors between predicted and actual price."""
    ratio = findings.train["predicted"] / findings.train["price"]
    for quantile in np.quantile(ratio, [0.1, 0.5, 0.9]):
        assert f"below {quantile:.2f}" in described(figures.residuals(findings))


def test_deciles_of_equal_prices_have_a_bar_each(findings: Findings) -> None:
    """Bars with the same label are not merged."""
    same = replace(findings, train=findings.train.assign(price=5.0))
    drawing = figures.by_decile(same)
    assert drawing.count("fill: var(--accent)") == len(same.details.slices.price_decile)


def test_a_name_from_outside_is_cut_and_escaped(findings: Findings) -> None:
    """A model's or block's name cannot break the drawing."""
    table = findings.importance.assign(feature="<b>" + "w" * 200 + ": x")
    description = described(figures.important_blocks(replace(findings, importance=table)))
    assert "&lt;b&gt;ww" in description
    assert "w" * 40 not in description
