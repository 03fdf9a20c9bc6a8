"""The forest's arrays compared with scikit-learn's trees."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestRegressor

from amlc.models.forest import flatten, predict, round_down


def test_arrays_predict_as_scikit_learn_does() -> None:
    """The mean of the trees is the forest's prediction."""
    rng = np.random.default_rng(0)
    columns = rng.random((300, 6)).astype(np.float32).round(2)
    values = columns @ np.arange(6) + rng.normal(size=300)
    forest = RandomForestRegressor(12, random_state=1).fit(columns, values)
    arrays = flatten([tree.tree_ for tree in forest.estimators_])
    new = rng.random((500, 6)).astype(np.float32).round(2)
    np.testing.assert_allclose(predict(arrays, new), forest.predict(new), rtol=1e-12)


def test_a_tree_of_one_leaf() -> None:
    """Equal values give trees that are a single leaf."""
    columns = np.zeros((5, 1), np.float32)
    forest = RandomForestRegressor(2, random_state=1).fit(columns, np.full(5, 3.0))
    arrays = flatten([tree.tree_ for tree in forest.estimators_])
    np.testing.assert_array_equal(predict(arrays, columns), 3.0)


@given(st.floats(-1e30, 1e30), st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_rounded_thresholds_split_float32_alike(threshold: float, feature: float) -> None:
    """A float32 is on the same side of the threshold and of its rounding."""
    rounded = round_down(np.array([threshold]))[0]
    assert (np.float32(feature) <= rounded) == (feature <= threshold)
