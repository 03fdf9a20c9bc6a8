"""Out-of-fold predictions, and the model fitted to all train rows."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from amlc.catalog.table import PRICE, test_rows, train_rows
from amlc.errors import DataError
from amlc.features.blocks import Blocks
from amlc.metrics import smape_of_logs
from amlc.models.base import Regressor, Target
from amlc.models.encodings import Rows
from amlc.models.objectives import Floats, row_weights


@dataclass(frozen=True)
class Crossfit:
    """The outcome of `crossfit`.

    Parameters
    ----------
    model : Regressor
        Fitted to all train rows.
    log_price : ndarray of float64, shape (products,)
        Train rows: predicted by a model that saw nothing of the row's fold. Test rows: by `model`.
    smape, fold_smape : float, list of float
        Out-of-fold SMAPE in percent, of all train rows and of each fold.
    """

    model: Regressor
    log_price: Floats
    smape: float
    fold_smape: list[float]


def crossfit(
    make: Callable[[], Regressor],
    blocks: Blocks,
    products: pd.DataFrame,
    *,
    seed: int,
    threads: int,
) -> Crossfit:
    """Fit once without each fold and once to all train rows.

    Parameters
    ----------
    make : callable
        Gives a new, unfitted model.
    blocks : Blocks
        One row per product.
    products : DataFrame
        The product table: price, fold, group, split.
    seed, threads : int
        Handed to each fit.

    Raises
    ------
    DataError
        Blocks and products differ in length, or there are fewer than two folds.
    """
    if len(blocks) != len(products):
        raise DataError(f"{len(blocks)} rows of features for {len(products)} products")
    train, test = train_rows(products), test_rows(products)
    log_price = np.full(len(products), np.nan)
    splits = [*_splits(products, train), (train, test)]
    # Fits side by side, each on its own share of the threads: on one thread a fit neither waits for
    # others at every tree nor depends on how many there are.
    workers = min(threads, len(splits))

    def fitted(rows: Rows, others: Rows) -> tuple[Regressor, Floats]:
        model = make()
        target = _target(products, rows, blocks, model)
        model.fit(blocks.take(rows), target, seed=seed, threads=threads // workers)
        return model, model.predict(blocks.take(others))

    with threadpool_limits(threads // workers), ThreadPoolExecutor(workers) as pool:
        fits = [pool.submit(fitted, *split) for split in splits]
        for fit, (_, others) in zip(tqdm(fits, desc="fits", disable=None), splits, strict=True):
            model, log_price[others] = fit.result()
    scores = _fold_scores(products, log_price)
    actual = np.log(products[PRICE].to_numpy(dtype=np.float64)[train])
    return Crossfit(model, log_price, smape_of_logs(actual, log_price[train]), scores)


def _splits(products: pd.DataFrame, train: Rows) -> Iterator[tuple[Rows, Rows]]:
    folds = products["fold"].to_numpy()[train]
    names = np.unique(folds)
    if len(names) < 2:
        raise DataError(f"the product table has {len(names)} fold(s); two or more are needed")
    for fold in names:
        yield train[folds != fold], train[folds == fold]


def _target(products: pd.DataFrame, rows: Rows, blocks: Blocks, model: Regressor) -> Target:
    log_price = np.log(products[PRICE].to_numpy(dtype=np.float64)[rows])
    tabular = None if blocks.tabular is None else blocks.tabular.iloc[rows]
    weight = row_weights(model.settings.weights, log_price, tabular)
    return Target(log_price, products["group"].to_numpy()[rows], weight)


def _fold_scores(products: pd.DataFrame, log_price: Floats) -> list[float]:
    actual = np.log(products[PRICE].to_numpy(dtype=np.float64))
    folds = products["fold"].to_numpy()
    return [
        smape_of_logs(actual[folds == fold], log_price[folds == fold])
        for fold in np.unique(folds[train_rows(products)])
    ]
