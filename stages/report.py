"""Write the report and the tables for DVC's plots."""

import os
from pathlib import Path

from amlc import layout, params
from amlc.errors import run

# Sections of params.yaml that the page does not show; `train` it shows as the models were fitted.
HIDDEN = frozenset({"threads", "executor", "synthetic", "images", "fetching", "search", "train"})
SHOWN = tuple(name for name in params.SECTIONS if name not in HIDDEN)


def main() -> None:
    """Write data/report/index.html and tables under metrics/."""
    models = params.value("models")
    print(f"report: reads the results of {', '.join(models)}", flush=True)
    # The drawing libraries take seconds to import.
    from amlc.files import write_text  # noqa: PLC0415 - see above
    from amlc.models.predictions import read_settings  # noqa: PLC0415 - see above
    from amlc.report.findings import read_findings  # noqa: PLC0415 - see above
    from amlc.report.page import make_page  # noqa: PLC0415 - see above
    from amlc.report.plot_tables import write_tables  # noqa: PLC0415 - see above
    from amlc.report.render import render  # noqa: PLC0415 - see above

    coverage = params.value("blend.coverage")
    synthetic = Path(params.value("data.dir")) == layout.SYNTHETIC
    findings = read_findings(layout.ROOT, models, synthetic=synthetic)
    write_tables(layout.METRICS, findings, coverage=coverage, seed=params.seed())
    parameters = params.read()
    shown = {name: parameters[name] for name in SHOWN if name in parameters}
    page = make_page(
        findings,
        layout.PRODUCTS,
        layout.IMAGES,
        {**shown, "train": read_settings(layout.MODELS, models)},
        coverage=coverage,
        level=params.value("evaluate.bootstrap_level"),
        max_explained_variance=params.value("guards.max_explained_variance"),
    )
    html = render(page)
    write_text(layout.REPORT / "index.html", html)
    print(f"report: {layout.REPORT}/index.html, {len(html.encode()) / 1e6:.1f} MB")
    _print_experiment()


def _print_experiment() -> None:
    """In an experiment of DVC, print its line of the table of experiments."""
    baseline = os.environ.get("DVC_EXP_BASELINE_REV")
    if baseline:
        from amlc.experiments.overview import workspace_line  # noqa: PLC0415 - takes a second
        from amlc.experiments.repository import Repository  # noqa: PLC0415 - see above

        name = os.environ.get("DVC_EXP_NAME", "")
        print(f"report: {workspace_line(Repository(), name, baseline)}")


if __name__ == "__main__":
    run(main)
