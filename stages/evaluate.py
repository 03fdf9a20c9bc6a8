"""Score the blend and its members out of fold; hold its results against the guards."""

from pathlib import Path

import numpy as np
import pandas as pd

from amlc import params
from amlc.catalog.table import PRICE, read_products, test_rows, train_rows
from amlc.errors import run
from amlc.features.blocks import CATEGORICAL, read_blocks
from amlc.files import read_json, write_json, write_text
from amlc.images.shards import read_statuses
from amlc.models.blend import Blend, read_blend
from amlc.models.predictions import read_predictions
from amlc.report.evaluation import EvaluateSettings, evaluate, member_table, rounded, slice_table


def main() -> None:
    """Write metrics.json and the tables for plots."""
    settings = params.load(EvaluateSettings, "evaluate")
    products = read_products(Path("data/products.parquet"))
    train, test = train_rows(products), test_rows(products)
    tabular = read_blocks(Path("data/features"), ["tabular"]).tabular
    statuses = read_statuses(Path("data/images"))
    blend = read_blend(Path("data/blend"), products)
    rows = products.assign(
        predicted=np.exp(blend["log_price"].to_numpy()),
        low=np.exp(blend["log_low"].to_numpy()),
        high=np.exp(blend["log_high"].to_numpy()),
        kind=pd.DataFrame(tabular)[CATEGORICAL + "kind"].astype(str).to_numpy(),
        image=["with" if statuses[link] == "ok" else "without" for link in products["image_link"]],
    )
    members = {
        name: np.exp(read_predictions(Path("data/models") / name, products)[train])
        for name in params.value("models")
    }
    unseen = rows.iloc[test].dropna(subset=PRICE)
    scores = evaluate(rows.iloc[train], members, settings, params.seed(), unseen)
    weights = Blend.load(Path("data/blend/blend.json")).weights
    metrics = rounded({**scores, "weights": weights, **read_json(Path("data/guards.json"))})
    write_json(Path("metrics/metrics.json"), metrics)
    write_text(Path("metrics/models.csv"), member_table(metrics))
    write_text(Path("metrics/slices.csv"), slice_table(metrics))
    print(f"evaluate: SMAPE {metrics['smape']:.2f} (se {metrics['smape_se']:.2f})")
    if found := metrics["unseen"]:
        print(
            f"evaluate: {found['rows']} test rows that nothing saw: SMAPE {found['smape']:.2f}, "
            f"{found['gap']:+.2f} (se {found['gap_se']:.2f}) from the one out of fold"
        )


if __name__ == "__main__":
    run(main)
