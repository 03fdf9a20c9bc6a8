"""Scores of the blend and its members, overall and by slice."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import Field

from amlc import layout
from amlc.arrays import Floats
from amlc.catalog.products import CATEGORY, LINK, own_kind
from amlc.errors import CheckError
from amlc.evaluation.metrics_files import (
    DECIMALS,
    Details,
    HeldOut,
    Interval,
    ModelScore,
    Scores,
    Slices,
)
from amlc.features.block_names import CATEGORICAL, HIGH_CARDINALITY
from amlc.features.blocks import Tabular
from amlc.files import write_rows
from amlc.images.fetch_result import OK
from amlc.images.shards import read_statuses
from amlc.metrics import bootstrap_interval, row_smape, slices, standard_error_over_folds
from amlc.models.blend import read_blend_predictions
from amlc.params import Settings

# Names of slices, and the keys of the tabular block that they come from.
SLICES = {
    f"{CATEGORY}guessed brand": f"{HIGH_CARDINALITY}brand",
    f"{CATEGORY}first word": f"{HIGH_CARDINALITY}first_1",
}
# A value of a category is a slice if this many rows have it; those with the most rows are kept.
SLICE_ROWS, MAX_SLICES = 20, 100


class EvaluateSettings(Settings):
    """Section `evaluate` of params.yaml."""

    bootstrap_draws: int = Field(ge=100, le=100_000)
    bootstrap_level: float = Field(gt=0.5, lt=1)


def join_predictions(products: pd.DataFrame, root: Path = layout.ROOT) -> pd.DataFrame:
    """Return the products with their predictions.

    Parameters
    ----------
    products : DataFrame
        All rows of the product table; its texts are not needed.
    root : Path
        The repository; its folder ``data`` holds what the stages wrote.

    Returns
    -------
    DataFrame
        The same with ``predicted``, ``low`` and ``high`` (prices), ``kind`` (of unit) and
        ``pictured`` (whether there is a picture), and the columns of `SLICES`.

    Raises
    ------
    DataError
        A file is missing, unreadable or of other products.
    """
    blend = read_blend_predictions(root / layout.BLEND, products).map(np.exp)
    tabular = Tabular.read(root / layout.TABULAR)
    statuses = read_statuses(root / layout.IMAGES)
    keys = {
        name: tabular.keys[:, tabular.key_names.index(key)]
        for name, key in SLICES.items()
        if key in tabular.key_names
    }
    return products.assign(
        **keys,
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
    held_out_members: dict[str, Floats] | None = None,
) -> tuple[Scores, Details]:
    """Return the scores of the blend, and those of its members and slices.

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
    held_out_members : dict of str to ndarray of float64, optional
        Predicted prices of each member for these rows.

    Raises
    ------
    CheckError
        A predicted price is not finite or not positive.
    """
    price, predicted = (rows[name].to_numpy(dtype=np.float64) for name in ("price", "predicted"))
    folds = rows["fold"].to_numpy()
    scores = _scores("blend", price, predicted)
    low, high = bootstrap_interval(
        scores,
        rows["group"].to_numpy(),
        seed=seed,
        draws=settings.bootstrap_draws,
        level=settings.bootstrap_level,
    )
    models, known = {}, held_out if held_out is not None and len(held_out) else None
    for name, prices in sorted(members.items()):
        member = _scores(name, price, prices)
        models[name] = ModelScore(
            smape=member.mean(),
            smape_se=standard_error_over_folds(member, folds),
            weight=weights[name],
            smape_held_out=_member_held_out(name, known, held_out_members),
        )
    inside, deciles = _inside(rows), price_deciles(price)
    labels: dict[str, Iterable[object]] = {
        "price_decile": deciles,
        "image": rows["pictured"].map({True: "with", False: "without"}),
        "unit_kind": rows["kind"],
    }
    details = Details(
        rows=len(rows),
        models=models,
        slices=Slices.model_validate(
            {
                **{name: slices(scores, by) for name, by in labels.items()},
                "categories": _category_slices(rows, scores),
            }
        ),
        interval=Interval(
            coverage=100 * inside.mean(),
            coverage_by_predicted_decile=_share_by(inside, price_deciles(predicted)),
            coverage_by_price_decile=_share_by(inside, deciles),
            median_ratio=(rows["high"] / rows["low"]).median(),
        ),
        held_out=_held_out(held_out, scores),
    )
    blend = Scores(
        smape=scores.mean(),
        smape_se=standard_error_over_folds(scores, folds),
        smape_low=low,
        smape_high=high,
        models={name: score.smape for name, score in models.items()},
    )
    return blend, details


def _member_held_out(
    name: str, rows: pd.DataFrame | None, members: dict[str, Floats] | None
) -> float | None:
    if rows is None or members is None:
        return None
    return float(_scores(name, rows["price"].to_numpy(np.float64), members[name]).mean())


def _category_slices(
    rows: pd.DataFrame, scores: Floats
) -> dict[str, dict[str, dict[str, float | int]]]:
    """Return the scores of the frequent values of each category."""
    by_category = {}
    for name in map(str, rows.columns):
        if own_kind(name) == CATEGORY:
            filled = rows[name].to_numpy(dtype=object) != ""
            values = slices(scores[filled], rows[name].to_numpy()[filled])
            frequent = sorted(values, key=lambda value: (-values[value]["rows"], value))
            kept = [value for value in frequent[:MAX_SLICES] if values[value]["rows"] >= SLICE_ROWS]
            if kept:
                by_category[name.removeprefix(CATEGORY)] = {value: values[value] for value in kept}
    return by_category


def _inside(rows: pd.DataFrame) -> pd.Series:
    return (rows["low"] <= rows["price"]) & (rows["price"] <= rows["high"])


def _share_by(inside: pd.Series, labels: list[str]) -> dict[str, float]:
    shares = inside.groupby(np.array(labels)).mean()
    return {str(label): 100 * share for label, share in shares.items()}


def _held_out(rows: pd.DataFrame | None, train_scores: Floats) -> HeldOut | None:
    """Return the score of test rows, and its difference from the out-of-fold score."""
    if rows is None or rows.empty:
        return None
    price, predicted = (rows[name].to_numpy(dtype=np.float64) for name in ("price", "predicted"))
    scores = _scores("blend on test rows", price, predicted)
    error = scores.std() / np.sqrt(len(scores))
    train_error = train_scores.std() / np.sqrt(len(train_scores))
    return HeldOut(
        rows=len(rows),
        smape=scores.mean(),
        smape_se=error,
        gap=scores.mean() - train_scores.mean(),
        gap_se=np.hypot(error, train_error),
        coverage=100 * _inside(rows).mean(),
    )


def _scores(name: str, price: Floats, predicted: Floats) -> Floats:
    bad = np.flatnonzero(~(np.isfinite(predicted) & (predicted > 0)))
    if bad.size:
        raise CheckError(
            f"{name}: {bad.size} predicted prices are not positive and finite; "
            f"the first is that of row {bad[0]}"
        )
    return row_smape(price, predicted)


def write_tables(folder: Path, scores: Scores, details: Details) -> None:
    """Write models.csv and slices.csv for DVC's plots; the blend comes first, then the best."""
    models: list[tuple[str, Scores | ModelScore]] = [("blend", scores), *details.ranked()]
    write_rows(
        folder / "models.csv",
        ("model", "smape", "smape_se"),
        [(name, *_rounded(score.smape, score.smape_se)) for name, score in models],
    )
    write_rows(
        folder / "slices.csv",
        ("slice", "label", "rows", "smape"),
        [
            (name, label, score.rows, *_rounded(score.smape))
            for name in ("price_decile", "image", "unit_kind")
            for label, score in getattr(details.slices, name).items()
        ],
    )


def _rounded(*numbers: float) -> list[float]:
    return [round(float(number), DECIMALS) for number in numbers]
