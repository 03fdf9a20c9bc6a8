"""Write the submission file, checked against test.csv."""

from pathlib import Path

import numpy as np

from amlc import layout, params
from amlc.catalog.intake import read_test_ids
from amlc.catalog.products import ID, read_products, test_rows
from amlc.catalog.submission import check_submission, write_submission
from amlc.errors import run
from amlc.models.blend import read_blend_predictions


def main() -> None:
    """Check the blend's predictions for the test rows against test.csv, then write them."""
    test_csv = Path(str(params.value("data.dir"))) / "test.csv"
    products = read_products(layout.PRODUCTS)
    test = test_rows(products)
    prices = np.exp(read_blend_predictions(layout.BLEND, products)["log_price"].to_numpy()[test])
    ids = products[ID].iloc[test].tolist()
    check_submission(ids, prices, read_test_ids(test_csv))
    write_submission(layout.SUBMISSION, ids, prices)
    print(f"predict: {len(ids)} prices in {layout.SUBMISSION}")


if __name__ == "__main__":
    run(main)
