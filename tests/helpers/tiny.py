"""The whole pipeline on a synthetic catalogue of a few products, in this process."""

import contextlib
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from amlc import layout
from amlc.catalog.products import read_products, write_products
from stages import (
    blend,
    encode,
    evaluate,
    guards,
    images,
    neighbours,
    predict,
    prepare,
    report,
    synthetic,
    tabular,
    terms,
    topics,
    train,
    train_products,
    vision,
)
from stages import bundle as bundle_stage

ROOT = Path(__file__).parents[2]
# Rows of the product table that are written and read together.
GROUP_ROWS = 50
CHANGES: dict[str, dict[str, Any]] = {
    "synthetic": {"rows": 150, "test_rows": 40, "missing_images": 0.1},
    "topics": {"n_components": 8},
    "neighbours": {"n_neighbors": 40, "n_compared": 20},
}
MODEL_CHANGES: dict[str, dict[str, Any]] = {
    "forest": {"n_estimators": 6},
    "lightgbm": {"n_estimators": 12, "min_child_samples": 5},
    "xgboost": {"n_estimators": 12, "min_child_weight": 2.0},
    "mlp": {"epochs": 2, "hidden_layer_sizes": [24, 8], "networks": 2},
}


def run_pipeline(
    folder: Path,
    *,
    rows: int | None = None,
    to_report: bool = False,
    change: Callable[[dict[str, Any]], object] = lambda _: None,
) -> Path:
    """Run every stage that a bundle needs in a folder; return its folder ``data``.

    With a number of train rows, the models have the settings of the real pipeline where these set
    how many rows a leaf needs. The checks and the report are made only if asked for. The parameters
    are those that `change` leaves.
    """
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    for section, changes in CHANGES.items():
        params[section].update(changes)
    for name, changes in MODEL_CHANGES.items():
        params["train"][name].update(changes)
    if rows is not None:
        params["synthetic"]["rows"] = rows
        params["train"]["lightgbm"]["min_child_samples"] = 40
        params["train"]["xgboost"]["min_child_weight"] = 20.0
    params["threads"] = 1
    change(params)
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    stages = [synthetic, prepare, images, tabular, terms, topics, neighbours, vision, encode]
    with _within(folder):
        for stage in stages:
            stage.main()
            if stage is prepare:
                # In several row groups, as a table of more products is.
                write_products(layout.PRODUCTS, read_products(layout.PRODUCTS), GROUP_ROWS)
        for name in params["models"]:
            sys.argv = ["train", name]
            train.main()
        for stage in (blend, evaluate, predict, train_products, bundle_stage):
            stage.main()
        for stage in (guards, report) if to_report else ():
            stage.main()
    return folder / "data"


@contextlib.contextmanager
def _within(folder: Path) -> Iterator[None]:
    arguments, store = sys.argv, os.environ.get("AMLC_STORE")
    os.environ["AMLC_STORE"] = str(folder / "store")
    try:
        with contextlib.chdir(folder):
            yield
    finally:
        sys.argv = arguments
        del os.environ["AMLC_STORE"]
        if store is not None:
            os.environ["AMLC_STORE"] = store


def copied(bundle: Path, folder: Path) -> Path:
    """Return a copy of a bundle that a test may break."""
    return Path(shutil.copytree(bundle, folder / "bundle"))
