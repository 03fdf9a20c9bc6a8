"""The page's sections, each from the findings."""

from typing import Any

import numpy as np

from amlc.catalog.products import PRICE
from amlc.report import figures
from amlc.report.examples import extremes, sheet
from amlc.report.findings import Findings
from amlc.report.markup import Child, Html, clean, joined, tag
from amlc.report.parts import (
    bar,
    cards,
    contact_sheet,
    facts,
    figure,
    key,
    pair,
    price,
    section,
    table,
)

REASON_LENGTH = 60
COLUMN_LENGTH = 90
# Rows of a table of reasons, columns or the like.
LONGEST = 12
# Standard errors that a check may be off by.
TOLERATED = 4


def headline(findings: Findings, *, wanted: float, level: float) -> Html:
    """Return the score, how sure it is, what it means, and the counts behind it."""
    metrics, data, images = findings.metrics, findings.data, findings.images
    half, most = np.exp(np.quantile(np.abs(findings.log_ratio), [0.5, 0.9]))
    used = sum(score["weight"] > 0 for score in findings.metrics["models"].values())
    return tag(
        "header",
        tag("h1", "Price model report"),
        tag("strong", f"{metrics['smape']:.2f} % ", tag("small", "SMAPE"), class_="score"),
        tag(
            "p",
            f"{100 * level:g} % interval {metrics['smape_low']:.2f} to "
            f"{metrics['smape_high']:.2f}. Half of the products are priced within a factor of "
            f"{half:.2f}, nine in ten within {most:.2f}. {_yardsticks(findings)}",
            class_="lead",
        ),
        tag(
            "p",
            "SMAPE is the mean of 200 |F \u2212 A| / (|A| + |F|), from 0 to 200 %; lower is "
            "better. Every price here was predicted by models that saw neither the product nor a "
            "duplicate of it.",
            class_="muted",
        ),
        facts(
            [
                ("Train products", f"{metrics['rows']:,}"),
                ("Test products", f"{data['test']['rows']:,}"),
                ("Rows rejected", f"{data['train']['rejected']:,}"),
                ("Pictures", f"{images['ok']:,} of {images['links']:,}"),
                ("Models in the blend", f"{used} of {len(metrics['models'])}"),
                (
                    f"Inside {100 * wanted:g} % interval",
                    f"{metrics['interval']['coverage']:.1f} %",
                ),
            ]
        ),
    )


def _yardsticks(findings: Findings) -> str:
    """Return between which scores this one lies, as far as they are known."""
    constant = findings.metrics["guards"]["permutation"]["constant"]
    said = [f"One price for everything would score {constant:.2f} %."]
    if findings.floor is not None:
        said.append(f"The best model possible on this made-up catalogue: {findings.floor:.2f} %.")
    return " ".join(said)


def models(findings: Findings, parameters: dict[str, Any]) -> Html:
    """Return the league of models, the blend's weights, the curves and what each model sees."""
    metrics = findings.metrics
    members = sorted(metrics["models"].items(), key=lambda item: item[1]["smape"])
    rows: list[tuple[str | Html, ...]] = [
        ("blend", f"{metrics['smape']:.2f}", f"{metrics['smape_se']:.2f}", ""),
    ]
    rows += [
        (
            clean(name, REASON_LENGTH),
            f"{score['smape']:.2f}",
            f"{score['smape_se']:.2f}",
            joined(f"{score['weight']:.3f}", bar(score["weight"])),
        )
        for name, score in members
    ]
    caption = "SMAPE out of fold in %, its standard error over folds, and weight in the blend"
    league = tag(
        "div",
        table(caption, ["model", "SMAPE", "\u00b1 se", "weight"], rows, total=True),
        tag("p", _gain(findings), class_="muted"),
    )
    shown = figure(
        "The league",
        figures.league(findings),
        "Bars are one standard error over folds; the blend's is the interval given above.",
    )
    curves: Html | str = ""
    if len(findings.curves):
        curves = figure(
            "Learning curves",
            figures.learning_curves(findings),
            "Mean over folds of the held-out score. A curve that still falls at its end asks for "
            "more rounds, one that rises for fewer.",
        )
    return section(
        "models", "Models and blend", pair(league, shown, curves, _seen(findings, parameters))
    )


def _seen(findings: Findings, parameters: dict[str, Any]) -> Html:
    """Return which blocks and which loss each model has."""
    rows = [
        (name, ", ".join(settings.get("blocks", [])), str(settings.get("loss", "squared")))
        for name, settings in parameters["train"].items()
        if name in findings.metrics["models"]
    ]
    caption = "What each model sees, and its loss in log price"
    return table(caption, ["model", "blocks", "loss"], rows, words=True)


def _gain(findings: Findings) -> str:
    best = min(score["smape"] for score in findings.metrics["models"].values())
    if len(findings.metrics["models"]) == 1:
        return "One model ran, so that the blend is that model, calibrated."
    gain = best - findings.metrics["smape"]
    word = "better" if gain >= 0 else "worse"
    return (
        f"The blend, its weights learned on the other folds, is {abs(gain):.2f} points {word} "
        "than its best member."
    )


def calibration(findings: Findings, *, wanted: float) -> Html:
    """Return predicted against actual prices, and how often intervals hold."""
    return section(
        "calibration",
        "Calibration",
        pair(
            figure(
                "Predicted against actual price",
                figures.predicted_against_actual(findings),
                "The stronger the colour, the more products. The line is exact, the dotted ones "
                "are off by a factor of two. Dots: medians of each tenth of the predicted prices; "
                "on the line where predictions are not biased.",
            ),
            figure(
                "Interval coverage",
                figures.coverage(findings, wanted),
                f"Over all, {findings.metrics['interval']['coverage']:.1f} % lie inside; the line "
                f"is the {100 * wanted:g} % that is wanted. Intervals are fitted by predicted "
                "price. What is cheap or dear and does not look it falls outside more often. Half "
                "of the intervals span a factor of less than "
                f"{findings.metrics['interval']['median_ratio']:.1f}.",
            ),
        ),
    )


def errors(findings: Findings, images: dict[str, str]) -> Html:
    """Return where the model errs: distribution, slices, single products."""
    groups = extremes(findings)
    texts = {
        "too low": ("Priced far too low", "The largest misses below the actual price."),
        "too high": ("Priced far too high", "The largest misses above the actual price."),
        "closest": ("Priced almost exactly", "The closest hits, which always owe much to luck."),
    }
    shown = [
        joined(
            tag("h3", texts[name][0]),
            tag("p", texts[name][1], class_="muted"),
            cards(rows, images, findings),
        )
        for name, rows in groups.items()
        if len(rows)
    ]
    return section(
        "errors",
        "Where it errs",
        pair(
            figure(
                "Predicted \u00f7 actual price",
                figures.residuals(findings),
                "Left of the line: priced too low; right: too high.",
            ),
            figure(
                "SMAPE by price",
                figures.by_decile(findings),
                "The line is the score of all products.",
            ),
        ),
        pair(_kinds(findings), _pictured(findings)),
        tag("h3", "Single products"),
        key(),
        shown,
    )


def _kinds(findings: Findings) -> Html:
    slices = findings.metrics["slices"]["unit_kind"]
    medians = findings.train.groupby("kind")[PRICE].median()
    ordered = sorted(slices.items(), key=lambda item: -item[1]["rows"])
    rows = [
        (
            clean(kind, REASON_LENGTH),
            f"{score['rows']:,}",
            price(medians.get(kind, np.nan)),
            f"{score['smape']:.2f}",
        )
        for kind, score in ordered[:LONGEST]
    ]
    header = ["unit", "products", "median price", "SMAPE"]
    return table("By kind of unit, as read from the text", header, rows)


def _pictured(findings: Findings) -> Html:
    slices = findings.metrics["slices"]["image"]
    rows = [
        (f"{name} picture", f"{score['rows']:,}", f"{score['smape']:.2f}")
        for name, score in sorted(slices.items())
    ]
    return table("By whether there is a picture", ["", "products", "SMAPE"], rows)


def importance(findings: Findings) -> Html | str:
    """Return what the models rely on; nothing where no model says."""
    if not len(findings.importance):
        return ""
    known = findings.importance["model"].unique().tolist()
    model = max(known, key=lambda name: findings.metrics["models"][name]["weight"])
    return section(
        "importance",
        "What the models rely on",
        pair(
            figure(
                "By block of features",
                figures.important_blocks(findings),
                "Trees: share of the loss that splits saved. Linear: share of the absolute "
                "standardised coefficients.",
            ),
            _columns(findings, model),
        ),
    )


def _columns(findings: Findings, model: str) -> Html:
    """Return the columns that a model relies on most."""
    first = findings.importance[findings.importance["model"] == model].head(LONGEST)
    most = float(first["share"].max()) or 1.0
    rows = [
        (
            clean(name, COLUMN_LENGTH),
            joined(f"{100 * share:.1f} %", bar(share / most)),
        )
        for name, share in zip(first["feature"], first["share"].astype(float), strict=True)
    ]
    said = f"By column: {model}, of these the model with the largest weight in the blend"
    return table(said, ["column", "share"], rows)


def data(findings: Findings) -> Html:
    """Return the rows, what was rejected, and the distribution of prices."""
    found = findings.data
    spread, groups = found["price"], found["groups"]
    counts = [
        ("rows read from train.csv", f"{found['train']['read']:,}"),
        ("kept", f"{found['train']['kept']:,}"),
        ("rejected", f"{found['train']['rejected']:,}"),
        *_reasons(found["train"]["rejected_by_reason"]),
        ("test rows", f"{found['test']['rows']:,}"),
        ("test rows with a fault", f"{found['test']['flagged']:,}"),
        *_reasons(found["test"]["flagged_by_reason"]),
        ("rows with a duplicate", f"{groups['rows_in_them']:,}"),
        ("duplicates across train and test", f"{groups['in_both_splits']:,}"),
        ("median price", price(spread["median"])),
        ("middle half", f"{price(spread['q25'])} to {price(spread['q75'])}"),
        ("cheapest and dearest", f"{price(spread['min'])} and {price(spread['max'])}"),
    ]
    return section(
        "data",
        "Data",
        pair(
            figure(
                "Prices",
                figures.prices(findings),
                "On a logarithmic axis; the few beyond its ends count in the last bars. Predicted "
                "prices, being typical ones, always spread less than actual ones.",
            ),
            table("Rows and prices", ["", "found"], counts),
        ),
    )


def _reasons(counts: dict[str, int]) -> list[tuple[str, str]]:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    shown = [
        (f"\u2013 {clean(name, REASON_LENGTH)}", f"{count:,}") for name, count in ordered[:LONGEST]
    ]
    rest = sum(count for _, count in ordered[LONGEST:])
    return [*shown, ("\u2013 other reasons", f"{rest:,}")] if rest else shown


def pictures(findings: Findings, images: dict[str, str]) -> Html:
    """Return a contact sheet and the failures by reason."""
    found = findings.images
    said = f"{found['ok']:,} of {found['links']:,} distinct links gave a picture."
    if not found["placeholders"]:
        failures = tag("p", "None failed.")
    else:
        failures = table(
            "Links without a picture, by reason (data/failed_images.txt lists them)",
            ["reason", "links"],
            [("all", f"{found['placeholders']:,}"), *_reasons(found["failures"])],
        )
    rows = sheet(findings)
    shown: Html | str = ""
    if len(rows):
        shown = joined(
            tag("p", "At even steps from the cheapest train product to the dearest:"),
            contact_sheet(rows, images),
        )
    return section("pictures", "Pictures", tag("p", said), shown, failures)


def checks(findings: Findings, *, most_explained: float) -> Html:
    """Return the guards against self-deception, and the drift where there are test rows."""
    drift = findings.metrics.get("drift")
    return section(
        "checks",
        "Is it too good to be true?",
        pair(_guards(findings, most_explained), _drift(drift) if drift else ""),
    )


def _guards(findings: Findings, most_explained: float) -> Html:
    metrics = findings.metrics
    shuffled, strongest = metrics["guards"]["permutation"], metrics["guards"]["leak"]
    found = [
        _check(
            f"Fitted to shuffled prices, a linear model scores {shuffled['smape']:.2f} %; a "
            f"constant price scores {shuffled['constant']:.2f} % on them. Were a product's own "
            "price among its features, the model would win.",
            good=shuffled["smape"] >= shuffled["constant"] - TOLERATED * shuffled["error"],
        ),
        _check(
            "The column that tells most of the price, ",
            tag("q", clean(strongest["feature"], COLUMN_LENGTH)),
            " with the help of ",
            tag("q", clean(strongest["partner"], COLUMN_LENGTH)),
            f", explains {100 * strongest['share']:.0f} % of the variance of log price; "
            f"above {100 * most_explained:g} % it would be the price itself.",
            good=strongest["share"] <= most_explained,
        ),
        _unseen(metrics.get("held_out")),
    ]
    return tag("div", tag("h3", "Guards against self-deception"), tag("ul", found, class_="checks"))


def _unseen(unseen: dict[str, Any] | None) -> Html | str:
    """Return the score on test rows whose price is known; nothing where there are none."""
    if not unseen:
        return ""
    gap = f"{unseen['gap']:+.2f}".replace("-", "\u2212")
    return _check(
        f"The {unseen['rows']:,} test products whose price is known, and which nothing was fitted "
        f"to, score {unseen['smape']:.2f} %, {gap} points from the score above "
        f"(standard error {unseen['gap_se']:.2f}); {unseen['coverage']:.1f} % of their prices lie "
        "inside their interval.",
        good=abs(unseen["gap"]) <= TOLERATED * unseen["gap_se"],
    )


def _check(*children: Child, good: bool) -> Html:
    mark, word = ("\u2713", "good") if good else ("\u2717", "bad")
    label = "as it should be" if good else "look into it"
    return tag(
        "li",
        tag("span", mark, class_=word, role="img", aria_label=label),
        tag("span", *children, "" if good else tag("strong", f" {label.capitalize()}.")),
    )


def _drift(drift: dict[str, Any]) -> Html:
    ordered = sorted(drift["columns"].items(), key=lambda item: -item[1])
    rows = [
        (clean(name, COLUMN_LENGTH), joined(f"{auc:.3f}", bar(2 * auc - 1)))
        for name, auc in ordered[:LONGEST]
    ]
    return tag(
        "div",
        tag("h3", "Drift between train and test"),
        tag(
            "p",
            "A model that has to tell test products from train products reaches an AUC of "
            f"{drift['auc']:.3f}; 0.5 is no better than a coin, 1 is perfect. "
            f"{_trust(drift['auc'])}",
        ),
        table("Columns that tell them apart best, each alone", ["column", "AUC"], rows)
        if rows
        else "",
    )


def _trust(auc: float) -> str:
    if auc < 0.55:
        return "The scores above should hold for the test products."
    if auc < 0.7:
        return "The scores above hold for the test products with some reserve."
    return "The two differ: expect other scores on the test products."
