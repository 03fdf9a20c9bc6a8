"""All experiments on one offline page: sort them, see what pays, compare two side by side."""

import base64
import hashlib
import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from markupsafe import Markup

from amlc import layout
from amlc.arrays import Floats, Rows
from amlc.catalog.content import parse_content
from amlc.catalog.products import TEXT
from amlc.errors import DataError, read_errors_as
from amlc.experiments.overview import Entry, Overview
from amlc.experiments.predictions import Predictions
from amlc.experiments.repository import Repository, Revision
from amlc.experiments.tables import value
from amlc.files import replacing_folder, write_text
from amlc.report.cleaning import clean
from amlc.templates import template_environment

TEMPLATES = Path(__file__).parent
# The report has the same colours.
STYLES = (TEMPLATES.parent / "report/variables.css", TEMPLATES / "experiments.css")
# Worst products of a run, and runs, the best first, whose worst products are shown.
WORST = 8
WORST_RUNS = 25
TITLE_LENGTH = 90
# Most parameters that the page has columns and axes for; those that differ most often come first.
MOST_PARAMETERS = 40


@dataclass(frozen=True)
class Products:
    """Products that some run predicts badly, and what every run predicts for them.

    Parameters
    ----------
    titles : list of str
        Cut to size.
    prices : list of float
        Actual prices.
    predicted : dict of str to list of float
        By the run's key, in the order of the titles; runs of other products are left out.
    """

    titles: list[str]
    prices: list[float]
    predicted: dict[str, list[float]]


def write_page(repository: Repository, overview: Overview) -> Path:
    """Write the page and copies of the reports that it links to; return its path.

    Parameters
    ----------
    repository : Repository
        Where the experiments are.
    overview : Overview
        The table of experiments.
    """
    folder = repository.root / layout.EXPERIMENTS
    with replacing_folder(folder) as temporary:
        reports = {
            key(entry): link
            for entry in overview.entries
            if (link := _report(repository, entry.run.revision, temporary)) is not None
        }
        products = _products(Predictions(repository), overview)
        write_text(temporary / "index.html", render(overview, products, reports))
    return folder / "index.html"


def key(entry: Entry) -> str:
    """Return what identifies a run on the page: its commit, or ``"workspace"``."""
    return entry.run.revision.commit or entry.run.revision.name


def render(overview: Overview, products: Products | None, reports: dict[str, str]) -> str:
    """Return the page as HTML.

    Parameters
    ----------
    overview : Overview
        The table of experiments.
    products : Products or None
        The worst products; None where no predictions are in DVC's cache.
    reports : dict of str to str
        Links to the reports by the run's key.
    """
    environment = template_environment(TEMPLATES)
    script = (TEMPLATES / "experiments.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    content = _content(overview, products, reports)
    return environment.get_template("experiments.html.j2").render(
        reference=overview.reference.label,
        pending=overview.pending,
        runs=content["runs"],
        # Files of this package, and data in which no character can end the element.
        script=Markup(script),  # noqa: S704 - see above
        script_hash=digest,
        data=Markup(_json(content)),  # noqa: S704 - see above
        style=Markup("".join(path.read_text(encoding="utf-8") for path in STYLES)),  # noqa: S704 - see above
    )


def _json(content: Any) -> str:
    text = json.dumps(content, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _content(
    overview: Overview, products: Products | None, reports: dict[str, str]
) -> dict[str, Any]:
    counts: dict[str, int] = {}
    for entry in overview.entries:
        for name in entry.changes:
            counts[name] = counts.get(name, 0) + 1
    shown = sorted(sorted(counts), key=lambda name: -counts[name])[:MOST_PARAMETERS]
    return {
        "parameters": [clean(name, 80) for name in shown],
        "runs": [
            {
                **_run(entry, shown, reports.get(key(entry))),
                "reference": entry.run.revision == overview.reference,
            }
            for entry in overview.entries
        ],
        "products": products
        and {
            "titles": products.titles,
            "prices": products.prices,
            "predicted": products.predicted,
        },
    }


def _run(entry: Entry, shown: Iterable[str], report: str | None) -> dict[str, Any]:
    revision, scores, difference = entry.run.revision, entry.run.scores, entry.difference
    return {
        "key": key(entry),
        "name": clean(revision.name, 60),
        "kind": revision.kind,
        "commit": (revision.commit or "")[:7],
        "result": entry.result,
        "smape": round(scores.smape, 4),
        "low": round(scores.smape_low, 4),
        "high": round(scores.smape_high, 4),
        "difference": None if difference is None else round(difference.mean, 4),
        "se": difference and difference.finite_se and round(difference.finite_se, 4),
        "verdict": "unknown" if difference is None else difference.verdict,
        "seconds": entry.seconds and round(entry.seconds, 1),
        "models": {clean(name, 40): round(score, 4) for name, score in scores.models.items()},
        "changed": entry.changed(),
        "values": [_value(entry.run.parameters.get(name)) for name in shown],
        "report": report,
    }


def _value(content: Any) -> float | str:
    """Return a number as it is, for an axis, and anything else as text."""
    if isinstance(content, int | float) and not isinstance(content, bool) and abs(content) < 1e15:
        return content
    return value(content)


def _products(predictions: Predictions, overview: Overview) -> Products | None:
    """Return the worst products of the best runs of the reference's products."""
    reference = overview.reference
    try:
        shared = predictions.shared(reference, reference)
    except DataError:
        return None
    predicted: dict[str, Floats] = {}
    for entry in overview.entries:
        try:
            if len(predictions.shared(reference, entry.run.revision).price) == len(shared.price):
                predicted[key(entry)] = _of_shared(predictions, reference, entry.run.revision)
        except DataError:
            # Not in DVC's cache: the page compares this run by its scores alone.
            continue
    if not predicted or not shared.price.size:
        return None
    actual = np.log(shared.price)
    worst = [
        np.argsort(-np.abs(log_price - actual), kind="stable")[:WORST]
        for log_price in list(predicted.values())[:WORST_RUNS]
    ]
    rows = np.unique(np.concatenate(worst))
    return Products(
        titles=_titles(predictions.repository, reference, shared.first[rows]),
        prices=[round(price, 2) for price in shared.price[rows].tolist()],
        predicted={
            name: [round(price, 2) for price in np.exp(log_price[rows]).tolist()]
            for name, log_price in predicted.items()
        },
    )


def _of_shared(predictions: Predictions, reference: Revision, revision: Revision) -> Floats:
    """Return a run's log prices of the train rows, in the order of the reference."""
    shared = predictions.shared(reference, revision)
    order = np.argsort(shared.first, kind="stable")
    log_price: Floats = predictions.log_price(revision)[shared.second[order]]
    return log_price


def _titles(repository: Repository, revision: Revision, rows: Rows) -> list[str]:
    path = repository.data(revision, layout.PRODUCTS)
    with read_errors_as(DataError, f"{revision.label}: {layout.PRODUCTS}: cannot be read"):
        texts = pq.read_table(path, columns=[TEXT]).column(TEXT).take(rows.tolist()).to_pylist()
    titles = (clean(parse_content(str(text)).title, TITLE_LENGTH) for text in texts)
    return [title or "No title" for title in titles]


def _report(repository: Repository, revision: Revision, folder: Path) -> str | None:
    """Copy a run's report from DVC's cache; return the link to it, None where there is none."""
    own = layout.REPORT / "index.html"
    try:
        source = repository.data(revision, own)
    except DataError:
        return None
    if revision.commit is None:
        return os.path.relpath(own, layout.EXPERIMENTS)
    target = folder / "reports" / f"{revision.commit}.html"
    target.parent.mkdir(exist_ok=True)
    if not target.exists():
        try:
            # The cache's files are read-only, so a link to one is as good as a copy.
            os.link(source, target)
        except OSError:
            shutil.copyfile(source, target)
    return f"reports/{target.name}"
