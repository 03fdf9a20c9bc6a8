"""A catalogue of another layout goes through every stage by a map, and is priced by it."""

import csv
import json
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from amlc.catalog.products import read_products
from amlc.pricing.batch import price_csv
from stages import (
    blend,
    bundle,
    evaluate,
    guards,
    images,
    neighbours,
    predict,
    prepare,
    report,
    tabular,
    terms,
    topics,
    train,
    train_products,
    vision,
)
from tests.helpers.layouts import delimited, map_with, reading
from tests.helpers.pictures import jpeg

ROOT = Path(__file__).parents[2]
STAGES = (prepare, images, tabular, terms, topics, neighbours, vision)
ROWS = [
    {
        "sku": f"p{number}",
        "name": f"{['Tea', 'Oil', 'Rice'][number % 3]} No. {number}",
        "brand": ["Yogi", "Olio", ""][number % 3],
        "description": f"<p>Good &amp; fresh, lot {number * 7}</p>",
        "size": f"{100 + number} g",
        "price": "" if number == 7 else f"{(1 + number % 3) * 3 + number * 37 % 29},50",
        "weight": "" if number % 10 == 0 else str(number),
        "added": f"2024-01-{1 + number % 28:02d}",
        "stock": "3",
        "cur": ["EUR", "USD"][number % 2],
    }
    for number in range(90)
]
COLUMNS: dict[str, Any] = {
    "id": "sku",
    "text": ["name", "brand", "description"],
    "quantity": "size",
    "image": None,
    "price": "price",
    "categories": ["brand"],
    "numbers": ["weight"],
    "dates": ["added"],
}


def run_stages(folder: Path, monkeypatch: pytest.MonkeyPatch, **data: Any) -> None:
    """Write params.yaml for a folder's file products.csv, and run every stage."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("AMLC_STORE", str(folder / "store"))
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["data"].update(dir=str(folder), train="products.csv", test=None, folds=3, **data)
    params["topics"]["n_components"] = 4
    params["models"] = ["linear", "lightgbm"]
    params["train"]["lightgbm"].update(n_estimators=8, min_child_samples=5)
    params["images"]["mirror"] = str(folder / "pictures")
    params["threads"] = 1
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    for stage in STAGES:
        stage.main()
    for name in params["models"]:
        monkeypatch.setattr(sys, "argv", ["train", name])
        train.main()
    for stage in (blend, guards, evaluate, predict, train_products, bundle, report):
        stage.main()


@pytest.mark.slow
def test_a_catalogue_without_pictures_and_test_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No stage waits for either, the report has no empty section, and predict keeps the layout."""
    (tmp_path / "products.csv").write_bytes(delimited(ROWS, ";"))
    read = reading({"separator": ";", "decimal": ","}).model_dump()
    columns = map_with({**COLUMNS, "currency": "cur"}).model_dump()
    rates = {"EUR": 1.0, "USD": 0.01}
    run_stages(tmp_path, monkeypatch, columns=columns, read=read, rates=rates, holdout=0.1)

    products = read_products(Path("data/products.parquet"))
    assert products["split"].value_counts().to_dict() == {"train": 81, "test": 9}
    held_out = products[(products["split"] == "test") & products["price"].notna()]
    kept = products[products["split"] == "train"]
    assert not set(held_out["group"]) & set(kept["group"])
    assert json.loads(Path("metrics/details.json").read_text())["held_out"]["rows"] == 8
    assert Path("data/submission.csv").read_text().splitlines()[1].startswith("p7,")

    names = pq.read_schema("data/features/tabular.parquet").names
    assert {"num_column weight", "num_column added age", "cat_column brand"} <= set(names)
    importance = Path("data/models/lightgbm/importance.csv").read_text()
    assert "target encoding: column brand" in importance
    details = json.loads(Path("metrics/details.json").read_text())
    assert details["slices"]["categories"]["brand"]["Yogi"]["rows"] >= 20
    page = Path("data/report/index.html").read_text()
    assert 'id="pictures"' not in page
    assert "By brand" in page
    assert ">Test products<" not in page

    price_csv(tmp_path / "products.csv", tmp_path / "prices.csv", Path("data/bundle"))
    with (tmp_path / "prices.csv").open(encoding="utf-8", newline="") as stream:
        priced = list(csv.DictReader(stream))
    assert [{name: row[name] for name in ROWS[0]} for row in priced] == ROWS
    assert list(priced[0])[-4:] == ["predicted_price", "low", "high", "reason"]
    # Each price is in the currency of its row, one of which is worth a hundredth of the other.
    submitted = Path("data/submission.csv").read_text().splitlines()[1].split(",")[1]
    assert float(priced[7]["predicted_price"]) == pytest.approx(float(submitted), rel=1e-4)
    assert float(priced[7]["predicted_price"]) > 10 * float(priced[8]["predicted_price"])


@pytest.mark.slow
def test_a_catalogue_with_local_pictures_and_no_test_rows_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pictures are found at their paths, and what needs test rows is left out."""
    (tmp_path / "pictures/tea").mkdir(parents=True)
    rows = [{**row, "price": row["price"] or "9", "image": ""} for row in ROWS]
    for number in range(0, 90, 3):
        (tmp_path / f"pictures/tea/{number}.jpg").write_bytes(jpeg(number))
        rows[number]["image"] = f"tea\\{number}.jpg, tea/{number // 6 * 6}.jpg"
    (tmp_path / "products.csv").write_bytes(delimited(rows))
    read = reading({"decimal": ",", "images": "paths", "image_separator": ","}).model_dump()
    columns = map_with({**COLUMNS, "image": "image"}).model_dump()
    run_stages(tmp_path, monkeypatch, columns=columns, read=read)
    assert json.loads(Path("metrics/images.json").read_text())["ok"] == 30
    assert json.loads(Path("metrics/guards.json").read_text())["drift"] is None
    assert Path("data/submission.csv").read_text() == "sample_id,price\n"
    page = Path("data/report/index.html").read_text()
    assert "Drift between" not in page
    assert 'id="pictures"' in page
