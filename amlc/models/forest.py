"""A random forest, kept as plain arrays."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from amlc.arrays import Floats, Floats32, Ints32, Rows
from amlc.errors import ModelError
from amlc.files import read_arrays, write_arrays
from amlc.models.base import DenseSettings, Regressor
from amlc.models.design import Design
from amlc.models.target import Target

# Rows times trees that are traversed at a time, which bounds the memory.
BATCH_SIZE = 100_000
# Arrays with an element for each node of all trees.
NODE_ARRAYS = ("left", "right", "feature", "threshold", "value")


class ForestSettings(DenseSettings):
    """Section `train.forest` of params.yaml."""

    n_estimators: int = Field(ge=1, le=10_000)
    max_features: float = Field(gt=0, le=1)
    min_samples_leaf: int = Field(ge=1)
    max_samples: int = Field(ge=1)


class RandomForest(Regressor):
    """Mean of many deep trees, each on a bootstrap sample of the rows."""

    name = "forest"
    settings_type = ForestSettings
    settings: ForestSettings
    kind = "tree"

    def _fit(self, design: Design, target: Target, *, seed: int, threads: int) -> None:
        from sklearn.ensemble import RandomForestRegressor  # noqa: PLC0415 - slow to import

        forest = RandomForestRegressor(
            self.settings.n_estimators,
            max_features=self.settings.max_features,
            min_samples_leaf=self.settings.min_samples_leaf,
            max_samples=min(self.settings.max_samples, len(design.dense)),
            n_jobs=threads,
            random_state=seed,
        )
        forest.fit(design.dense, target.log_price, sample_weight=target.weight)
        nodes = flatten([estimator.tree_ for estimator in forest.estimators_])
        self.arrays = {**nodes, "importances": forest.feature_importances_}

    def _predict(self, design: Design) -> Floats:
        return predict(self.arrays, design.dense)

    def feature_importances(self) -> dict[str, float]:
        """Return each column's share of the variance that all splits remove."""
        shares = self.arrays["importances"].tolist()
        return dict(zip(self.encoder.columns, shares, strict=True))

    def _save(self, folder: Path) -> None:
        write_arrays(folder / "forest.npz", **self.arrays)

    def _load(self, folder: Path) -> None:
        self.arrays = read_arrays(folder / "forest.npz")
        if len({self.arrays[name].size for name in NODE_ARRAYS}) > 1:
            raise ModelError(f"{folder}: the forest's arrays differ in length")


def flatten(trees: list[Any]) -> dict[str, NDArray[Any]]:
    """Return the nodes of all trees, tree by tree.

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
        "left": _children([tree.children_left for tree in trees], starts),
        "right": _children([tree.children_right for tree in trees], starts),
        "feature": np.concatenate([np.maximum(t.feature, 0) for t in trees]).astype(np.int32),
        "threshold": round_down(np.concatenate([tree.threshold for tree in trees])),
        "value": np.concatenate([tree.value[:, 0, 0] for tree in trees]),
    }


def predict(arrays: dict[str, NDArray[Any]], columns: Floats32) -> Floats:
    """Return the mean of the trees' values for each row, which does not depend on the others."""
    starts = arrays["starts"]
    step = max(1, BATCH_SIZE // len(starts))
    parts = [
        _summed(arrays, columns[first : first + step]) for first in range(0, len(columns), step)
    ]
    return np.concatenate([np.zeros(0), *parts]) / len(starts)


def _summed(arrays: dict[str, NDArray[Any]], columns: Floats32) -> Floats:
    """Return the sum of the trees' values for each row, added in the order of the trees."""
    rows = np.tile(np.arange(len(columns)), len(arrays["starts"]))
    node = np.repeat(arrays["starts"], len(columns))
    moving = np.arange(len(node))
    while moving.size:
        at = node[moving]
        low = columns[rows[moving], arrays["feature"][at]] <= arrays["threshold"][at]
        node[moving] = np.where(low, arrays["left"][at], arrays["right"][at])
        moving = moving[node[moving] != at]
    values = arrays["value"][node].reshape(len(arrays["starts"]), len(columns))
    # np.sum may add in a different order for a different number of rows.
    return np.asarray(np.add.accumulate(values, axis=0)[-1])


def _children(by_tree: list[Rows], starts: Ints32) -> Ints32:
    """Return the children's positions among the nodes of all trees; a leaf is its own child."""
    parts = [
        np.where(children < 0, np.arange(len(children)), children).astype(np.int32) + start
        for children, start in zip(by_tree, starts, strict=True)
    ]
    return np.concatenate(parts).astype(np.int32)


def round_down(thresholds: Floats) -> Floats32:
    """Return the largest float32 not above each threshold; it splits float32 features the same."""
    nearest = thresholds.astype(np.float32)
    below = np.nextafter(nearest, np.float32(-np.inf))
    return np.where(nearest > thresholds, below, nearest)
