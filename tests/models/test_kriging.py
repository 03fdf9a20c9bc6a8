"""A Gaussian process over the nearest train products."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from amlc.features.blocks import Tabular
from amlc.features.neighbour_block import NO_NEIGHBOUR, NeighbourBlock, Neighbours
from amlc.models.kriging import Kriging, Points

ROWS = 12
NOISE = 0.5
WIDTH = 5
rng = np.random.default_rng(3)
TEXTS = rng.random((ROWS, 4)).astype(np.float32)
TEXTS /= np.linalg.norm(TEXTS, axis=1, keepdims=True)
LOG_PRICE = rng.normal(2, 1, ROWS)
# The products stand from here in the product table.
FIRST = 7
POSITION = np.arange(FIRST, FIRST + ROWS, dtype=np.int32)
SPLITS = [(np.arange(6, 12), np.arange(6)), (np.arange(6), np.arange(6, 12))]
PRICE, DEVIATION = 0, 1


def tabular(rows: int = ROWS) -> Tabular:
    """Return amounts, another number and a category of the products."""
    random = np.random.default_rng(4)
    columns = {
        "num_log_total": random.random(ROWS).astype(np.float32),
        "num_log_packs": random.random(ROWS).astype(np.float32),
        "num_title_words": random.random(ROWS).astype(np.float32),
        "cat_kind": pd.Categorical.from_codes(random.integers(0, 2, ROWS), pd.Index(["a", "b"])),
    }
    return Tabular.from_frame(pd.DataFrame(columns)[:rows])


def neighbours(**changes: np.ndarray) -> NeighbourBlock:
    """Return the neighbours of the products by their texts, the nearest first."""
    similarity = TEXTS @ TEXTS.T
    np.fill_diagonal(similarity, -1)
    order = np.argsort(-similarity, axis=1)[:, :WIDTH]
    triangle = np.tril_indices(WIDTH)
    among = np.stack([(TEXTS[rows] @ TEXTS[rows].T)[triangle] for rows in order])
    nearest = Neighbours(
        POSITION[order],
        np.take_along_axis(similarity, order, axis=1),
        POSITION,
        among.astype(np.float16),
    )
    return NeighbourBlock(replace(nearest, **changes))


def fitted(log_price: np.ndarray = LOG_PRICE) -> tuple[Kriging, np.ndarray]:
    """Fit, and return the train rows' columns beside the model."""
    kriging = Kriging(NOISE)
    return kriging, kriging.fit_transform(neighbours(), tabular(), log_price, SPLITS)


def naive(row: int, known: list[int]) -> tuple[float, float]:
    """Return what the textbook's formulas predict for a row from others."""
    block = tabular()
    numbers = (block.numbers - block.numbers.mean(axis=0)) / block.numbers.std(axis=0)

    def covariance(left: int, right: int) -> float:
        gap = (numbers[left] - numbers[right]) ** 2
        near = np.exp(-gap[:2].mean() / 2)
        kind = block.codes[left, 0] != block.codes[right, 0]
        alike = np.exp(-gap[2] / 4 - kind / 2)
        trend = 0.3 * (1 + numbers[left, :2] @ numbers[right, :2])
        return float(near * (TEXTS[left] @ TEXTS[right] + alike) + trend)

    matrix = np.array([[covariance(i, j) for j in known] for i in known])
    matrix += NOISE * np.eye(len(known))
    to_known = np.array([covariance(row, i) for i in known])
    median = np.median(LOG_PRICE)
    predicted = median + to_known @ np.linalg.solve(matrix, LOG_PRICE[known] - median)
    explained = to_known @ np.linalg.solve(matrix, to_known)
    return float(predicted), float(np.sqrt(covariance(row, row) - explained))


def test_a_train_row_is_predicted_from_neighbours_of_other_inner_folds() -> None:
    """Plain formulas over the neighbours outside the row's inner fold give the same numbers."""
    columns = fitted()[1]
    for row, around in enumerate(neighbours().loaded().rows - FIRST):
        known = [int(other) for other in around if (other < 6) != (row < 6)]
        np.testing.assert_allclose(columns[row], naive(row, known), rtol=2e-3)


def test_a_new_row_is_predicted_from_all_its_neighbours() -> None:
    """Neighbours of every inner fold count."""
    columns = fitted()[0].transform(neighbours(), tabular())
    for row, around in enumerate((neighbours().loaded().rows - FIRST).tolist()):
        np.testing.assert_allclose(columns[row], naive(row, around), rtol=2e-3)


def test_no_column_depends_on_the_price_of_its_own_row_or_fold() -> None:
    """Changing a price changes the columns of the other inner fold alone."""
    changed = LOG_PRICE.copy()
    # The median, which all rows share, stays the same.
    highest = int(np.argmax(LOG_PRICE))
    changed[highest] += 5
    own = (np.arange(ROWS) < 6) == (highest < 6)
    before, after = fitted()[1], fitted(changed)[1]
    np.testing.assert_array_equal(before[own], after[own])
    assert (before[~own, PRICE] != after[~own, PRICE]).any()


def test_without_neighbours_the_price_is_the_median_and_the_deviation_largest() -> None:
    """A product without similar products gets the median of the train rows, without an error."""
    kriging, _ = fitted()
    usual = kriging.transform(neighbours(), tabular())
    nobody = neighbours(rows=np.full((ROWS, WIDTH), NO_NEIGHBOUR, np.int32))
    columns = kriging.transform(nobody, tabular())
    np.testing.assert_allclose(columns[:, PRICE], np.median(LOG_PRICE))
    assert (columns[:, DEVIATION] > usual[:, DEVIATION]).all()


def test_without_compared_neighbours_the_price_is_the_median() -> None:
    """`neighbours.n_compared: 0` leaves nothing to predict from."""
    none = neighbours(among=np.empty((ROWS, 0), np.float16))
    columns = Kriging(NOISE).fit_transform(none, tabular(), LOG_PRICE, SPLITS)
    np.testing.assert_allclose(columns[:, PRICE], np.median(LOG_PRICE))


def test_texts_alone_are_enough() -> None:
    """A model without the tabular block compares texts only."""
    columns = Kriging(NOISE).fit_transform(neighbours(), None, LOG_PRICE, SPLITS)
    assert np.isfinite(columns).all()
    assert columns[:, PRICE].std() > 0


def test_each_row_is_computed_on_its_own() -> None:
    """A row alone has the same bits as among others."""
    kriging, _ = fitted()
    together = kriging.transform(neighbours(), tabular())
    alone = kriging.transform(neighbours().take(np.array([0])), tabular(1))
    np.testing.assert_array_equal(together[:1], alone)


def test_the_state_is_all_that_a_saved_model_needs() -> None:
    """A new object with the state of a fitted one predicts the same."""
    kriging, _ = fitted()
    again = Kriging(NOISE)
    again.set_state(kriging.state)
    np.testing.assert_array_equal(
        again.transform(neighbours(), tabular()),
        kriging.transform(neighbours(), tabular()),
    )


@pytest.mark.parametrize("columns", [0, 3])
def test_a_covariance_matrix_has_no_negative_eigenvalue(columns: int) -> None:
    """Whatever the numbers and categories, with texts that are inner products."""
    random = np.random.default_rng(columns)
    numbers = random.normal(0, 2, (ROWS, columns)).astype(np.float32)
    codes = random.integers(0, 3, (ROWS, 2)).astype(np.int16)
    points = Points(numbers, numbers, numbers[:, :1], codes)
    matrix = points.covariance(points, TEXTS @ TEXTS.T)
    assert np.linalg.eigvalsh(matrix.astype(np.float64)).min() > -1e-4
