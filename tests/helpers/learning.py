"""Small synthetic products whose features explain their price, and settings of their models."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
import yaml

from amlc.features.blocks import Blocks, Dense, Tabular, Terms
from amlc.features.text.neighbour_index import NeighboursSettings
from amlc.features.text.neighbours import nearest_train_products
from amlc.models.target import Target

COMMON: dict[str, Any] = {"smoothing": 5.0, "neighbours": [3, 8], "kriging": 0.5, "weights": None}
SCALED: dict[str, Any] = {**COMMON, "encoder_norm": 1.0}
DENSE = ["tabular", "topics", "vision", "neighbours"]
BOOSTING: dict[str, Any] = {
    **COMMON,
    "blocks": DENSE,
    "loss": "huber",
    "n_estimators": 15,
    "early_stopping_rounds": 0,
    "learning_rate": 0.3,
    "colsample_bytree": 0.5,
    "subsample": 0.8,
    "reg_lambda": 1.0,
    "max_bin": 31,
    "extra": {},
}
SPREAD: dict[str, Any] = {
    **BOOSTING,
    "blocks": ["tabular", "neighbours"],
    "kriging": None,
    "loss": "native_l1",
    "n_estimators": 40,
    "num_leaves": 4,
    "min_child_samples": 20,
}
Catalogue = tuple[Blocks, Target, pd.DataFrame]
PARAMS: dict[str, Any] = yaml.safe_load((Path(__file__).parents[2] / "params.yaml").read_bytes())
# The section that no result depends on.
EXECUTOR: dict[str, Any] = PARAMS["executor"]
# The models that run; the tests that hold for every model take their names from here.
MODELS: list[str] = PARAMS["models"]
# Each model's section of params.yaml; those below are small enough for a test.
SECTIONS: dict[str, dict[str, Any]] = {
    **PARAMS["train"],
    "linear": {**SCALED, "blocks": ["tabular"]},
    "ridge": {
        **SCALED,
        "blocks": ["tabular", "terms"],
        "alpha": 1.0,
        "dense_scale": 0.5,
        "tol": 1e-4,
    },
    "forest": {
        **COMMON,
        "blocks": DENSE,
        "n_estimators": 8,
        "max_features": 0.5,
        "min_samples_leaf": 2,
        "max_samples": 100,
    },
    "lightgbm": {**BOOSTING, "num_leaves": 7, "min_child_samples": 5, "distributed": None},
    "xgboost": {**BOOSTING, "max_depth": 3, "min_child_weight": 1.0, "distributed": None},
    "mlp": {
        **SCALED,
        "blocks": ["tabular", "terms", "neighbours"],
        "loss": "smape",
        "hidden_layer_sizes": [16, 8],
        "epochs": 6,
        "batch_size": 8,
        "learning_rate": 0.01,
        "terms_learning_rate": 0.01,
        "final_rate": 0.1,
        "networks": 2,
        "binary": True,
        "bins": 4,
    },
}


def make_products(rows: int, seed: int) -> Catalogue:
    """Return blocks, target and product table of synthetic train products."""
    rng = np.random.default_rng(seed)
    group = np.sort(rng.integers(0, rows // 2, rows)).astype(np.int32)
    brand = rng.integers(0, 6, rows)
    amount = rng.random(rows)
    kind = rng.integers(0, 3, rows)
    log_price = 1.5 + 0.4 * brand + amount - 0.3 * kind + rng.normal(0, 0.1, rows)
    tabular = pd.DataFrame(
        {
            "num_log_total": amount.astype(np.float32),
            "num_noise": rng.random(rows).astype(np.float32),
            "cat_kind": pd.Categorical.from_codes(kind, pd.Index(["a", "b", "c"])),
            "key_brand": [f"brand {code}" for code in brand],
        }
    )
    words = sp.random_array((rows, 40), density=0.1, rng=rng, format="csr", dtype=np.float32)
    terms = sp.csr_array(sp.hstack([words, sp.csr_array(np.eye(6, dtype=np.float32)[brand])]))
    topics = np.asarray(terms[:, :8].toarray(), dtype=np.float32)
    vision = rng.random((rows, 3)).astype(np.float32)
    settings = NeighboursSettings(
        n_neighbors=16, n_compared=8, max_df=0.5, candidates=64, index_max_df=0.2, max_postings=1000
    )
    neighbours = nearest_train_products(terms, np.arange(rows), settings, threads=1)
    products = pd.DataFrame(
        {
            "sample_id": [str(row) for row in range(rows)],
            "split": "train",
            "price": np.exp(log_price),
            "group": group,
            "fold": (group % 3).astype(np.int8),
        }
    )
    blocks = Blocks(
        tabular=Tabular.from_frame(tabular),
        terms=Terms(terms),
        topics=Dense.numbered(topics),
        vision=Dense(vision, ("red", "green", "blue")),
        neighbours=neighbours,
    )
    return blocks, Target(log_price, group), products


def with_test_rows(products: pd.DataFrame, start: int) -> pd.DataFrame:
    """Return the product table with the rows from a position on as test rows."""
    test = np.arange(len(products)) >= start
    return products.assign(
        split=products["split"].mask(test, "test"),
        price=products["price"].mask(test),
        fold=products["fold"].mask(test, -1),
    )
