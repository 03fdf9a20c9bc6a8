"""Score the blend and its members, overall and by slice."""

import numpy as np

from amlc import layout, params
from amlc.catalog.products import PRICE, TEXT, read_products, test_rows, train_rows
from amlc.errors import run
from amlc.evaluation.scores import (
    EvaluateSettings,
    evaluate,
    join_predictions,
    write_tables,
)
from amlc.models.blend import Blend
from amlc.models.predictions import read_predictions


def main() -> None:
    """Write metrics.json, details.json and the tables for plots."""
    settings = params.load(EvaluateSettings, "evaluate")
    products = read_products(layout.PRODUCTS, without=[TEXT])
    train, test = train_rows(products), test_rows(products)
    rows = join_predictions(products)
    priced = test[products[PRICE].notna().to_numpy()[test]]
    members = {
        name: np.exp(read_predictions(layout.MODELS / name, products))
        for name in params.value("models")
    }
    weights = Blend.load(layout.BLEND / "blend.json").weights
    seed = params.seed()
    of_train, of_test = (
        {name: prices[chosen] for name, prices in members.items()} for chosen in (train, priced)
    )
    scores, details = evaluate(
        rows.iloc[train], of_train, weights, settings, seed, rows.iloc[priced], of_test
    )
    scores.write(layout.SCORES)
    details.write(layout.SCORE_DETAILS)
    write_tables(layout.METRICS, scores, details)
    print(f"evaluate: SMAPE {scores.smape:.2f} (se {scores.smape_se:.2f})")
    if test_scores := details.held_out:
        print(
            "evaluate: {rows} held-out test rows: SMAPE {smape:.2f}, {gap:+.2f} (se {gap_se:.2f}) "
            "from the out-of-fold score".format(**test_scores.model_dump())
        )


if __name__ == "__main__":
    run(main)
