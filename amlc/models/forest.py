"""A random forest, kept as plain arrays."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from amlc.arrays import Floats, Floats32
from amlc.errors import ModelError
from amlc.files import write_array
from amlc.models.base import DenseSettings, Regressor, Target
from amlc.models.design import Design

# Rows times trees that are walked down together.
PLACES_AT_ONCE = 100_000
ARRAYS = ("starts", "left", "right", "feature", "threshold", "value")


class ForestSettings(DenseSettings):
    """Section `train.forest` of params.yaml."""

    trees: int = Field(ge=1, le=10_000)
    # Share of the columns tried at each split.
    columns: float = Field(gt=0, le=1)
    # Rows in a leaf, at least.
    leaf_rows: int = Field(ge=1)
    # Rows drawn for each tree, at most: a tree's time grows with its rows, and many trees that see
    # different rows need not see all of them.
    tree_rows: int = Field(ge=1)


class RandomForest(Regressor):
    """Mean of many deep trees, each on a bootstrap sample of the rows."""

    settings_type = ForestSettings
    settings: ForestSettings
    kind = "tree"

    def _fit(self, design: Design, target: Target, *, seed: int, threads: int) -> None:
        from sklearn.ensemble import RandomForestRegressor  # noqa: PLC0415 - slow to import

        forest = RandomForestRegressor(
            self.settings.trees,
            max_features=self.settings.columns,
            min_samples_leaf=self.settings.leaf_rows,
            max_samples=min(self.settings.tree_rows, len(design.dense)),
            n_jobs=threads,
            random_state=seed,
        )
        forest.fit(design.dense, target.log_price, sample_weight=target.weight)
        self.gains = forest.feature_importances_
        self.arrays = flattened([estimator.tree_ for estimator in forest.estimators_])

    def _predict(self, design: Design) -> Floats:
        return predict(self.arrays, design.dense)

    def importance(self) -> dict[str, float]:
        """Return each column's share of the variance that splits on it removed."""
        return dict(zip(self.view.columns, self.gains.tolist(), strict=True))

    def _save(self, folder: Path) -> None:
        for name in ARRAYS:
            write_array(folder / f"{name}.npy", self.arrays[name])

    def _load(self, folder: Path) -> None:
        self.arrays = {name: np.load(folder / f"{name}.npy", allow_pickle=False) for name in ARRAYS}
        nodes = self.arrays["left"].size
        if any(self.arrays[name].size != nodes for name in ARRAYS[1:]):
            raise ModelError(f"{folder}: the forest's arrays differ in length")


def flattened(trees: list[Any]) -> dict[str, NDArray[Any]]:
    """Return the nodes of all trees one after another.

    Parameters
    ----------
    trees : list of sklearn.tree._tree.Tree
        Fitted trees of one output.

    Returns
    -------
    dict of str to ndarray
        ``starts``: the root's position of each tree. ``left``, ``right``: positions of the
        children; a leaf is its own child. ``feature``, ``threshold``: a row whose feature is not
        above the threshold goes left. ``value``: the mean of the node's rows.
    """
    sizes = [tree.node_count for tree in trees]
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int32)
    return {
        "starts": starts,
        "left": _joined([_own(t.children_left) + s for t, s in zip(trees, starts, strict=True)]),
        "right": _joined([_own(t.children_right) + s for t, s in zip(trees, starts, strict=True)]),
        "feature": _joined([np.maximum(tree.feature, 0) for tree in trees]),
        "threshold": _rounded_down(np.concatenate([tree.threshold for tree in trees])),
        "value": np.concatenate([tree.value[:, 0, 0] for tree in trees]),
    }


def predict(arrays: dict[str, NDArray[Any]], columns: Floats32) -> Floats:
    """Return the mean of the trees; a row's depends on no other row."""
    starts = arrays["starts"]
    step = max(1, PLACES_AT_ONCE // len(starts))
    parts = [
        _summed(arrays, columns[first : first + step]) for first in range(0, len(columns), step)
    ]
    return np.concatenate([np.zeros(0), *parts]) / len(starts)


def _summed(arrays: dict[str, NDArray[Any]], columns: Floats32) -> Floats:
    """Return the sum of the trees, walked down together, added up in their order."""
    rows = np.tile(np.arange(len(columns)), len(arrays["starts"]))
    node = np.repeat(arrays["starts"], len(columns))
    moving = np.arange(len(node))
    while moving.size:
        at = node[moving]
        low = columns[rows[moving], arrays["feature"][at]] <= arrays["threshold"][at]
        node[moving] = np.where(low, arrays["left"][at], arrays["right"][at])
        moving = moving[node[moving] != at]
    values = arrays["value"][node].reshape(len(arrays["starts"]), len(columns))
    # A plain sum may add in another order for another number of rows.
    return np.asarray(np.add.accumulate(values, axis=0)[-1])


def _own(children: NDArray[np.intp]) -> NDArray[np.int32]:
    """Return positions of children, a leaf's being its own."""
    return np.where(children < 0, np.arange(len(children)), children).astype(np.int32)


def _joined(parts: list[NDArray[Any]]) -> NDArray[np.int32]:
    return np.concatenate(parts).astype(np.int32)


def _rounded_down(thresholds: Floats) -> Floats32:
    """Return the largest float32 not above: float32 features fall on the same side of it."""
    near = thresholds.astype(np.float32)
    below = np.nextafter(near, np.float32(-np.inf))
    return np.where(near > thresholds, below, near)
