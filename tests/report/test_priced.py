"""Products with their predictions."""

from pathlib import Path

import numpy as np
from results import write_results

from amlc.catalog.table import read_products
from amlc.report.priced import priced


def test_every_product_gets_price_kind_and_picture(tmp_path: Path) -> None:
    """In the order of the table, train and test rows alike, in the unit of the price."""
    write_results(tmp_path, rows=40, test_rows=8)
    products = read_products(tmp_path / "data/products.parquet")
    rows = priced(tmp_path, products)
    assert rows["sample_id"].tolist() == products["sample_id"].tolist()
    assert rows["kind"].tolist() == ["count", "mass", "mass", "mass"] * 12
    assert 0 < rows["pictured"].sum() < len(rows)
    assert (rows["low"] < rows["predicted"]).all()
    ratio = np.log(rows["predicted"] / rows["price"]).dropna()
    assert ratio.abs().max() < 3
