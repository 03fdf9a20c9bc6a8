"""The report: one HTML file that needs nothing else."""

import platform
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml

from amlc.catalog.products import LINK
from amlc.report import sections
from amlc.report.examples import extremes, sheet, thumbnails
from amlc.report.findings import Findings
from amlc.report.markup import Html, tag
from amlc.report.parts import section, table

STYLE = Path(__file__).with_name("report.css")

# What a result can depend on.
PACKAGES = (
    "numpy",
    "scipy",
    "pandas",
    "pyarrow",
    "scikit-learn",
    "lightgbm",
    "xgboost-cpu",
    "xgboost",
    "pillow",
    "matplotlib",
    "seaborn",
)
# No script runs and nothing is loaded, whatever a product's text may say.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'"


def page(
    findings: Findings,
    images: Path,
    parameters: dict[str, Any],
    *,
    coverage: float,
    level: float,
    most_explained: float,
) -> str:
    """Return the report as HTML.

    Parameters
    ----------
    findings : Findings
        See there.
    images : Path
        ``data/images``.
    parameters : dict
        Sections of params.yaml, to be shown.
    coverage : float
        The share of prices that the intervals have to hold.
    level : float
        Coverage of the interval of the SMAPE.
    most_explained : float
        The share of the variance of log price that one feature may explain.
    """
    shown = [*extremes(findings).values(), sheet(findings)]
    small = thumbnails(images, [link for rows in shown for link in rows[LINK]])
    found = [
        sections.models(findings, parameters),
        sections.calibration(findings, wanted=coverage),
        sections.errors(findings, small),
        sections.importance(findings),
        sections.data(findings),
        sections.pictures(findings, small),
        sections.checks(findings, most_explained=most_explained),
        settings(parameters),
    ]
    header = sections.headline(findings, wanted=coverage, level=level)
    body = tag("body", header, _contents(findings), tag("main", found))
    title = f"SMAPE {findings.metrics['smape']:.2f} % \u2013 price model report"
    return "<!DOCTYPE html>\n" + tag("html", _head(title), body, lang="en") + "\n"


def _head(title: str) -> Html:
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", title),
        tag("style", Html(STYLE.read_text(encoding="utf-8"))),
    )


def _contents(findings: Findings) -> Html:
    names = {
        "models": "Models",
        "calibration": "Calibration",
        "errors": "Errors",
        "importance": "Importance" if len(findings.importance) else "",
        "data": "Data",
        "pictures": "Pictures",
        "checks": "Checks",
        "settings": "Settings",
    }
    links = [tag("a", name, href=f"#{anchor}") for anchor, name in names.items() if name]
    return tag("nav", links, aria_label="Sections")


def settings(parameters: dict[str, Any]) -> Html:
    """Return the parameters and the versions of what computed the results."""
    text = yaml.safe_dump(parameters, sort_keys=False, allow_unicode=True, width=80)
    return section(
        "settings",
        "Settings and versions",
        tag(
            "details",
            tag("summary", "Parameters that the results depend on"),
            tag("pre", tag("code", text), tabindex="0"),
        ),
        tag("details", tag("summary", "Versions"), table("Software", ["", "version"], versions())),
    )


def versions() -> list[tuple[str, str]]:
    """Return name and version of Python and of those packages that are installed."""
    found = [("Python", ".".join(platform.python_version_tuple()[:2]))]
    for name in PACKAGES:
        try:
            found.append((name, metadata.version(name)))
        except metadata.PackageNotFoundError:
            continue
    return found
