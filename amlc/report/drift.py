"""Adversarial validation: how well train and test rows can be told apart, and by what."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from amlc.features.blocks import Blocks
from amlc.models.objectives import Floats
from amlc.models.views import View

FOLDS = 3
NAMED = 5


@dataclass(frozen=True)
class Drift:
    """What tells train from test.

    Parameters
    ----------
    auc : float
        Out of fold, of a classifier on all columns: 0.5 where nothing tells them apart.
    columns : dict of str to float
        The columns that alone tell the most, with the AUC of each.
    """

    auc: float
    columns: dict[str, float]


def adversarial_validation(
    train: Blocks,
    test: Blocks,
    groups: NDArray[np.int32],
    *,
    rounds: int,
    seed: int,
    threads: int,
) -> Drift:
    """Learn to tell train from test rows by what models see, but prices.

    Parameters
    ----------
    train, test : Blocks
        Any of tabular, topics and vision.
    groups : ndarray of int, shape (train + test rows,)
        Duplicate groups, which stay together: a product that is in both is no drift.
    rounds : int
        Trees of the classifier.
    seed, threads : int
        Of the folds and the classifier.
    """
    # Slow to import, and most stages of this package never come here.
    import lightgbm as lgb  # noqa: PLC0415 - see above
    from sklearn.model_selection import GroupKFold  # noqa: PLC0415 - see above

    view = View("tree", None, [])
    columns = np.concatenate([view.transform(train).dense, view.transform(test).dense])
    is_test = np.repeat([0, 1], [len(train), len(test)])
    predicted = np.zeros(len(columns))
    folds = GroupKFold(FOLDS, shuffle=True, random_state=seed).split(columns, groups=groups)
    for fit, held_out in folds:
        # LightGBM keeps the number of threads for the whole process; a call without it resets it.
        data = lgb.Dataset(
            columns[fit], is_test[fit], params={"verbosity": -1, "num_threads": threads}
        )
        booster = lgb.train(_parameters(seed, threads), data, rounds)
        predicted[held_out] = np.asarray(booster.predict(columns[held_out], num_threads=threads))
    # A column tells as much in either direction.
    alone = [max(auc, 1 - auc) for auc in (_auc(is_test, column) for column in columns.T)]
    order = np.argsort(alone, kind="stable")[::-1][:NAMED]
    names = view.names(train)
    best = {names[place]: alone[place] for place in order}
    return Drift(_auc(is_test, predicted), best)


def _auc(is_test: NDArray[np.int64], column: Floats) -> float:
    from sklearn.metrics import roc_auc_score  # noqa: PLC0415 - slow to import, see above

    return float(roc_auc_score(is_test, column))


def _parameters(seed: int, threads: int) -> dict[str, object]:
    return {
        "objective": "binary",
        "learning_rate": 0.1,
        "num_leaves": 15,
        "feature_fraction": 0.3,
        "seed": seed,
        "num_threads": threads,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }
