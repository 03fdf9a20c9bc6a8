"""What the page shows, as one typed object for the template.

Numbers are not formatted yet, and there is no wording: both are the template's work. Texts of the
catalogue are cut to size. A field of type `Markup` is a drawing.
"""

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from markupsafe import Markup

from amlc.catalog.products import LINK, PRICE
from amlc.pricing.manifest import LIBRARIES, versions
from amlc.report import figures
from amlc.report.cleaning import clean
from amlc.report.examples import Card, Tile, cards, extremes, sheet, thumbnails, tiles
from amlc.report.findings import Findings
from amlc.report.metrics_files import (
    DataCounts,
    Details,
    Drift,
    HeldOut,
    ImageCounts,
    Leak,
    Permutation,
    Scores,
)

# Longest texts, in characters.
REASON_LENGTH = 60
COLUMN_LENGTH = 90
# Most rows of a table of reasons, columns or kinds of unit.
LONGEST = 12
# Standard errors by which the score on test rows may differ from the out-of-fold score.
TOLERATED = 4
# The libraries that draw the page.
DRAWING = ("matplotlib", "seaborn", "jinja2")


@dataclass(frozen=True)
class Figures:
    """The drawings; None where there is nothing to draw."""

    models: Markup
    curves: Markup | None
    predicted: Markup
    coverage: Markup
    residuals: Markup
    deciles: Markup
    blocks: Markup | None
    prices: Markup


@dataclass(frozen=True)
class Inputs:
    """The feature blocks that a model sees, and its loss."""

    model: str
    blocks: str
    loss: str


@dataclass(frozen=True)
class UnitKind:
    """The products with one kind of unit."""

    name: str
    rows: int
    median_price: float
    smape: float


@dataclass(frozen=True)
class Column:
    """A column of the features, with a number and the length of its bar, from 0 to 1."""

    name: str
    number: float
    bar: float


@dataclass(frozen=True)
class Importance:
    """The columns that a model relies on most, each with its share of the importance."""

    model: str
    columns: tuple[Column, ...]


@dataclass(frozen=True)
class Reasons:
    """How often each reason occurred, the most frequent first, and the rest taken together."""

    named: tuple[tuple[str, int], ...]
    others: int


@dataclass(frozen=True)
class Checks:
    """The checks of whether the scores can be trusted.

    Parameters
    ----------
    permutation, leak : Permutation, Leak
        Results of the checks for leaks; the pipeline stops if one fails.
    max_explained_variance : float
        The share of the variance of log price above which the pipeline stops.
    held_out : HeldOut or None
        None where no test row has a known price.
    held_out_agrees : bool
        Whether the score on held-out rows is close enough to the out-of-fold score.
    drift : Drift or None
        None where there are no test rows.
    drift_columns : tuple of Column
        The columns that differ most between train and test, the largest AUC first.
    """

    permutation: Permutation
    leak: Leak
    max_explained_variance: float
    held_out: HeldOut | None
    held_out_agrees: bool
    drift: Drift | None
    drift_columns: tuple[Column, ...]


@dataclass(frozen=True)
class Page:
    """The whole page.

    Parameters
    ----------
    scores, details, data, images : Scores, Details, DataCounts, ImageCounts
        The metrics files.
    level, wanted : float
        Coverage of the interval of the SMAPE, and of the intervals of the prices.
    half, nine_tenths : float
        Factors between predicted and actual price that these shares of the products stay within.
    floor : float or None
        The best possible SMAPE where it is known.
    gain : float or None
        SMAPE of the best member minus that of the blend; None where one model ran.
    too_low, too_high, closest : tuple of Card
        Products whose predictions are furthest off, and those where they are closest.
    parameters : str
        Sections of params.yaml, as YAML.
    versions : dict of str to str
        Of Python and the libraries that computed the results.
    """

    scores: Scores
    details: Details
    data: DataCounts
    images: ImageCounts
    level: float
    wanted: float
    half: float
    nine_tenths: float
    floor: float | None
    gain: float | None
    inputs: tuple[Inputs, ...]
    figures: Figures
    kinds: tuple[UnitKind, ...]
    too_low: tuple[Card, ...]
    too_high: tuple[Card, ...]
    closest: tuple[Card, ...]
    importance: Importance | None
    rejected: Reasons
    flagged: Reasons
    failures: Reasons
    tiles: tuple[Tile, ...]
    checks: Checks
    parameters: str
    versions: dict[str, str]


def make_page(
    findings: Findings,
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
    images : Path
        ``data/images``.
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
    pictures = thumbnails(images, pd.concat([*groups.values(), pictured])[LINK])
    half, nine_tenths = np.exp(np.quantile(np.abs(findings.log_ratio), [0.5, 0.9]))
    ranked = findings.details.ranked()
    return Page(
        scores=findings.scores,
        details=findings.details,
        data=findings.data,
        images=findings.images,
        level=level,
        wanted=coverage,
        half=float(half),
        nine_tenths=float(nine_tenths),
        floor=findings.floor,
        gain=ranked[0][1].smape - findings.scores.smape if len(ranked) > 1 else None,
        inputs=_inputs(findings, parameters["train"]),
        figures=_figures(findings, coverage),
        kinds=_kinds(findings),
        too_low=cards(groups["too low"], pictures, findings),
        too_high=cards(groups["too high"], pictures, findings),
        closest=cards(groups["closest"], pictures, findings),
        importance=_importance(findings) if len(findings.importance) else None,
        rejected=_reasons(findings.data.train.rejected_by_reason),
        flagged=_reasons(findings.data.test.flagged_by_reason),
        failures=_reasons(findings.images.failures),
        tiles=tiles(pictured, pictures),
        checks=_checks(findings, max_explained_variance),
        parameters=yaml.safe_dump(dict(parameters), sort_keys=False, allow_unicode=True, width=80),
        versions={"Python": _python_version(), **versions(sorted({*LIBRARIES, *DRAWING}))},
    )


def _figures(findings: Findings, wanted: float) -> Figures:
    return Figures(
        models=figures.model_scores(findings),
        curves=figures.learning_curves(findings) if len(findings.curves) else None,
        predicted=figures.predicted_against_actual(findings),
        coverage=figures.coverage(findings, wanted),
        residuals=figures.residuals(findings),
        deciles=figures.by_decile(findings),
        blocks=figures.important_blocks(findings) if len(findings.importance) else None,
        prices=figures.prices(findings),
    )


def _inputs(findings: Findings, settings: Mapping[str, Any]) -> tuple[Inputs, ...]:
    return tuple(
        Inputs(name, ", ".join(model.get("blocks", [])), str(model.get("loss", "squared")))
        for name, model in settings.items()
        if name in findings.details.models
    )


def _kinds(findings: Findings) -> tuple[UnitKind, ...]:
    medians = findings.train.groupby("kind")[PRICE].median()
    kinds = sorted(findings.details.slices.unit_kind.items(), key=lambda item: -item[1].rows)
    return tuple(
        UnitKind(clean(name, REASON_LENGTH), score.rows, medians.get(name, np.nan), score.smape)
        for name, score in kinds[:LONGEST]
    )


def _importance(findings: Findings) -> Importance:
    table, weights = findings.importance, findings.details.models
    model = max(table["model"].unique(), key=lambda name: weights[name].weight)
    first = table[table["model"] == model].head(LONGEST)
    shares = first["share"].astype(float).tolist()
    longest = max(shares) or 1.0
    columns = zip(first["feature"], shares, strict=True)
    return Importance(
        model, tuple(_column(name, share, share / longest) for name, share in columns)
    )


def _reasons(counts: Mapping[str, int]) -> Reasons:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return Reasons(
        named=tuple((clean(reason, REASON_LENGTH), count) for reason, count in ordered[:LONGEST]),
        others=sum(count for _, count in ordered[LONGEST:]),
    )


def _checks(findings: Findings, max_explained_variance: float) -> Checks:
    guards, held_out = findings.guards, findings.details.held_out
    leak = Leak(
        feature=clean(guards.leak.feature, COLUMN_LENGTH),
        partner=clean(guards.leak.partner, COLUMN_LENGTH),
        share=guards.leak.share,
    )
    columns = guards.drift.columns if guards.drift else {}
    return Checks(
        permutation=guards.permutation,
        leak=leak,
        max_explained_variance=max_explained_variance,
        held_out=held_out,
        held_out_agrees=held_out is None or abs(held_out.gap) <= TOLERATED * held_out.gap_se,
        drift=guards.drift,
        drift_columns=tuple(
            _column(name, auc, 2 * auc - 1)
            for name, auc in sorted(columns.items(), key=lambda item: -item[1])
        ),
    )


def _column(name: str, number: float, bar: float) -> Column:
    return Column(clean(name, COLUMN_LENGTH), number, min(max(bar, 0.0), 1.0))


def _python_version() -> str:
    return ".".join(platform.python_version_tuple()[:2])
