"""Learn the blend of the models from their out-of-fold predictions."""

from pathlib import Path

import numpy as np

from amlc import params
from amlc.catalog.table import ID, PRICE, read_products, test_rows, train_rows
from amlc.errors import run
from amlc.metrics import smape_of_logs
from amlc.models.base import members
from amlc.models.blend import BlendSettings, Learner, write_blend
from amlc.models.predictions import read_predictions, remove_others


def main() -> None:
    """Write weights and blended predictions; those of train rows are cross-fitted."""
    names = members(params.value("models"))
    remove_others(Path("data/models"), names)
    settings = params.load(BlendSettings, "blend")
    products = read_products(Path("data/products.parquet"), [ID, PRICE, "split", "fold"])
    columns = [read_predictions(Path("data/models") / name, products) for name in names]
    log_prices = np.column_stack(columns)
    train, test = train_rows(products), test_rows(products)
    actual = np.log(products[PRICE].to_numpy()[train])
    folds = products["fold"].to_numpy()[train]
    learner = Learner(names, log_prices[train], actual, settings, folds)
    blend = learner.learned()
    predicted = np.empty((len(products), 3))
    predicted[train] = learner.crossfitted()
    predicted[test] = blend.predict(log_prices[test])
    smape = smape_of_logs(actual, predicted[train, 0])
    write_blend(Path("data/blend"), blend, products, predicted, smape)
    weights = ", ".join(f"{name} {weight:.2f}" for name, weight in blend.weights.items())
    print(f"blend: SMAPE {smape:.2f} cross-fitted ({weights})")


if __name__ == "__main__":
    run(main)
