"""The results of a run in a small repository, for tests of the report and the plots."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from amlc.catalog.products import write_products
from amlc.evaluation.metrics_files import HeldOut
from amlc.evaluation.scores import EvaluateSettings, evaluate
from amlc.features.neighbour_block import Neighbours
from amlc.features.text.tfidf import TermFeatures, TermsSettings
from amlc.features.text.vocabulary import VectorizerSettings
from amlc.features.text.weight_table import WeightTable
from amlc.files import write_frame, write_json, write_rows
from amlc.images.fetch_result import FetchResult, Picture
from amlc.images.shards import write_shard
from amlc.models.blend import Blend
from amlc.models.blend_fitting import Blended
from amlc.report.findings import Findings
from amlc.report.page import Page, make_page
from tests.helpers.pictures import jpeg

# What a catalogue may contain: markup, quotes, controls, right-to-left text, endless words.
HOSTILE = (
    'Item Name: <script>alert("x")</script> </style>\u202e\u0000 & "tea" '
    + "a\u0301" * 3
    + "e"
    + "\u0301" * 50
    + "\nBullet Point 1: <img src=https://evil.invalid/x.png onerror=alert(1)>\n"
    + "Bullet Point 2: "
    + "w" * 5000
    + "\nValue: 3.0\nUnit: Count\n"
)
PARAMETERS: dict[str, Any] = {
    "data": {"dir": "data/<b>mine</b>"},
    "train": {
        "linear": {"blocks": ["tabular"]},
        "lightgbm": {"blocks": ["tabular", "topics"], "loss": "huber"},
    },
}


def products(rows: int, test_rows: int) -> pd.DataFrame:
    """Return a product table; every third text is hostile, every second product a duplicate."""
    count = rows + test_rows
    rng = np.random.default_rng(0)
    numbers = np.arange(count)
    price = np.exp(rng.normal(2.7, 1.0, count)).round(2) + 0.01
    titles = [HOSTILE if n % 3 == 0 else f"Item Name: Tea {n}\nValue: 2.0\n" for n in numbers]
    return pd.DataFrame(
        {
            "sample_id": [str(n) for n in numbers],
            "split": np.where(numbers < rows, "train", "test"),
            "catalog_content": titles,
            "image_link": [f"https://a.invalid/{n:04d}.jpg" for n in numbers],
            "price": np.where(numbers < rows, price, np.nan),
            "group": (numbers // 2).astype(np.int32),
            "fold": np.where(numbers < rows, numbers // 2 % 5, -1).astype(np.int8),
        }
    )


def write_results(
    root: Path,
    *,
    rows: int = 120,
    test_rows: int = 20,
    pictured: bool = True,
    boosted: bool = True,
    gap: float | None = None,
) -> None:
    """Write what the stages before the report write.

    Parameters
    ----------
    root : Path
        The repository.
    rows, test_rows : int
        Products of either split.
    pictured : bool
        Whether three links in four have a picture; if not, none has.
    boosted : bool
        Whether there is a model with a learning curve and importance beside a linear one.
    gap : float, optional
        By how much held-out test rows score worse, with a standard error of 0.5; None where no
        test row has a known price.
    """
    table = products(rows, test_rows)
    write_products(root / "data/products.parquet", table)
    _write_images(root / "data/images", table, pictured=pictured)
    kinds = pd.Categorical(np.where(np.arange(len(table)) % 4 == 0, "count", "mass"))
    write_frame(root / "data/features/tabular.parquet", pd.DataFrame({"cat_kind": kinds}))
    _write_text_features(root / "data", table)
    predicted = _write_blend(root / "data/blend", table)
    for name, settings in PARAMETERS["train"].items():
        write_json(root / "data/models" / name / "settings.json", settings)
    if boosted:
        _write_training(root / "data/models/lightgbm")
    scored = table.assign(kind=kinds)
    _write_metrics(root / "metrics", scored, predicted, boosted=boosted, gap=gap)
    bad = len(table) if not pictured else len(table[::4])
    counts = {"links": len(table), "ok": len(table) - bad, "placeholders": bad}
    write_json(root / "metrics/images.json", {**counts, "failures": {"http 404 <b>": bad}})


def _write_images(folder: Path, table: pd.DataFrame, *, pictured: bool) -> None:
    links = sorted(table["image_link"])
    good = FetchResult.ok(Picture(96, 64, jpeg()))
    bad = FetchResult.failed("http 404 <b>", 1)
    results = [good if pictured and n % 4 else bad for n in range(len(links))]
    folder.mkdir(parents=True)
    write_shard(folder, 0, links, results, Picture(96, 64, jpeg(1)))


def _write_text_features(folder: Path, table: pd.DataFrame) -> None:
    """Write the neighbours, and the encoders of terms and topics."""
    count = len(table)
    rows = (np.arange(count)[:, None] + np.arange(1, 4)).astype(np.int32) % count
    similarity = np.linspace(0.1, 3, 3 * count, dtype=np.float32).reshape(count, 3)
    among = np.ones((count, 1), np.float16)
    neighbours = Neighbours(rows, similarity, np.arange(count, dtype=np.int32), among)
    neighbours.write(folder / "features/neighbours.npz")
    words = VectorizerSettings(
        field="text", analyzer="word", ngram_range=[1, 1], min_df=1, max_features=50
    )
    features = TermFeatures(TermsSettings(max_chars=200, vectorizers={"words": words}))
    features.fit(["green tea", "black coffee", "black tea", "oat milk"])
    features.save(folder / "encoders/terms")
    terms = len(features.vocabularies["words"].terms)
    weights = np.random.default_rng(3).normal(size=(terms, 5)).astype(np.float32)
    WeightTable.quantize(weights).save(folder / "encoders/topics")


def _write_blend(folder: Path, table: pd.DataFrame) -> Any:
    rng = np.random.default_rng(1)
    log_price = np.log(table["price"].fillna(15.0).to_numpy()) + rng.normal(0, 0.5, len(table))
    predicted = np.column_stack([log_price, log_price - 0.6, log_price + 0.6])
    blend = Blend({"linear": 0.3, "lightgbm": 0.7}, [], [], [0.0], [-0.6], [0.6], scaled=False)
    Blended(blend, predicted, 40.0).save(folder, table)
    return np.exp(predicted)


def _write_training(folder: Path) -> None:
    write_rows(folder / "curve.csv", ("round", "smape"), [(n, 40 + 300 / n) for n in (10, 20, 30)])
    write_rows(folder / "epochs.csv", ("epoch", "smape"), [(n, 40 + 9 / n) for n in (1, 2, 3)])
    shares = [("tabular: log <total>", 0.6), ("topics: 3", 0.3), ('neighbours: the "nearest"', 0.1)]
    write_rows(folder / "importance.csv", ("feature", "share"), shares)


def _write_metrics(
    folder: Path, table: pd.DataFrame, predicted: Any, *, boosted: bool, gap: float | None
) -> None:
    rows = table.assign(
        predicted=predicted[:, 0], low=predicted[:, 1], high=predicted[:, 2], pictured=True
    )
    train = rows[rows["split"] == "train"]
    names = ["linear", "lightgbm"] if boosted else ["linear"]
    members = {name: train["predicted"].to_numpy() * 1.1 for name in names}
    settings = EvaluateSettings(bootstrap_draws=100, bootstrap_level=0.95)
    weights = dict.fromkeys(names, 1 / len(names))
    scores, details = evaluate(train, members, weights, settings, 1)
    permutation = {"smape": 80.0, "constant": 79.0, "gap_se": 0.5}
    leak = {"feature": "tabular: log <total>", "partner": "nothing", "share": 0.4}
    drift = {"auc": 0.52, "columns": {"tabular: <unit>": 0.51, "vision: edges": 0.53}}
    guards = {"permutation": permutation, "leak": leak, "drift": drift}
    if gap is not None:
        held_out = HeldOut(rows=1234, smape=55.5, smape_se=0.4, gap=gap, gap_se=0.5, coverage=81.25)
        details = details.model_copy(update={"held_out": held_out})
    scores.write(folder / "metrics.json")
    details.write(folder / "details.json")
    write_json(folder / "guards.json", guards)
    write_json(folder / "synthetic.json", {"smape_floor": 30.0})
    write_json(folder / "data.json", _counts(train, rows))


def _counts(train: pd.DataFrame, rows: pd.DataFrame) -> dict[str, Any]:
    spread = {"min": 1.0, "max": 90.0, "median": 15.0, "q25": 7.0, "q75": 30.0}
    rejected = {"price <= 0": 2}
    return {
        "train": {
            "read": len(train) + 2,
            "kept": len(train),
            "rejected": 2,
            "rejected_by_reason": rejected,
            "without_text": 1,
            "without_link": 3,
        },
        "test": {
            "rows": len(rows) - len(train),
            "flagged": 0,
            "flagged_by_reason": {},
            "without_text": 0,
            "without_link": 4,
        },
        "placeholder_links": {"https://h/no-image.gif": 5},
        "groups": {"rows_in_them": 4, "in_both_splits": 0},
        "price": spread,
    }


def page_of_findings(root: Path, findings: Findings) -> Page:
    """Return the report's page of what was read from such a repository."""
    return make_page(
        findings,
        root / "data/products.parquet",
        root / "data/images",
        PARAMETERS,
        coverage=0.8,
        level=0.95,
        max_explained_variance=0.9,
    )
