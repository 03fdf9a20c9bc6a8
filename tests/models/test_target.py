"""Log prices, targets and the weights of rows."""

import numpy as np
import pandas as pd
import pytest

from amlc.errors import DataError, ParamsError
from amlc.features.blocks import Tabular
from amlc.models.target import WeightSettings, log_prices, make_target, row_weights

# The digits of float32.
LOG_PRICE = np.log([2.0, 10.0, 30.0, 100.0]).astype(np.float32).astype(np.float64)
PRODUCTS = pd.DataFrame({"price": [2.0, 10.0, 30.0, 100.0], "group": [0, 0, 1, 2]})


def test_log_prices_of_some_rows() -> None:
    """Rows come in the order of their positions."""
    np.testing.assert_array_equal(log_prices(PRODUCTS), LOG_PRICE)
    np.testing.assert_array_equal(log_prices(PRODUCTS, np.array([3, 1])), LOG_PRICE[[3, 1]])


def test_a_target_of_some_rows_has_their_price_group_and_weight() -> None:
    """Each part of the target is taken by the same positions."""
    settings = WeightSettings(limits=[50.0], weights=[1.0, 5.0], column=None)
    target = make_target(PRODUCTS, None, settings).take(np.array([3, 1]))
    np.testing.assert_array_equal(target.log_price, LOG_PRICE[[3, 1]])
    assert target.groups.tolist() == [2, 0]
    assert target.weight is not None
    np.testing.assert_allclose(target.weight, [2.5, 0.5])


def test_weights_by_price_band() -> None:
    """Each row has its band's weight, scaled to a mean of 1."""
    settings = WeightSettings(limits=[10.0, 50.0], weights=[1.0, 2.0, 3.0], column=None)
    weights = row_weights(settings, LOG_PRICE + 1e-9, None)
    assert weights is not None
    np.testing.assert_allclose(weights, np.array([1, 2, 2, 3]) / 2)


def test_weights_by_column() -> None:
    """A numeric column of the tabular block can be the weight."""
    settings = WeightSettings(limits=[], weights=[], column="num_w")
    tabular = Tabular.from_frame(pd.DataFrame({"num_w": [0.0, 1.0, 1.0, 2.0]}))
    weights = row_weights(settings, LOG_PRICE, tabular)
    assert weights is not None
    np.testing.assert_allclose(weights, [0, 1, 1, 2])


@pytest.mark.parametrize("settings", [None, WeightSettings(limits=[], weights=[], column=None)])
def test_equal_weights_are_none(settings: WeightSettings | None) -> None:
    """Equal weights are left out, which libraries handle faster."""
    assert row_weights(settings, LOG_PRICE, None) is None


def test_weight_column_that_is_missing() -> None:
    """The error names the column."""
    settings = WeightSettings(limits=[], weights=[], column="num_w")
    with pytest.raises(ParamsError, match="num_w"):
        row_weights(settings, LOG_PRICE, Tabular.from_frame(pd.DataFrame({"num_x": [1.0] * 4})))


def test_negative_weights_are_named() -> None:
    """The error counts the invalid rows and names the first."""
    settings = WeightSettings(limits=[], weights=[], column="num_w")
    tabular = Tabular.from_frame(pd.DataFrame({"num_w": [1.0, 1.0, -1.0, 1.0]}))
    with pytest.raises(DataError, match=r"1 of 4 rows.*first rows: 2"):
        row_weights(settings, LOG_PRICE, tabular)


@pytest.mark.parametrize(
    ("limits", "weights"), [([2.0, 1.0], [1.0, 1.0, 1.0]), ([1.0], [1.0]), ([], [0.0])]
)
def test_invalid_weight_settings_are_refused(limits: list[float], weights: list[float]) -> None:
    """Limits must ascend, weights must be positive, and there is one weight more than limits."""
    with pytest.raises(ValueError, match="expected"):
        WeightSettings(limits=limits, weights=weights, column=None)
