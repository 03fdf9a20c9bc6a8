"""Score the blend and its members, overall and by slice."""

import numpy as np

from amlc import layout, params
from amlc.catalog.products import PRICE, read_products, test_rows, train_rows
from amlc.errors import run
from amlc.evaluation.scores import (
    EvaluateSettings,
    details,
    evaluate,
    join_predictions,
    main_scores,
    member_table,
    slice_table,
)
from amlc.files import write_json, write_text
from amlc.models.blend import Blend
from amlc.models.predictions import read_predictions


def main() -> None:
    """Write metrics.json, details.json and the tables for plots."""
    settings = params.load(EvaluateSettings, "evaluate")
    products = read_products(layout.PRODUCTS)
    train, test = train_rows(products), test_rows(products)
    rows = join_predictions(products)
    members = {
        name: np.exp(read_predictions(layout.MODELS / name, products)[train])
        for name in params.value("models")
    }
    held_out = rows.iloc[test].dropna(subset=PRICE)
    weights = Blend.load(layout.BLEND / "blend.json").weights
    scores = evaluate(rows.iloc[train], members, weights, settings, params.seed(), held_out)
    write_json(layout.SCORES, main_scores(scores))
    write_json(layout.SCORE_DETAILS, details(scores))
    write_text(layout.METRICS / "models.csv", member_table(scores))
    write_text(layout.METRICS / "slices.csv", slice_table(scores))
    print(f"evaluate: SMAPE {scores['smape']:.2f} (se {scores['smape_se']:.2f})")
    if held_out_scores := scores["held_out"]:
        print(
            "evaluate: {rows} held-out test rows: SMAPE {smape:.2f}, {gap:+.2f} (se {gap_se:.2f}) "
            "from the out-of-fold score".format(**held_out_scores)
        )


if __name__ == "__main__":
    run(main)
