"""The user's own columns as features: finite, scaled, the same after loading."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from amlc.features.blocks import Tabular
from amlc.features.own_columns import OwnColumns
from amlc.features.tabular import TabularFeatures, TabularSettings

OWN = pd.DataFrame(
    {
        "category:brand": ["A", "B", "A", "", "B", "A", "C"],
        "number:weight": [1.0, np.nan, 100.0, -3.0, 0.0, 5.0, 7.0],
        "date:added": [19782.0, 19783.0, np.nan, 0.0, 19000.0, 19500.0, 19782.0],
    }
)
TEXTS = [f"Item Name: Tea {number}" for number in range(len(OWN))]
SETTINGS = TabularSettings(brand_min_rows=2, brand_share=0.6, max_levels=2)


def block() -> Tabular:
    """Return the block of all rows."""
    return TabularFeatures(SETTINGS).fit(TEXTS, OWN).transform(TEXTS, OWN)


def test_categories_have_codes_and_keys() -> None:
    """The frequent values have codes, the most frequent first; a rare or missing one has none."""
    table = block()
    assert table.levels["cat_column brand"] == ("A", "B")
    assert table.codes[:, -1].tolist() == [0, 1, 0, -1, 1, 0, -1]
    keys = table.keys[:, table.key_names.index("key_column brand")]
    assert keys.tolist() == ["A", "B", "A", "", "B", "A", "C"]


def test_numbers_are_scaled_and_missing_ones_flagged() -> None:
    """The median stands in for a missing value."""
    table = block()
    weight, missing = table.number("num_column weight"), table.number("num_column weight missing")
    assert weight is not None
    assert missing is not None
    assert (weight.min(), weight.max()) == (0, 1)
    assert missing.tolist() == [0, 1, 0, 0, 0, 0, 0]
    assert weight[1] == pytest.approx((np.log1p(3) + np.log(4)) / (np.log(101) + np.log(4)))


def test_dates_become_year_month_weekday_and_age() -> None:
    """The age counts from the latest train date."""
    table = block()
    parts = {part: table.number(f"num_column added {part}") for part in ("year", "age", "weekday")}
    assert all(values is not None and np.isfinite(values).all() for values in parts.values())
    assert parts["age"] is not None
    assert (parts["age"][1], parts["age"][3]) == (0, 1)


def test_what_was_never_seen_stays_in_range() -> None:
    """Extreme numbers are clipped, and columns that are not given are missing."""
    features = TabularFeatures(SETTINGS).fit(TEXTS, OWN)
    strange = OWN.copy()
    strange["number:weight"], strange["date:added"], strange["category:brand"] = 1e99, 1e5, "Z"
    table = features.transform(TEXTS, strange)
    assert table.numbers.min() >= 0
    assert table.numbers.max() <= 1
    without = features.transform(TEXTS[:2])
    assert without.names == table.names
    missing = without.number("num_column added missing")
    assert missing is not None
    assert missing.tolist() == [1, 1]


def test_a_saved_encoder_is_the_same(tmp_path: Path) -> None:
    """It is loaded from JSON."""
    features = TabularFeatures(SETTINGS).fit(TEXTS, OWN)
    features.save(tmp_path / "tabular.json")
    loaded = TabularFeatures.load(tmp_path / "tabular.json")
    first, second = features.transform(TEXTS, OWN), loaded.transform(TEXTS, OWN)
    pd.testing.assert_frame_equal(first.to_frame(), second.to_frame())


def test_the_block_is_read_back_with_values_without_a_code(tmp_path: Path) -> None:
    """The code -1 survives the file."""
    block().write(tmp_path / "tabular.parquet")
    assert Tabular.read(tmp_path / "tabular.parquet").codes[:, -1].tolist() == [
        0,
        1,
        0,
        -1,
        1,
        0,
        -1,
    ]


def test_columns_without_any_value_are_constant() -> None:
    """Nothing is divided by zero."""
    empty = pd.DataFrame(
        {"category:a": ["", ""], "number:b": [np.nan, np.nan], "date:c": [np.nan, np.nan]}
    )
    own = OwnColumns(5).fit(empty).transform(empty, 2)
    assert own.levels == {}
    assert np.isfinite(own.numbers).all()
