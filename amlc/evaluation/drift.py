"""Adversarial validation: how well a classifier separates train rows from test rows."""

import numpy as np

from amlc.arrays import Floats, Ints32, Ints64
from amlc.evaluation.metrics_files import Drift
from amlc.features.blocks import Blocks
from amlc.models.design import DesignEncoder

FOLDS = 3
# Number of columns whose own AUC is reported.
REPORTED = 5


def adversarial_validation(
    train: Blocks,
    test: Blocks,
    groups: Ints32,
    *,
    n_estimators: int,
    seed: int,
    threads: int,
) -> Drift:
    """Fit a classifier that separates train from test rows by columns that do not depend on prices.

    Parameters
    ----------
    train, test : Blocks
        Any of the blocks tabular, topics and vision.
    groups : ndarray of int, shape (train + test rows,)
        Duplicate groups, which stay in one fold: a product that is in both splits is not drift.
    n_estimators : int
        Rounds of boosting of the classifier.
    seed : int
        Seed of the folds and the classifier.
    threads : int
        Threads of the classifier.
    """
    # Slow to import, and needed only here.
    import lightgbm as lgb  # noqa: PLC0415 - see above
    from sklearn.model_selection import GroupKFold  # noqa: PLC0415 - see above

    encoder = DesignEncoder("tree", None, [], None)
    columns = np.concatenate([encoder.transform(train).dense, encoder.transform(test).dense])
    is_test = np.repeat([0, 1], [len(train), len(test)])
    predicted = np.zeros(len(columns))
    folds = GroupKFold(FOLDS, shuffle=True, random_state=seed).split(columns, groups=groups)
    for fit, held_out in folds:
        # LightGBM keeps the number of threads for the whole process; a call without it resets it.
        data = lgb.Dataset(
            columns[fit], is_test[fit], params={"verbosity": -1, "num_threads": threads}
        )
        booster = lgb.train(_parameters(seed, threads), data, n_estimators)
        predicted[held_out] = np.asarray(booster.predict(columns[held_out], num_threads=threads))
    # An AUC below 0.5 separates as well: the column is then larger in the train rows.
    alone = [max(auc, 1 - auc) for auc in (_auc(is_test, column) for column in columns.T)]
    order = np.argsort(alone, kind="stable")[::-1][:REPORTED]
    names = encoder.names(train)
    columns_alone = {names[column]: alone[column] for column in order}
    return Drift(auc=_auc(is_test, predicted), columns=columns_alone)


def _auc(is_test: Ints64, column: Floats) -> float:
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
