"""The report's figures, each an SVG drawing with a description in words."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns  # type: ignore[import-untyped]  # it ships no types
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgba
from matplotlib.ticker import MaxNLocator, PercentFormatter

from amlc.arrays import Floats
from amlc.catalog.products import PRICE
from amlc.report.cleaning import clean
from amlc.report.findings import Findings, coverage_shares
from amlc.report.svg import ACCENT, INK, SECOND, SERIES, inline_svg, price_ticks

# Longest name in a figure, in characters.
NAME_LENGTH = 28


@dataclass(frozen=True)
class Figures:
    """The drawings; None where there is nothing to draw."""

    models: Markup
    curves: Markup | None
    epochs: Markup | None
    predicted: Markup
    coverage: Markup
    residuals: Markup
    deciles: Markup
    blocks: Markup | None
    prices: Markup


def draw_figures(findings: Findings, coverage: float) -> Figures:
    """Draw everything.

    Parameters
    ----------
    findings : Findings
        The results of the run.
    coverage : float
        The share of prices that the intervals should contain.
    """
    return Figures(
        models=model_scores(findings),
        curves=learning_curves(findings.curves, "round") if len(findings.curves) else None,
        epochs=learning_curves(findings.epochs, "epoch") if len(findings.epochs) else None,
        predicted=predicted_against_actual(findings),
        coverage=interval_coverage(findings, coverage),
        residuals=residuals(findings),
        deciles=by_decile(findings),
        blocks=important_blocks(findings) if len(findings.importance) else None,
        prices=prices(findings),
    )


def model_scores(findings: Findings) -> Markup:
    """Return the models' scores with their standard errors, and the blend's with its interval."""
    blend, members = findings.scores, findings.details.ranked()
    names = ["blend", *(_label(name) for name, _ in members)]
    scores = [blend.smape, *(score.smape for _, score in members)]
    errors = [score.smape_se for _, score in members]

    def draw(axes: Axes) -> None:
        positions = np.arange(len(names))
        common: dict[str, Any] = {"markersize": 5, "capsize": 3}
        axes.errorbar(scores[1:], positions[1:], xerr=errors, fmt="o", color=ACCENT, **common)
        around = [[blend.smape - blend.smape_low], [blend.smape_high - blend.smape]]
        axes.errorbar(scores[0], 0, xerr=around, fmt="D", color=SECOND, **common)
        axes.set_yticks(positions, names)
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.set_xlabel("SMAPE in %, lower is better")
        axes.xaxis.set_major_locator(MaxNLocator(6))
        axes.grid(visible=False, axis="y")

    listed = ", ".join(f"{name} {score:.2f}" for name, score in zip(names, scores, strict=True))
    alt = f"SMAPE of the blend and its members, best first: {listed}."
    return inline_svg("models", alt, draw, height=90 + 25 * len(names))


def learning_curves(curves: pd.DataFrame, unit: str) -> Markup:
    """Return held-out SMAPE by rounds of boosting or epochs of training."""
    many = {"round": "rounds of boosting", "epoch": "epochs of training"}[unit]
    models = curves["model"].unique().tolist()

    def draw(axes: Axes) -> None:
        sns.lineplot(
            curves,
            x=unit,
            y="smape",
            hue="model",
            palette=_palette(models),
            marker="o" if unit == "epoch" else None,
            markeredgewidth=0,
            ax=axes,
            errorbar=None,
        )
        # The first rounds, all far above, would flatten the part that matters.
        last = curves.groupby("model")["smape"].last()
        start = curves.groupby("model")["smape"].first().max()
        low, high = curves["smape"].min(), min(start, float(last.max()) + 12)
        margin = 0.05 * (high - low) or 0.5
        axes.set_ylim(low - margin, high + margin)
        axes.set(xlabel=many, ylabel="held-out SMAPE in %")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend(title=None)

    ends = [
        f"{name} ends at {rows['smape'].iloc[-1]:.2f}" for name, rows in curves.groupby("model")
    ]
    return inline_svg(f"{unit}s", f"Held-out SMAPE by {many}: {', '.join(ends)}.", draw)


def predicted_against_actual(findings: Findings) -> Markup:
    """Return the density of products by actual and predicted price, on log axes."""
    actual = findings.train[PRICE].to_numpy(np.float64)
    predicted = findings.train["predicted"].to_numpy(np.float64)
    low, high = _price_limits(np.concatenate([actual, predicted]))
    ticks = price_ticks(low, high)
    order = np.argsort(predicted, kind="stable")
    tenths = [part for part in np.array_split(order, 10) if part.size]
    medians = [
        np.log10([np.median(price[part]) for part in tenths]) for price in (actual, predicted)
    ]

    def draw(axes: Axes) -> None:
        shades = LinearSegmentedColormap.from_list("", [to_rgba(ACCENT, 0.1), to_rgba(ACCENT, 1)])
        edges = np.log10([low, high, low, high])
        axes.hexbin(
            np.log10(actual),
            np.log10(predicted),
            gridsize=(38, 22),
            extent=tuple(edges),
            mincnt=1,
            bins="log",
            cmap=shades,
            linewidths=0,
        )
        for factor, line in ((0.5, ":"), (1.0, "-"), (2.0, ":")):
            axes.plot(edges[:2], edges[:2] + np.log10(factor), line, color=INK, linewidth=1)
        axes.plot(*medians, "o-", color=SECOND, markersize=3.5)
        axes.set(xlim=edges[:2], ylim=edges[:2], xlabel="actual price", ylabel="predicted price")
        labels = [f"{tick:g}" for tick in ticks]
        axes.set_xticks(np.log10(ticks), labels)
        axes.set_yticks(np.log10(ticks), labels)
        axes.grid(visible=False)

    inside = float(np.mean(np.abs(findings.log_ratio) <= np.log(2)))
    alt = (
        f"Predicted against actual prices on log axes; {100 * inside:.0f} % of the products lie "
        "within a factor of two of the diagonal."
    )
    return inline_svg("predicted", alt, draw, height=300)


def residuals(findings: Findings) -> Markup:
    """Return the distribution of predicted divided by actual price."""
    doublings = np.clip(findings.log_ratio / np.log(2), -3, 3)

    def draw(axes: Axes) -> None:
        sns.histplot(
            x=doublings,
            binwidth=0.25,
            binrange=(-3, 3),
            stat="percent",
            color=ACCENT,
            element="step",
            alpha=0.55,
            linewidth=1,
            ax=axes,
        )
        axes.axvline(0, color=INK, linewidth=1)
        labels = ["\u2264 1/8", "1/4", "1/2", "1", "2", "4", "\u2265 8"]
        axes.set_xticks(range(-3, 4), labels)
        axes.set(xlabel="predicted \u00f7 actual price", ylabel="products")
        axes.yaxis.set_major_formatter(PercentFormatter(decimals=0, symbol=" %"))
        axes.grid(visible=False, axis="x")

    low, middle, high = np.exp(np.quantile(findings.log_ratio, [0.1, 0.5, 0.9]))
    alt = (
        "Distribution of predicted divided by actual price: "
        f"a tenth is below {low:.2f}, half below {middle:.2f}, nine tenths below {high:.2f}."
    )
    return inline_svg("residuals", alt, draw)


def by_decile(findings: Findings) -> Markup:
    """Return SMAPE by tenth of the prices."""
    slices = [score for _, score in sorted(findings.details.slices.price_decile.items())]
    scores = [score.smape for score in slices]
    # The cumulative number of rows is the rank of a decile's highest price.
    ranks = np.cumsum([score.rows for score in slices])
    highest = np.sort(findings.train[PRICE].to_numpy(np.float64))[ranks - 1]
    labels = [f"{price:.2g}" if price < 10 else f"{price:,.0f}" for price in highest]

    def draw(axes: Axes) -> None:
        axes.bar(range(len(scores)), scores, width=0.7, color=ACCENT)
        axes.set_xticks(range(len(scores)), labels)
        axes.margins(x=0.02)
        axes.axhline(findings.scores.smape, color=SECOND, linewidth=1.2)
        axes.set(xlabel="up to this price, a tenth of the products each", ylabel="SMAPE in %")
        axes.grid(visible=False, axis="x")

    listed = ", ".join(f"{score:.1f}" for score in scores)
    return inline_svg("deciles", f"SMAPE by price decile, from cheap to expensive: {listed}.", draw)


def interval_coverage(findings: Findings, target: float) -> Markup:
    """Return the share of prices inside their interval by tenth of the prices."""
    table = coverage_shares(findings.details.interval)
    palette = {"predicted": ACCENT, "actual": SECOND}

    def draw(axes: Axes) -> None:
        axes.axhline(100 * target, color=INK, linewidth=1)
        sns.lineplot(
            table,
            x="decile",
            y="coverage",
            hue="price",
            style="price",
            markers={"predicted": "o", "actual": "s"},
            dashes=False,
            palette=palette,
            markeredgewidth=0,
            ax=axes,
        )
        axes.set(
            xlabel="tenth of the products, cheap to expensive",
            ylabel="prices inside their interval",
            ylim=(0, 102),
        )
        axes.yaxis.set_major_formatter(PercentFormatter(decimals=0, symbol=" %"))
        axes.grid(visible=False, axis="x")
        axes.legend(title="by price", title_fontsize=10, loc="lower center", ncols=2)

    rows = table.groupby("price", sort=False)["coverage"]
    each = [f"by {name} price {', '.join(f'{share:.0f}' for share in part)}" for name, part in rows]
    alt = (
        f"Share of prices inside their interval, target {100 * target:g} %; in percent by decile, "
        f"from cheap to expensive: {'; '.join(each)}."
    )
    return inline_svg("coverage", alt, draw, height=300)


def prices(findings: Findings) -> Markup:
    """Return the distribution of the train prices and of those predicted for the test rows."""
    train = findings.train[PRICE].to_numpy(np.float64)
    test = findings.test_price
    low, high = _price_limits(np.concatenate([train, test]))

    def draw(axes: Axes) -> None:
        edges = np.geomspace(low, high, 37)
        for values, label, look in (
            (train, "train, actual", {"color": ACCENT, "alpha": 0.3, "linewidth": 0}),
            (test, "test, predicted", {"color": SECOND, "fill": False, "linewidth": 1.6}),
        ):
            if not len(values):
                continue
            shown = np.clip(values, low, high)
            common = {"bins": edges, "stat": "percent", "element": "step", "ax": axes}
            sns.histplot(x=shown, label=label, **common, **look)
        ticks = price_ticks(low, high)
        axes.set_xscale("log")
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.minorticks_off()
        axes.set(xlabel="price", ylabel="products")
        axes.yaxis.set_major_formatter(PercentFormatter(decimals=0, symbol=" %"))
        axes.grid(visible=False, axis="x")
        axes.legend()

    alt = f"Distribution of prices; the median of the train prices is {np.median(train):,.2f}"
    if len(test):
        alt += f", of the prices predicted for the test rows {np.median(test):,.2f}"
    return inline_svg("prices", f"{alt}.", draw)


def important_blocks(findings: Findings) -> Markup:
    """Return the share of each model's importance by block of features."""
    table = block_shares(findings.importance)
    models = table["model"].unique().tolist()

    def draw(axes: Axes) -> None:
        sns.barplot(
            table,
            x="share",
            y="block",
            hue="model",
            palette=_palette(models),
            saturation=1,
            width=0.75,
            ax=axes,
        )
        axes.set(xlabel="share of the importance", ylabel="")
        axes.xaxis.set_major_formatter(PercentFormatter(decimals=0, symbol=" %"))
        axes.grid(visible=False, axis="y")
        axes.legend(title=None)

    each = [f"{row.model} {row.block} {row.share:.0f} %" for row in table.itertuples()]
    return inline_svg(
        "blocks", f"Importance by block of features: {', '.join(each)}.", draw, height=300
    )


def block_shares(importance: pd.DataFrame) -> pd.DataFrame:
    """Return ``model``, ``block`` and ``share`` in percent; features are named "block: column"."""
    blocks = importance.assign(
        block=[_label(name.partition(":")[0]) for name in importance["feature"]],
        share=100 * importance["share"].astype(float),
    )
    sums = blocks.groupby(["model", "block"], sort=False)["share"].sum()
    return sums.reset_index()


def _palette(models: list[str]) -> dict[str, str]:
    return {model: SERIES[position % len(SERIES)] for position, model in enumerate(models)}


def _price_limits(values: Floats) -> tuple[float, float]:
    """Return limits of a price axis; one price in a thousand at either end lies beyond them."""
    low, high = np.quantile(values, [0.001, 0.999])
    return float(low / 1.2), float(high * 1.2)


def _label(name: str) -> str:
    """Return a name that Matplotlib's own font can measure."""
    return clean(name, NAME_LENGTH).encode("ascii", "replace").decode("ascii")
