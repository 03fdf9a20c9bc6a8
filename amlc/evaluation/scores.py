"""Scores of the blend and its members, overall and by slice."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from amlc import layout
from amlc.catalog.products import LINK
from amlc.errors import CheckError
from amlc.features.blocks import CATEGORICAL, read_tabular
from amlc.images.fetch_result import OK
from amlc.images.shards import read_statuses
from amlc.metrics import bootstrap_interval, row_smape, slices, standard_error_over_folds
from amlc.models.blend import read_blend
from amlc.params import Settings

DECIMALS = 4
HEADLINE = ("smape", "smape_se", "smape_low", "smape_high")


class EvaluateSettings(Settings):
    """Section `evaluate` of params.yaml."""

    bootstrap_draws: int = Field(ge=100, le=100_000)
    bootstrap_level: float = Field(gt=0.5, lt=1)


def priced(products: pd.DataFrame, root: Path = layout.ROOT) -> pd.DataFrame:
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
        Added: ``predicted``, ``low``, ``high``, in the unit of the price; ``kind``: of the unit;
        ``pictured``: whether the picture could be had.

    Raises
    ------
    DataError
        A file is missing, unreadable or of other products.
    """
    blend = read_blend(root / layout.BLEND, products).map(np.exp)
    tabular = read_tabular(root / layout.TABULAR)
    statuses = read_statuses(root / layout.IMAGES)
    return products.assign(
        predicted=blend["log_price"].to_numpy(),
        low=blend["log_low"].to_numpy(),
        high=blend["log_high"].to_numpy(),
        kind=tabular.labels(CATEGORICAL + "kind"),
        pictured=[statuses.get(link) == OK for link in products[LINK]],
    )


def price_deciles(price: NDArray[np.float64]) -> list[str]:
    """Return each row's price decile, "01" for the cheapest tenth to "10"; ties stay together."""
    edges = np.quantile(price, np.linspace(0.1, 0.9, 9))
    return [f"{decile + 1:02d}" for decile in np.searchsorted(edges, price, side="left")]


def evaluate(
    rows: pd.DataFrame,
    members: dict[str, NDArray[np.float64]],
    weights: dict[str, float],
    settings: EvaluateSettings,
    seed: int,
    unseen: pd.DataFrame | None = None,
) -> dict[str, Any]:
    """Return the scores of the blend and its members, rounded to four decimals.

    Parameters
    ----------
    rows : DataFrame
        Train rows: price, predicted, low, high (prices, out of fold), fold, group, kind,
        pictured.
    members : dict of str to ndarray of float64
        Out-of-fold predicted prices of each member.
    weights : dict of str to float
        Of the members in the blend.
    settings : EvaluateSettings
        See there.
    seed : int
        Of the bootstrap.
    unseen : DataFrame, optional
        Test rows with a known price: price, predicted, low, high.

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
        "unseen": _unseen(unseen, scores),
    }
    found: dict[str, Any] = rounded(result)
    return found


def _interval(rows: pd.DataFrame, deciles: list[str]) -> dict[str, Any]:
    """Return which share of the prices the intervals hold, and how wide they are."""
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


def _unseen(unseen: pd.DataFrame | None, scores: NDArray[np.float64]) -> dict[str, Any] | None:
    """Return the score on rows that nothing ever saw, and how far it is from the one out of fold.

    The standard error of the gap takes rows for independent.
    """
    if unseen is None or unseen.empty:
        return None
    price = unseen["price"].to_numpy(dtype=np.float64)
    found = _scores("blend on test rows", price, unseen["predicted"].to_numpy(dtype=np.float64))
    error = float(found.std() / np.sqrt(len(found)))
    return {
        "rows": len(unseen),
        "smape": float(found.mean()),
        "smape_se": error,
        "gap": float(found.mean() - scores.mean()),
        "gap_se": float(np.hypot(error, scores.std() / np.sqrt(len(scores)))),
        "coverage": float(100 * _inside(unseen).mean()),
    }


def _scores(
    name: str, price: NDArray[np.float64], predicted: NDArray[np.float64]
) -> NDArray[np.float64]:
    bad = np.flatnonzero(~(np.isfinite(predicted) & (predicted > 0)))
    if bad.size:
        raise CheckError(
            f"{name}: {bad.size} predicted prices are not positive and finite; "
            f"first in train row {bad[0]}"
        )
    return row_smape(price, predicted)


def _member(
    scores: NDArray[np.float64], folds: NDArray[np.int8], weight: float
) -> dict[str, float]:
    error = standard_error_over_folds(scores, folds)
    return {"smape": float(scores.mean()), "smape_se": error, "weight": weight}


def rounded(node: Any) -> Any:
    """Return a tree of dicts with every float rounded to `DECIMALS`."""
    if isinstance(node, dict):
        return {key: rounded(value) for key, value in node.items()}
    return round(node, DECIMALS) if isinstance(node, float) else node


def headline(scores: dict[str, Any]) -> dict[str, Any]:
    """Return of `evaluate`'s scores the dozen numbers by which experiments are compared."""
    models = {name: score["smape"] for name, score in scores["models"].items()}
    return {**{name: scores[name] for name in HEADLINE}, "models": models}


def details(scores: dict[str, Any]) -> dict[str, Any]:
    """Return what `headline` leaves out."""
    return {name: value for name, value in scores.items() if name not in HEADLINE}


def member_table(metrics: dict[str, Any]) -> str:
    """Return CSV for a plot of models: model, smape, smape_se; the blend comes first."""
    lines = ["model,smape,smape_se", f"blend,{metrics['smape']},{metrics['smape_se']}"]
    lines += [
        f"{name},{score['smape']},{score['smape_se']}"
        for name, score in sorted(metrics["models"].items(), key=lambda item: item[1]["smape"])
    ]
    return "\n".join(lines) + "\n"


def slice_table(metrics: dict[str, Any]) -> str:
    """Return CSV for a plot of slices: slice, label, rows, smape."""
    lines = ["slice,label,rows,smape"]
    for name, labels in metrics["slices"].items():
        lines += [f"{name},{label},{s['rows']},{s['smape']}" for label, s in labels.items()]
    return "\n".join(lines) + "\n"
