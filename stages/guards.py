"""Look for prices among the features, and for what tells train from test."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from amlc import params
from amlc.catalog.table import PRICE, read_products, test_rows, train_rows
from amlc.errors import run
from amlc.features.blocks import read_blocks
from amlc.files import write_json
from amlc.models.linear import Model as Linear
from amlc.report.drift import adversarial_validation
from amlc.report.guards import GuardSettings, most_explained, shuffled_prices


def main() -> None:
    """Write data/guards.json; stop where a feature is made of the price."""
    settings = params.load(GuardSettings, "guards")
    seed, threads = params.seed(), params.threads()
    products = read_products(Path("data/products.parquet"), [PRICE, "split", "group", "fold"])
    blocks = read_blocks(Path("data/features"), ["tabular", "topics", "vision", "neighbours"])
    shuffled = shuffled_prices(
        lambda: Linear(settings.shuffled), blocks, products, seed=seed, threads=threads
    )
    rng = np.random.default_rng(seed)
    train, test = (
        np.sort(rng.permutation(rows)[: settings.rows])
        for rows in (train_rows(products), test_rows(products))
    )
    groups = products["group"].to_numpy()
    log_price = np.log(products[PRICE].to_numpy()[train])
    strongest = most_explained(blocks.take(train), log_price, groups[train], settings, seed)
    found: dict[str, Any] = {
        "guards": {"shuffled": asdict(shuffled), "strongest_feature": asdict(strongest)}
    }
    # Not the topics: they are fitted to train texts, so they tell train from test by themselves.
    inputs = replace(blocks, topics=None, neighbours=None)
    drift = adversarial_validation(
        inputs.take(train),
        inputs.take(test),
        groups[np.concatenate([train, test])],
        rounds=settings.drift_rounds,
        seed=seed,
        threads=threads,
    )
    write_json(Path("data/guards.json"), {**found, "drift": asdict(drift)})
    print(
        f"guards: shuffled prices {shuffled.smape:.2f} (constant {shuffled.constant:.2f}); "
        f"{strongest.share:.0%} of log price by {strongest.feature!r}; "
        f"train and test told apart with AUC {drift.auc:.3f}"
    )


if __name__ == "__main__":
    run(main)
