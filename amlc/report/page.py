"""What the page shows, as one typed object for the template.

Values are as the stages computed them: the template formats numbers, cuts the texts of the metrics
files to size and adds the words.
"""

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from amlc.catalog.products import ID, LINK, PRICE
from amlc.evaluation.metrics_files import DataCounts, Details, Guards, ImageCounts, Scores
from amlc.evaluation.slicing import SliceCost
from amlc.pricing.manifest import LIBRARIES, versions
from amlc.report.examples import Card, Tile, cards, extremes, read_texts, sheet, thumbnails, tiles
from amlc.report.figures import Figures, draw_figures
from amlc.report.findings import Findings
from amlc.report.suggestions import Suggestion, suggestions

# The libraries that draw the page.
DRAWING = ("matplotlib", "seaborn", "jinja2")


@dataclass(frozen=True)
class Importance:
    """The columns that a model relies on, each with its share, the largest first."""

    model: str
    columns: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Page:
    """The whole page.

    Parameters
    ----------
    scores, details, guards, data, images : Scores, Details, Guards, DataCounts, ImageCounts
        The metrics files.
    floor : float or None
        The best possible SMAPE where it is known.
    level, target : float
        Coverage of the interval of the SMAPE, and of the intervals of the prices.
    max_explained_variance : float
        The share of the variance of log price above which the pipeline stops.
    factor_of_half, factor_of_nine_tenths : float
        Factors between predicted and actual price that these shares of the products stay within.
    train : mapping of str to mapping
        The settings of each model: section ``train`` of params.yaml.
    median_prices : dict of str to float
        The median price of the products with each kind of unit.
    figures : Figures
        The drawings.
    importance : Importance or None
        Of the model with the largest weight; None where no model has an importance.
    too_low, too_high, closest : tuple of Card
        Products whose predictions are furthest off, and those where they are closest.
    tiles : tuple of Tile
        The contact sheet.
    parameters : str
        Sections of params.yaml, as YAML.
    versions : dict of str to str
        Of Python and the libraries that computed the results.
    source : str
        Folder of the data.
    result : str
        Identifies the predictions, as in the table of experiments.
    costliest : tuple of SliceCost
        The slices that account for most of the error.
    suggestions : tuple of Suggestion
        What to try next.
    """

    scores: Scores
    details: Details
    guards: Guards
    data: DataCounts
    images: ImageCounts
    floor: float | None
    level: float
    target: float
    max_explained_variance: float
    factor_of_half: float
    factor_of_nine_tenths: float
    train: Mapping[str, Mapping[str, Any]]
    median_prices: dict[str, float]
    figures: Figures
    importance: Importance | None
    too_low: tuple[Card, ...]
    too_high: tuple[Card, ...]
    closest: tuple[Card, ...]
    tiles: tuple[Tile, ...]
    parameters: str
    versions: dict[str, str]
    source: str
    result: str
    costliest: tuple[SliceCost, ...]
    suggestions: tuple[Suggestion, ...]


def make_page(
    findings: Findings,
    products: Path,
    images: Path,
    parameters: Mapping[str, Any],
    *,
    coverage: float,
    level: float,
    max_explained_variance: float,
) -> Page:
    """Return what the page shows.

    Parameters
    ----------
    findings : Findings
        The results of the run.
    products, images : Path
        ``data/products.parquet`` and ``data/images``.
    parameters : mapping
        The sections of params.yaml to show.
    coverage : float
        The share of prices that the intervals should contain.
    level : float
        Coverage of the interval of the SMAPE.
    max_explained_variance : float
        The share of the variance of log price that one feature may explain.
    """
    groups, pictured = extremes(findings), sheet(findings)
    shown = pd.concat([*groups.values(), pictured])
    texts, pictures = read_texts(products, set(shown[ID])), thumbnails(images, shown[LINK])
    half, nine_tenths = np.exp(np.quantile(np.abs(findings.log_ratio), [0.5, 0.9]))
    kinds = findings.train.groupby(findings.train["kind"].astype(str))
    python = ".".join(platform.python_version_tuple()[:2])
    return Page(
        scores=findings.scores,
        details=findings.details,
        guards=findings.guards,
        data=findings.data,
        images=findings.images,
        floor=findings.floor,
        level=level,
        target=coverage,
        max_explained_variance=max_explained_variance,
        factor_of_half=float(half),
        factor_of_nine_tenths=float(nine_tenths),
        train=parameters["train"],
        median_prices={str(kind): float(rows[PRICE].median()) for kind, rows in kinds},
        figures=draw_figures(findings, coverage),
        importance=_importance(findings) if len(findings.importance) else None,
        too_low=cards(groups["too low"], texts, pictures, findings),
        too_high=cards(groups["too high"], texts, pictures, findings),
        closest=cards(groups["closest"], texts, pictures, findings),
        tiles=tiles(pictured, texts, pictures),
        parameters=yaml.safe_dump(dict(parameters), sort_keys=False, allow_unicode=True, width=80),
        versions={"Python": python, **versions(sorted({*LIBRARIES, "scikit-learn", *DRAWING}))},
        source=str(parameters["data"]["dir"]),
        result=findings.result,
        costliest=tuple(findings.costliest),
        suggestions=suggestions(findings, parameters["train"]),
    )


def _importance(findings: Findings) -> Importance:
    table, members = findings.importance, findings.details.models
    model = max(table["model"].unique(), key=lambda name: members[name].weight)
    rows = table[table["model"] == model]
    return Importance(model, tuple(zip(rows["feature"], rows["share"].astype(float), strict=True)))
