"""Write the submission file, checked against test.csv."""

import numpy as np

from amlc import layout, params
from amlc.catalog.intake import DataSettings, read_test_ids
from amlc.catalog.products import ID, LINK, PRICE, TEXT, rates_of, read_products, test_rows
from amlc.catalog.submission import check_submission, write_submission
from amlc.errors import run
from amlc.models.blend import read_blend_predictions


def main() -> None:
    """Check the blend's predictions against the test file, then write them.

    Train rows without a price are priced after the rows of the test file; those that are held out
    only serve to score.
    """
    settings = params.load(DataSettings, "data")
    expected = read_test_ids(settings)
    products = read_products(layout.PRODUCTS, without=[TEXT, LINK])
    test = test_rows(products)
    file_rows, others = test[: len(expected)], test[len(expected) :]
    unpriced = others[products[PRICE].isna().to_numpy()[others]]
    rows = np.concatenate([file_rows, unpriced])
    common = np.exp(read_blend_predictions(layout.BLEND, products)["log_price"].to_numpy()[rows])
    # Each in the currency of its row.
    prices = common / rates_of(products, settings.rates)[rows]
    ids = products[ID].iloc[rows].tolist()
    check_submission(ids, prices, [*expected, *products[ID].iloc[unpriced]])
    write_submission(layout.SUBMISSION, ids, prices)
    print(f"predict: {len(ids)} prices in {layout.SUBMISSION}")


if __name__ == "__main__":
    run(main)
