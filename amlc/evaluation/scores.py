"""Scores of the blend and its members, overall and by slice."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import Field

from amlc import layout
from amlc.arrays import Floats, Ints8
from amlc.catalog.products import LINK
from amlc.errors import CheckError
from amlc.features.blocks import CATEGORICAL, Tabular
from amlc.images.fetch_result import OK
from amlc.images.shards import read_statuses
from amlc.metrics import bootstrap_interval, row_smape, slices, standard_error_over_folds
from amlc.models.blend import read_blend_predictions
from amlc.params import Settings

DECIMALS = 4
# The scores of the blend that metrics.json holds.
MAIN = ("smape", "smape_se", "smape_low", "smape_high")


class EvaluateSettings(Settings):
    """Section `evaluate` of params.yaml."""

    bootstrap_draws: int = Field(ge=100, le=100_000)
    bootstrap_level: float = Field(gt=0.5, lt=1)


def join_predictions(products: pd.DataFrame, root: Path = layout.ROOT) -> pd.DataFrame:
    """Return the products with their predictions.

    Parameters
    ----------
    products : DataFrame
        The product table, whole.
    root : Path
        The repository; its folder ``data`` holds what the stages wrote.

    Returns
    -------
    DataFrame
        The product table with ``predicted``, ``low`` and ``high`` (prices), ``kind`` (of unit) and
        ``pictured`` (whether there is a picture).

    Raises
    ------
    DataError
        A file is missing, unreadable or of other products.
    """
    blend = read_blend_predictions(root / layout.BLEND, products).map(np.exp)
    tabular = Tabular.read(root / layout.TABULAR)
    statuses = read_statuses(root / layout.IMAGES)
    return products.assign(
        predicted=blend["log_price"].to_numpy(),
        low=blend["log_low"].to_numpy(),
        high=blend["log_high"].to_numpy(),
        kind=tabular.labels(CATEGORICAL + "kind"),
        pictured=[statuses.get(link) == OK for link in products[LINK]],
    )


def price_deciles(price: Floats) -> list[str]:
    """Return each row's price decile, "01" for the cheapest tenth to "10"; ties stay together."""
    edges = np.quantile(price, np.linspace(0.1, 0.9, 9))
    return [f"{decile + 1:02d}" for decile in np.searchsorted(edges, price, side="left")]


def evaluate(
    rows: pd.DataFrame,
    members: dict[str, Floats],
    weights: dict[str, float],
    settings: EvaluateSettings,
    seed: int,
    held_out: pd.DataFrame | None = None,
) -> dict[str, Any]:
    """Return the scores of the blend and its members, rounded to four decimals.

    Parameters
    ----------
    rows : DataFrame
        Train rows with the columns price, predicted, low, high (prices, out of fold), fold, group,
        kind and pictured.
    members : dict of str to ndarray of float64
        Out-of-fold predicted prices of each member.
    weights : dict of str to float
        Weight of each member in the blend.
    settings : EvaluateSettings
        Section `evaluate` of params.yaml.
    seed : int
        Seed of the bootstrap.
    held_out : DataFrame, optional
        Test rows whose price is known, with the columns price, predicted, low and high.

    Raises
    ------
    CheckError
        A predicted price is not finite or not positive.
    """
    price = rows["price"].to_numpy(dtype=np.float64)
    folds = rows["fold"].to_numpy()
    scores = _scores("blend", price, rows["predicted"].to_numpy(dtype=np.float64))
    low, high = bootstrap_interval(
        scores,
        rows["group"].to_numpy(),
        seed=seed,
        draws=settings.bootstrap_draws,
        level=settings.bootstrap_level,
    )
    deciles = price_deciles(price)
    result: dict[str, Any] = {
        "smape": float(scores.mean()),
        "smape_se": standard_error_over_folds(scores, folds),
        "smape_low": low,
        "smape_high": high,
        "rows": len(rows),
        "models": {
            name: _member(_scores(name, price, predicted), folds, weights[name])
            for name, predicted in sorted(members.items())
        },
        "slices": {
            "price_decile": slices(scores, deciles),
            "image": slices(scores, rows["pictured"].map({True: "with", False: "without"})),
            "unit_kind": slices(scores, rows["kind"]),
        },
        "interval": _interval(rows, deciles),
        "held_out": _held_out(held_out, scores),
    }
    content: dict[str, Any] = rounded(result)
    return content


def _interval(rows: pd.DataFrame, deciles: list[str]) -> dict[str, Any]:
    """Return the share of the prices inside their interval, and the width of the intervals."""
    inside = _inside(rows)
    predicted = price_deciles(rows["predicted"].to_numpy(dtype=np.float64))
    return {
        "coverage": float(100 * inside.mean()),
        "coverage_by_predicted_decile": _share_by(inside, predicted),
        "coverage_by_price_decile": _share_by(inside, deciles),
        "median_ratio": float((rows["high"] / rows["low"]).median()),
    }


def _inside(rows: pd.DataFrame) -> pd.Series:
    return (rows["low"] <= rows["price"]) & (rows["price"] <= rows["high"])


def _share_by(inside: pd.Series, labels: list[str]) -> dict[str, float]:
    shares = inside.groupby(np.array(labels)).mean()
    return {str(label): float(100 * share) for label, share in shares.items()}


def _held_out(rows: pd.DataFrame | None, train_scores: Floats) -> dict[str, Any] | None:
    """Return the score of test rows, and its difference from the out-of-fold score.

    The standard error of the difference assumes that rows are independent.
    """
    if rows is None or rows.empty:
        return None
    price = rows["price"].to_numpy(dtype=np.float64)
    scores = _scores("blend on test rows", price, rows["predicted"].to_numpy(dtype=np.float64))
    error = float(scores.std() / np.sqrt(len(scores)))
    train_error = train_scores.std() / np.sqrt(len(train_scores))
    return {
        "rows": len(rows),
        "smape": float(scores.mean()),
        "smape_se": error,
        "gap": float(scores.mean() - train_scores.mean()),
        "gap_se": float(np.hypot(error, train_error)),
        "coverage": float(100 * _inside(rows).mean()),
    }


def _scores(name: str, price: Floats, predicted: Floats) -> Floats:
    bad = np.flatnonzero(~(np.isfinite(predicted) & (predicted > 0)))
    if bad.size:
        raise CheckError(
            f"{name}: {bad.size} predicted prices are not positive and finite; "
            f"the first is that of row {bad[0]}"
        )
    return row_smape(price, predicted)


def _member(scores: Floats, folds: Ints8, weight: float) -> dict[str, float]:
    error = standard_error_over_folds(scores, folds)
    return {"smape": float(scores.mean()), "smape_se": error, "weight": weight}


def rounded(node: Any) -> Any:
    """Return nested dicts with every float rounded to `DECIMALS`."""
    if isinstance(node, dict):
        return {key: rounded(value) for key, value in node.items()}
    return round(node, DECIMALS) if isinstance(node, float) else node


def main_scores(scores: dict[str, Any]) -> dict[str, Any]:
    """Return the scores by which experiments are compared: SMAPE of the blend and the models."""
    models = {name: score["smape"] for name, score in scores["models"].items()}
    return {**{name: scores[name] for name in MAIN}, "models": models}


def details(scores: dict[str, Any]) -> dict[str, Any]:
    """Return everything that `evaluate` returns but the scores of the blend."""
    return {name: value for name, value in scores.items() if name not in MAIN}


def member_table(metrics: dict[str, Any]) -> str:
    """Return CSV for the plot of models: model, smape, smape_se; the blend comes first."""
    lines = ["model,smape,smape_se", f"blend,{metrics['smape']},{metrics['smape_se']}"]
    lines += [
        f"{name},{score['smape']},{score['smape_se']}"
        for name, score in sorted(metrics["models"].items(), key=lambda item: item[1]["smape"])
    ]
    return "\n".join(lines) + "\n"


def slice_table(metrics: dict[str, Any]) -> str:
    """Return CSV for the plot of slices: slice, label, rows, smape."""
    lines = ["slice,label,rows,smape"]
    for name, labels in metrics["slices"].items():
        lines += [f"{name},{label},{s['rows']},{s['smape']}" for label, s in labels.items()]
    return "\n".join(lines) + "\n"
