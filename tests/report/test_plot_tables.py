"""The tables for DVC's plots."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from dvc_render import VegaRenderer, render_html

from amlc.report.findings import Findings, read_findings
from amlc.report.plot_tables import (
    POINTS,
    importance_table,
    predicted_table,
    residual_table,
    write_tables,
)
from tests.helpers.results import write_results

MODELS = ["linear", "lightgbm"]
HTML = Path(__file__).parents[2] / ".dvc/html"
CHROMIUM = Path("/usr/bin/chromium")
# Milliseconds; a busy machine is slow to draw.
PATIENCE = 600_000
AXES = {
    "predicted": ("actual", "predicted"),
    "residuals": ("factor", "share"),
    "coverage": ("decile", "coverage"),
    "curves": ("round", "smape"),
    "epochs": ("epoch", "smape"),
    "importance": ("share", "feature"),
}
TEMPLATES = {"epochs": "curves"}


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory) -> Findings:
    """Return findings of more rows than are drawn."""
    root = tmp_path_factory.mktemp("results")
    write_results(root, rows=POINTS + 200)
    return read_findings(root, MODELS, synthetic=True)


def rows(path: Path) -> list[dict[str, str]]:
    """Read a table as DVC does."""
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_every_plot_has_its_table(findings: Findings, tmp_path: Path) -> None:
    """Each has its header and at least one row."""
    write_tables(tmp_path, findings, coverage=0.8, seed=1)
    tables = {path.stem: rows(path) for path in tmp_path.iterdir()}
    assert {name: list(table[0]) for name, table in tables.items()} == {
        "predicted": ["actual", "predicted"],
        "residuals": ["factor", "share"],
        "coverage": ["decile", "price", "coverage", "wanted"],
        "curves": ["model", "round", "smape"],
        "epochs": ["model", "epoch", "smape"],
        "importance": ["model", "feature", "share"],
    }


def test_the_same_findings_give_the_same_bytes(findings: Findings, tmp_path: Path) -> None:
    """Git shows no change where there is none."""
    for name in ("a", "b"):
        write_tables(tmp_path / name, findings, coverage=0.8, seed=1)
    first, second = (sorted((tmp_path / name).iterdir()) for name in ("a", "b"))
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_points_are_a_draw_of_the_products(findings: Findings) -> None:
    """There are as many as git should keep, each once, in the table's order."""
    table = predicted_table(findings, seed=1)
    prices = findings.train[["price", "predicted"]].round(2).to_numpy().tolist()
    positions = [prices.index(point) for point in table.to_numpy().tolist()]
    assert len(table) == POINTS
    assert positions == sorted(set(positions))


def test_few_products_are_all_shown(findings: Findings) -> None:
    """Nothing is drawn twice to fill up."""
    few = replace(findings, train=findings.train.head(7))
    assert len(predicted_table(few, seed=1)) == 7


def test_residuals_count_every_product_once(findings: Findings) -> None:
    """Those beyond the last bin count in it; the shares are those of a plain loop."""
    table = residual_table(findings)
    centers = np.log(table["factor"].to_numpy())
    nearest = [int(np.argmin(np.abs(centers - ratio))) for ratio in findings.log_ratio]
    counts = [nearest.count(place) for place in range(len(table))]
    assert table["share"].to_numpy() == pytest.approx(
        100 * np.array(counts) / len(nearest), abs=1e-2
    )
    assert table["share"].sum() == pytest.approx(100, abs=0.05)


def test_names_of_columns_cannot_end_a_script(findings: Findings) -> None:
    """DVC writes names into a script without escaping them."""
    text = importance_table(findings).to_csv()
    assert "log ?total?" in text
    assert not set("<>&\\") & set(text)


def test_the_page_of_plots_is_the_layout_with_the_libraries_inside() -> None:
    """After a change of the layout, .dvc/html/pack.sh makes the page again."""
    before, after = (HTML / "layout.html").read_text().split("<!-- libraries -->")
    text = (HTML / "plots.html").read_text()
    assert text.startswith(before)
    assert text.endswith(after)
    assert "{scripts}" not in text
    assert "<script src" not in text


@pytest.mark.skipif(not CHROMIUM.exists(), reason="needs /usr/bin/chromium")
@pytest.mark.slow
def test_a_browser_draws_every_plot_without_a_network(findings: Findings, tmp_path: Path) -> None:
    """It draws each plot from its table and template, for two experiments."""
    sync_api = pytest.importorskip("playwright.sync_api")
    write_tables(tmp_path, findings, coverage=0.8, seed=1)
    page = render_html(
        [renderer(name, rows(tmp_path / f"{name}.csv")) for name in AXES],
        tmp_path / "plots/index.html",
        HTML / "plots.html",
    )
    events: list[str] = []
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"], timeout=PATIENCE
        )
        tab = browser.new_page()
        tab.set_default_timeout(PATIENCE)
        tab.on("console", lambda message: events.append(message.text))
        tab.on("pageerror", lambda error: events.append(str(error)))
        tab.on("request", lambda request: events.append(request.url))
        tab.goto(Path(page).as_uri())
        tab.wait_for_function(f"document.querySelectorAll('main svg.marks').length == {len(AXES)}")
        labels = tab.evaluate(
            "[...document.querySelectorAll('main svg.marks')].map(s => s.textContent)"
        )
        browser.close()
    assert events == [Path(page).as_uri()]
    assert all("first" in label and "second" in label for label in labels)


def renderer(name: str, table: list[dict[str, str]]) -> VegaRenderer:
    """Return what DVC draws of a table for two experiments."""
    x, y = AXES[name]
    folder = str(HTML.parent / "plots")
    both = [{**row, "rev": rev} for rev in ("first", "second") for row in table]
    return VegaRenderer(
        both, name, x=x, y=y, template=TEMPLATES.get(name, name), template_dir=folder
    )


def test_without_boosted_models_the_tables_are_empty(tmp_path: Path) -> None:
    """The header stays, as DVC reads it."""
    write_results(tmp_path, boosted=False)
    findings = read_findings(tmp_path, ["linear"], synthetic=False)
    write_tables(tmp_path / "metrics", findings, coverage=0.8, seed=1)
    assert (tmp_path / "metrics/curves.csv").read_text() == "model,round,smape\n"
    assert (tmp_path / "metrics/epochs.csv").read_text() == "model,epoch,smape\n"
    assert (tmp_path / "metrics/importance.csv").read_text() == "model,feature,share\n"
