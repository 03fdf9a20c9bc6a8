"""Everything that the report and the plots show, read from what the stages wrote."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.csv as pacsv
from pyarrow import ArrowInvalid

from amlc import layout
from amlc.arrays import Floats
from amlc.catalog.products import PRICE, read_products, test_rows, train_rows
from amlc.errors import DataError
from amlc.evaluation.scores import join_predictions
from amlc.files import read_json


@dataclass(frozen=True)
class Findings:
    """What one run of the pipeline found.

    Parameters
    ----------
    train : DataFrame
        The product table's train rows with ``predicted``, ``low`` and ``high`` (prices, out of
        fold), ``kind`` (of unit) and ``pictured`` (bool).
    test_price : ndarray of float64
        Predicted prices of the test rows.
    metrics, data, images : dict
        ``metrics/metrics.json``, ``data.json`` and ``images.json``.
    floor : float or None
        The best possible SMAPE, known for a made-up catalogue only.
    curves : DataFrame
        ``model``, ``round`` and ``smape``: held-out SMAPE by rounds of training; may be empty.
    importance : DataFrame
        ``model``, ``feature`` and ``share`` (of sum 1 by model, largest first); may be empty.
    """

    train: pd.DataFrame
    test_price: Floats
    metrics: dict[str, Any]
    data: dict[str, Any]
    images: dict[str, Any]
    floor: float | None
    curves: pd.DataFrame
    importance: pd.DataFrame

    @property
    def log_ratio(self) -> Floats:
        """Natural logarithm of predicted divided by actual price of each train row."""
        rows = self.train
        ratio = rows["predicted"].to_numpy(np.float64) / rows[PRICE].to_numpy(np.float64)
        return np.asarray(np.log(ratio))


def read_findings(root: Path, models: list[str], *, sampled: bool) -> Findings:
    """Read a repository's results.

    Parameters
    ----------
    root : Path
        Holds ``data`` and ``metrics``.
    models : list of str
        The models that ran.
    sampled : bool
        Whether the products are the made-up ones, whose best possible SMAPE is known.

    Raises
    ------
    DataError
        A file is missing, unreadable or of other products.
    """
    products = read_products(root / layout.PRODUCTS)
    rows = join_predictions(products, root)
    return Findings(
        train=rows.iloc[train_rows(products)].reset_index(drop=True),
        test_price=rows["predicted"].to_numpy()[test_rows(products)],
        metrics=_metrics(root),
        data=read_json(root / layout.DATA_METRICS),
        images=read_json(root / layout.IMAGE_METRICS),
        floor=read_json(root / layout.SYNTHETIC_METRICS)["smape_floor"] if sampled else None,
        curves=_of_models(root, models, "curve.csv", ["round", "smape"]),
        importance=_of_models(root, models, "importance.csv", ["feature", "share"]),
    )


def _of_models(root: Path, models: list[str], name: str, columns: list[str]) -> pd.DataFrame:
    """Return one table of what some models wrote; a model without such a file is left out."""
    empty = pd.DataFrame(columns=["model", *columns])
    found = []
    for model in models:
        path = root / layout.MODELS / model / name
        if path.exists():
            found.append(_read_csv(path, columns).assign(model=model)[list(empty)])
    return pd.concat(found, ignore_index=True) if found else empty


def _metrics(root: Path) -> dict[str, Any]:
    """Return scores, their details and what the guards found, as one mapping."""
    files = (layout.SCORES, layout.SCORE_DETAILS, layout.GUARD_METRICS)
    scores, details, guards = (read_json(root / path) for path in files)
    return {**scores, **details, "guards": guards, "drift": guards["drift"]}


def _read_csv(path: Path, columns: list[str]) -> pd.DataFrame:
    options = pacsv.ConvertOptions(include_columns=columns)
    try:
        frame: pd.DataFrame = pacsv.read_csv(path, convert_options=options).to_pandas()
    except (OSError, KeyError, ArrowInvalid) as error:
        raise DataError(f"{path}: cannot be read: {error}; run the stage train") from None
    return frame


def coverage_shares(metrics: dict[str, Any]) -> pd.DataFrame:
    """Return ``decile``, ``price`` (which one it is a decile of) and ``coverage`` in percent."""
    rows = [
        (decile.lstrip("0"), price, share)
        for price, name in (("predicted", "predicted"), ("actual", "price"))
        for decile, share in sorted(metrics["interval"][f"coverage_by_{name}_decile"].items())
    ]
    return pd.DataFrame(rows, columns=["decile", "price", "coverage"])
