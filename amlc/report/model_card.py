"""The model card of a bundle: what it was trained on, how well it predicts, and its limits."""

from collections.abc import Sequence
from pathlib import Path

from amlc import __version__, layout, params
from amlc.evaluation.metrics_files import (
    DataCounts,
    Details,
    HeldOut,
    ImageCounts,
    Interval,
    Scores,
    SliceScore,
    read_metrics,
)
from amlc.pricing.manifest import LIBRARIES, versions
from amlc.report.results import interval

# Slices with fewer rows are left out where the card names the worst.
SMALLEST_SLICE = 30
TITLES = {"price_decile": "tenth by price", "image": "picture", "unit_kind": "kind of unit"}

_HEAD = """\
# Model card: pricer

Predicts the price of a product from its catalogue text and its picture, with an interval. The
bundle that this file is part of is all that `amlc predict` and `amlc serve` need."""


def model_card(root: Path = layout.ROOT) -> str:
    """Return the card as Markdown; the same results give the same text.

    Parameters
    ----------
    root : Path
        The repository's root, with the metrics of a finished run.

    Raises
    ------
    DataError
        A metrics file is missing, is not JSON, or lacks a key.
    ParamsError
        params.yaml is missing or lacks a key.
    """
    scores = read_metrics(Scores, root / layout.SCORES)
    details = read_metrics(Details, root / layout.SCORE_DETAILS)
    sections = [
        _HEAD,
        f"## Data\n\n{_data(root)}",
        f"## Score\n\n{_score(scores, details, root)}",
        f"## Score by slice\n\n{_slices(details)}",
        f"## Limits of use\n\n{_limits(details, root)}",
        f"## Versions\n\n{_versions()}",
    ]
    return "\n\n".join(sections) + "\n"


def _data(root: Path) -> str:
    data = read_metrics(DataCounts, root / layout.DATA_METRICS)
    images = read_metrics(ImageCounts, root / layout.IMAGE_METRICS)
    folder, name = (params.value(f"data.{key}", root / params.PATH) for key in ("dir", "train"))
    train, price = data.train, data.price
    return (
        f"- {train.kept:,} of the {train.read:,} rows of `{folder}/{name}`; "
        f"{train.without_text:,} have no text, {train.without_link:,} no link to a picture.\n"
        f"- Pictures of {images.ok:,} of {images.links:,} links; the model sees which lack one.\n"
        f"- Prices from {price.min:,.2f} to {price.max:,.2f}, the median {price.median:,.2f}, "
        f"half of them between {price.q25:,.2f} and {price.q75:,.2f}."
    )


def _score(scores: Scores, details: Details, root: Path) -> str:
    members = [
        (f"{name}, weight {score.weight:.2f}", f"{score.smape:.2f}")
        for name, score in details.ranked()
        if score.weight > 0
    ]
    blend = (f"**the model: a blend of {len(members)}**", f"**{scores.smape:.2f}**")
    return (
        f"SMAPE, the mean of 200 |F - A| / (|A| + |F|), is **{scores.smape:.2f} %** on "
        f"{details.rows:,} train rows, each predicted by models that have not seen it or a "
        f"duplicate ({interval(scores, root)}).{_held_out(details.held_out)}\n\n"
        + _table(("model", "SMAPE, %"), [blend, *members])
    )


def _held_out(held_out: HeldOut | None) -> str:
    if held_out is None:
        return ""
    return (
        f" On {held_out.rows:,} test rows with a known price it is {held_out.smape:.2f} % "
        f"(standard error {held_out.smape_se:.2f})."
    )


def _slices(details: Details) -> str:
    rows = [
        (f"{TITLES[title]}: {name}", f"{score.rows:,}", f"{score.smape:.2f}")
        for title, name, score in _all_slices(details)
    ]
    return _table(("slice", "rows", "SMAPE, %"), rows)


def _all_slices(details: Details) -> list[tuple[str, str, SliceScore]]:
    slices = details.slices
    return [
        (title, name, score) for title in TITLES for name, score in getattr(slices, title).items()
    ]


def _limits(details: Details, root: Path) -> str:
    large = [item for item in _all_slices(details) if item[2].rows >= SMALLEST_SLICE]
    worst = sorted(large, key=lambda item: (-item[2].smape, item[:2]))[:3]
    named = ", ".join(
        f"{TITLES[title]} {name} ({score.smape:.1f} %)" for title, name, score in worst
    )
    level = params.value("blend.coverage", root / params.PATH)
    return (
        f"- {_interval_limits(details.interval, level)}\n"
        f"- It errs most in these slices: {named or 'all are too small to tell'}.\n"
        "- Prices are those of the catalogue it was trained on: its currency, market and time. It "
        "knows no stock, no season and no competitor.\n"
        "- Products unlike those of the catalogue get a price all the same. Look at the similar "
        "products that the service returns before you trust one.\n"
        "- A predicted price is an estimate for a person or a further check, not a price to charge "
        "unseen."
    )


def _interval_limits(coverage: Interval, level: float) -> str:
    tenths = coverage.coverage_by_price_decile.values()
    return (
        f"Its intervals are made to contain {100 * level:g} % of the prices and contain "
        f"{coverage.coverage:.1f} %; by tenth of the actual price {min(tenths):.0f} to "
        f"{max(tenths):.0f} %. The upper end is {coverage.median_ratio:.1f} times the lower end "
        "(median)."
    )


def _versions() -> str:
    used = versions(sorted({*LIBRARIES, "scikit-learn"}))
    libraries = ", ".join(f"{name} {version}" for name, version in used.items())
    return (
        f"amlc {__version__}; {libraries}. The settings are in `params.json`, the SHA-256 of every "
        "file in `manifest.json`."
    )


def _table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
