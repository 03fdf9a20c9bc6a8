"""Columns made of the prices of the nearest train products."""

import numpy as np
import pytest

from amlc.arrays import Floats32, Ints32
from amlc.features.neighbour_block import NO_NEIGHBOUR, NeighbourBlock, Neighbours
from amlc.models import neighbour_prices as module
from amlc.models.neighbour_prices import NeighbourPrices

_, NEAREST, _, MEAN, DEVIATION, AMOUNT, _ = range(7)
LOG_PRICE = np.array([1.0, 2.0, 3.0, 4.0])
TOTAL = np.array([0.1, 0.2, 0.3, 0.4])
# Products 10 to 13 of a table; each one's neighbours are the other three, the nearest first.
POSITION = np.array([10, 11, 12, 13], np.int32)
ROWS = np.array([[11, 12, 13], [10, 12, 13], [13, 11, 10], [12, 11, 10]], np.int32)
SIMILARITY = np.tile(np.array([0.9, 0.6, 0.3], np.float32), (4, 1))
SPLITS = [
    (np.array([2, 3]), np.array([0, 1])),
    (np.array([0, 1]), np.array([2, 3])),
]


def block(rows: Ints32, similarity: Floats32, position: Ints32) -> NeighbourBlock:
    """Return neighbours that are not compared to each other."""
    not_compared = np.empty((len(rows), 0), np.float16)
    return NeighbourBlock(Neighbours(rows, similarity, position, not_compared))


def neighbours() -> NeighbourBlock:
    """Return the neighbours of the four products."""
    return block(ROWS, SIMILARITY, POSITION)


def fitted(*counts: int) -> tuple[NeighbourPrices, np.ndarray]:
    """Fit, and return the train rows' columns beside the model."""
    prices = NeighbourPrices([*counts] or [2])
    return prices, prices.fit_transform(neighbours(), TOTAL, LOG_PRICE, SPLITS)


def test_a_train_row_sees_only_other_inner_folds() -> None:
    """The nearest neighbour of product 10 is 11, held out with it; 12 is the nearest allowed."""
    columns = fitted()[1]
    assert columns[:, NEAREST].tolist() == [3.0, 3.0, 2.0, 2.0]


def test_no_column_depends_on_the_price_of_its_own_row() -> None:
    """Changing a price does not change the columns of its row and fold, but those of others."""
    columns = fitted()[1]
    changed = LOG_PRICE.copy()
    changed[0] = 99.0
    again = NeighbourPrices([2]).fit_transform(neighbours(), TOTAL, changed, SPLITS)
    np.testing.assert_array_equal(columns[:2], again[:2])
    assert (columns[2:] != again[2:]).any()


def test_the_mean_is_weighted_by_a_power_of_similarity() -> None:
    """A plain formula gives the same number."""
    weights = np.array([0.6, 0.3]) ** 4
    expected = (weights @ [3.0, 4.0]) / weights.sum()
    assert fitted()[1][0, MEAN] == pytest.approx(expected, rel=1e-6)


def test_columns_do_not_depend_on_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that are computed one by one have the same bits as together."""
    together = fitted()[1]
    monkeypatch.setattr(module, "CHUNK", 1)
    assert fitted()[1].tobytes() == together.tobytes()


def test_a_new_row_sees_all_train_rows() -> None:
    """Its nearest neighbour may be of any fold."""
    new = block(ROWS[:1], SIMILARITY[:1], np.array([NO_NEIGHBOUR], np.int32))
    assert fitted()[0].transform(new, TOTAL[:1])[0, NEAREST] == 2.0


def test_without_neighbours_the_columns_are_the_train_mean() -> None:
    """A product without similar products gets the mean price, without an error."""
    none = np.full((1, 3), NO_NEIGHBOUR, np.int32)
    new = block(none, np.zeros((1, 3), np.float32), none[0, :1])
    columns = fitted()[0].transform(new, np.array([0.25]))
    assert columns[0, MEAN] == pytest.approx(LOG_PRICE.mean())
    assert columns[0, DEVIATION] == pytest.approx(0)
    assert columns[0, AMOUNT] == pytest.approx(0)


def test_a_neighbour_that_was_not_fitted_on_is_skipped() -> None:
    """Its price is not known, even if its position is beyond the last train row."""
    new = block(np.array([[99, 10, 0]], np.int32), SIMILARITY[:1], POSITION[:1])
    assert fitted()[0].transform(new, TOTAL[:1])[0, NEAREST] == 1.0


def test_train_rows_are_all_that_the_columns_need() -> None:
    """Rows, log prices and totals are what a saved model holds."""
    prices, _ = fitted()
    again = NeighbourPrices(prices.counts)
    again.set_train_rows(prices.rows, prices.log_price, prices.total)
    np.testing.assert_array_equal(
        again.transform(neighbours(), TOTAL), prices.transform(neighbours(), TOTAL)
    )


def test_every_count_has_its_own_columns() -> None:
    """The columns of a count do not depend on the other counts."""
    single, both = fitted(2)[1], fitted(1, 2)[1]
    assert both.shape == (4, single.shape[1] + 4)
    np.testing.assert_array_equal(both[:, -4:], single[:, -4:])
