"""metrics/data.json counts everything that was left out or changed."""

import json

import numpy as np
import pandas as pd

from amlc.catalog.checks import Fault
from amlc.catalog.reading import Catalogue
from amlc.catalog.summary import summary


def faults(*reasons: tuple[int, str]) -> list[Fault]:
    """Return faults by row and reason."""
    return [Fault(row, row + 2, str(row), "", reason, "") for row, reason in reasons]


def products() -> pd.DataFrame:
    """Return four train rows in two folds, and two test rows."""
    return pd.DataFrame(
        {
            "split": ["train"] * 4 + ["test"] * 2,
            "price": [1.0, 2.0, 3.0, 10.0, np.nan, np.nan],
            "group": np.array([0, 0, 1, 2, 2, 3], dtype=np.int32),
            "fold": np.array([0, 0, 1, 1, -1, -1], dtype=np.int8),
        }
    )


def test_summary_counts_rows_reasons_groups_and_folds() -> None:
    """A row with two reasons is one rejected row; a count is there for each reason."""
    rejected = faults((4, "price_missing"), (4, "link_missing"), (5, "price_missing"))
    flagged = faults((0, "text_empty"), (0, "link_missing"))
    catalogue = Catalogue(products(), rejected, flagged, train_total=6)
    found = summary(catalogue, products())
    assert found["train"] == {
        "read": 6,
        "kept": 4,
        "rejected": 2,
        "rejected_by_reason": {"price_missing": 2, "link_missing": 1},
    }
    assert found["test"] == {
        "rows": 2,
        "flagged": 1,
        "flagged_by_reason": {"text_empty": 1, "link_missing": 1},
    }
    assert found["groups"] == {
        "count": 4,
        "largest": 2,
        "of_several_rows": 2,
        "rows_in_them": 4,
        "in_both_splits": 1,
    }
    assert found["folds"] == {
        "0": {"rows": 2, "median_price": 1.5},
        "1": {"rows": 2, "median_price": 6.5},
    }


def test_summary_describes_the_train_prices() -> None:
    """Quantiles by linear interpolation; test rows have no price and no part in them."""
    prices = summary(Catalogue(products(), [], [], 4), products())["price"]
    assert prices["min"] == 1
    assert prices["q25"] == 1.75
    assert prices["median"] == 2.5
    assert prices["max"] == 10


def test_summary_is_plain_json() -> None:
    """No NumPy number is left in it."""
    text = json.dumps(summary(Catalogue(products(), [], [], 4), products()), allow_nan=False)
    assert json.loads(text)["train"]["kept"] == 4
