"""Score the blend and its members out of fold."""

from pathlib import Path

import numpy as np
import pandas as pd

from amlc import params
from amlc.catalog.table import PRICE, read_products, train_rows
from amlc.errors import run
from amlc.features.blocks import CATEGORICAL, read_blocks
from amlc.files import write_json, write_text
from amlc.images.shards import read_statuses
from amlc.models.blend import read_blend
from amlc.models.predictions import read_predictions
from amlc.report.evaluation import EvaluateSettings, evaluate, member_table, slice_table


def main() -> None:
    """Write metrics.json and the tables for plots."""
    settings = params.load(EvaluateSettings, "evaluate")
    products = read_products(Path("data/products.parquet"))
    train = train_rows(products)
    tabular = read_blocks(Path("data/features"), ["tabular"]).take(train).tabular
    blend = read_blend(Path("data/blend"), products).iloc[train]
    statuses = read_statuses(Path("data/images"))
    rows = products.iloc[train].reset_index(drop=True)
    rows = rows.assign(
        predicted=np.exp(blend["log_price"].to_numpy()),
        low=np.exp(blend["log_low"].to_numpy()),
        high=np.exp(blend["log_high"].to_numpy()),
        kind=pd.DataFrame(tabular)[CATEGORICAL + "kind"].astype(str).to_numpy(),
        image=["with" if statuses[link] == "ok" else "without" for link in rows["image_link"]],
    )
    members = {
        name: np.exp(read_predictions(Path("data/models") / name, products)[train])
        for name in params.value("models")
    }
    metrics = evaluate(rows.rename(columns={PRICE: "price"}), members, settings, params.seed())
    write_json(Path("metrics/metrics.json"), metrics)
    write_text(Path("metrics/models.csv"), member_table(metrics))
    write_text(Path("metrics/slices.csv"), slice_table(metrics))
    print(f"evaluate: SMAPE {metrics['smape']:.2f} (se {metrics['smape_se']:.2f})")


if __name__ == "__main__":
    run(main)
