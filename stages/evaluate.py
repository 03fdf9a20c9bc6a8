"""Score the blend and its members out of fold; hold its results against the guards."""

from pathlib import Path

import numpy as np

from amlc import params
from amlc.catalog.table import PRICE, read_products, test_rows, train_rows
from amlc.errors import run
from amlc.files import read_json, write_json, write_text
from amlc.models.blend import Blend
from amlc.models.predictions import read_predictions
from amlc.report.evaluation import EvaluateSettings, evaluate, member_table, rounded, slice_table
from amlc.report.priced import priced


def main() -> None:
    """Write metrics.json and the tables for plots."""
    settings = params.load(EvaluateSettings, "evaluate")
    products = read_products(Path("data/products.parquet"))
    train, test = train_rows(products), test_rows(products)
    rows = priced(Path(), products)
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
