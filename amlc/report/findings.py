"""Everything that the report and the plots show, read from the outputs of the stages."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.csv as pacsv

from amlc import layout
from amlc.arrays import Floats
from amlc.catalog.products import PRICE, TEXT, read_products, test_rows, train_rows
from amlc.errors import DataError, read_errors_as
from amlc.evaluation.metrics_files import (
    DataCounts,
    Details,
    Guards,
    ImageCounts,
    Interval,
    Scores,
    read_metrics,
)
from amlc.evaluation.scores import join_predictions
from amlc.evaluation.slicing import SliceCost, costliest, slice_labels
from amlc.features.blocks import Tabular
from amlc.features.neighbour_block import NeighbourBlock
from amlc.files import read_json
from amlc.metrics import row_smape
from amlc.models.predictions import CURVES, PREDICTIONS
from amlc.models.timings import RESULT_LENGTH, md5
from amlc.report.column_names import readable_names

# Number of features of each model that get a readable name, and of the costliest slices.
NAMED = 15
SLICES = 10


@dataclass(frozen=True)
class Findings:
    """The results of one run of the pipeline.

    Parameters
    ----------
    train : DataFrame
        The product table's train rows without their texts, but with ``predicted``, ``low`` and
        ``high`` (prices, out of fold), ``kind`` (of unit) and ``pictured`` (bool).
    test_price : ndarray of float64
        Predicted prices of the test rows.
    scores : Scores
        Of the blend.
    details : Details
        Scores by model and slice, and the coverage of the intervals.
    guards : Guards
        The checks that the pipeline passed.
    data : DataCounts
        Rows read, kept and rejected.
    images : ImageCounts
        Links with and without a picture.
    floor : float or None
        The best possible SMAPE, known for a synthetic catalogue only.
    curves : DataFrame
        ``model``, ``round`` and ``smape``: held-out SMAPE by rounds of boosting; may be empty.
    epochs : DataFrame
        ``model``, ``epoch`` and ``smape``: the same of the networks; may be empty.
    importance : DataFrame
        ``model``, ``feature`` and ``share`` (of sum 1 by model, largest first); may be empty. The
        first `NAMED` features of each model have readable names.
    costliest : list of SliceCost
        The slices that account for most of the error.
    result : str
        Identifies the predictions: the first digits of the MD5 of the blend's file.
    """

    train: pd.DataFrame
    test_price: Floats
    scores: Scores
    details: Details
    guards: Guards
    data: DataCounts
    images: ImageCounts
    floor: float | None
    curves: pd.DataFrame
    epochs: pd.DataFrame
    importance: pd.DataFrame
    costliest: list[SliceCost]
    result: str

    @property
    def log_ratio(self) -> Floats:
        """Natural logarithm of predicted divided by actual price of each train row."""
        rows = self.train
        ratio = rows["predicted"].to_numpy(np.float64) / rows[PRICE].to_numpy(np.float64)
        return np.asarray(np.log(ratio))


def read_findings(root: Path, models: list[str], *, synthetic: bool) -> Findings:
    """Read a repository's results.

    Parameters
    ----------
    root : Path
        Holds ``data`` and ``metrics``.
    models : list of str
        The models that ran.
    synthetic : bool
        Whether the products are synthetic, so that their best possible SMAPE is known.

    Raises
    ------
    DataError
        A file is missing, unreadable or of other products.
    """
    products = read_products(root / layout.PRODUCTS, without=[TEXT])
    rows = join_predictions(products, root)
    importance = _of_models(root, models, "importance.csv", ["feature", "share"])
    return Findings(
        train=rows.iloc[train_rows(products)].reset_index(drop=True),
        test_price=rows["predicted"].to_numpy()[test_rows(products)],
        scores=read_metrics(Scores, root / layout.SCORES),
        details=read_metrics(Details, root / layout.SCORE_DETAILS),
        guards=read_metrics(Guards, root / layout.GUARD_METRICS),
        data=read_metrics(DataCounts, root / layout.DATA_METRICS),
        images=read_metrics(ImageCounts, root / layout.IMAGE_METRICS),
        floor=read_json(root / layout.SYNTHETIC_METRICS)["smape_floor"] if synthetic else None,
        curves=_of_models(root, models, CURVES["round"], ["round", "smape"]),
        epochs=_of_models(root, models, CURVES["epoch"], ["epoch", "smape"]),
        importance=_named(importance, root / layout.ENCODERS),
        costliest=_costliest(rows.iloc[train_rows(products)], products, root),
        result=result_id(root),
    )


def result_id(root: Path) -> str:
    """Return what identifies the predictions of a run: the first digits of their MD5."""
    return md5(root / layout.BLEND / PREDICTIONS)[:RESULT_LENGTH]


def _named(importance: pd.DataFrame, encoders: Path) -> pd.DataFrame:
    """Return the importances with readable names of the first features of each model."""
    first = importance.groupby("model", sort=False).head(NAMED)["feature"]
    names = readable_names(first.unique(), encoders)
    readable = importance["feature"].copy()
    readable.loc[first.index] = first.map(names)
    return importance.assign(feature=readable)


def _costliest(rows: pd.DataFrame, products: pd.DataFrame, root: Path) -> list[SliceCost]:
    positions = train_rows(products)
    labels = slice_labels(
        Tabular.read(root / layout.TABULAR).take(positions),
        NeighbourBlock.read(root / layout.NEIGHBOURS).take(positions),
        products["fold"].to_numpy(np.intp),
    )
    labels["picture"] = rows["pictured"].map({True: "with", False: "without"}).to_numpy(object)
    scores = row_smape(rows[PRICE].to_numpy(), rows["predicted"].to_numpy())
    return costliest(scores, labels, SLICES)


def _of_models(root: Path, models: list[str], name: str, columns: list[str]) -> pd.DataFrame:
    """Return the rows of each model's CSV `name`; a model without this file has none."""
    options = pacsv.ConvertOptions(include_columns=columns)
    tables: list[pd.DataFrame] = []
    for model in models:
        path = root / layout.MODELS / model / name
        if path.exists():
            with read_errors_as(DataError, f"{path}: cannot be read", remedy="run the stage train"):
                table = pacsv.read_csv(path, convert_options=options).to_pandas()
            tables.append(table.assign(model=model)[["model", *columns]])
    return pd.concat(tables or [pd.DataFrame(columns=["model", *columns])], ignore_index=True)


def coverage_shares(interval: Interval) -> pd.DataFrame:
    """Return coverage in percent by decile of the predicted and of the actual price.

    Returns
    -------
    DataFrame
        ``decile``, ``price`` ("predicted" or "actual": what it is a decile of) and ``coverage``.
    """
    by_price = {
        "predicted": interval.coverage_by_predicted_decile,
        "actual": interval.coverage_by_price_decile,
    }
    rows = [
        (decile.lstrip("0"), price, share)
        for price, shares in by_price.items()
        for decile, share in sorted(shares.items())
    ]
    return pd.DataFrame(rows, columns=["decile", "price", "coverage"])
