"""Out-of-fold predictions, and the model fitted to all train rows."""

from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from amlc.arrays import Floats, Rows
from amlc.catalog.products import PRICE, test_rows, train_rows
from amlc.errors import DataError
from amlc.features.blocks import Blocks
from amlc.files import write_rows
from amlc.metrics import smape_of_logs
from amlc.models.base import Regressor, Target
from amlc.models.losses import row_weights
from amlc.models.predictions import write_predictions

# Held-out SMAPE by rounds of training.
Curve = dict[int, float]


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
    curve : list of (int, float)
        Rounds of training and the mean over folds of the held-out SMAPE after them; empty for a
        model without rounds.
    """

    model: Regressor
    log_price: Floats
    smape: float
    fold_smape: list[float]
    curve: list[tuple[int, float]]

    def save(self, folder: Path, products: pd.DataFrame) -> None:
        """Write the model, its predictions, its learning curve and its importance."""
        self.model.save(folder)
        write_predictions(folder, products, self.log_price)
        if self.curve:
            write_rows(folder / "curve.csv", ("round", "smape"), self.curve)
        shares = sorted(self.model.importance().items(), key=lambda item: -item[1])
        if shares:
            write_rows(folder / "importance.csv", ("feature", "share"), shares)


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
    train, test = train_rows(products), test_rows(products)
    log_price = np.full(len(products), np.nan)
    splits = [*splits_of(products, train), (train, test)]
    curves: list[Curve] = []
    found = fits(make, blocks, products, splits, seed=seed, threads=threads)
    for fit in tqdm(found, desc="fits", total=len(splits), disable=None):
        log_price[fit.rows] = fit.log_price
        curves.append(_curve(fit.model, blocks.take(fit.rows), products, fit.rows))
    scores = _fold_scores(products, log_price)
    actual = np.log(products[PRICE].to_numpy(dtype=np.float64)[train])
    smape = smape_of_logs(actual, log_price[train])
    # The last one is the fit to all train rows, which holds no priced row out.
    return Crossfit(fit.model, log_price, smape, scores, _mean_curve(curves[:-1]))


def out_of_fold(
    make: Callable[[], Regressor],
    blocks: Blocks,
    products: pd.DataFrame,
    *,
    seed: int,
    threads: int,
) -> Floats:
    """Fit once without each fold; see `crossfit`.

    Returns
    -------
    ndarray of float64, shape (train rows,)
        Log prices, predicted by a model that saw nothing of the row's fold.
    """
    train = train_rows(products)
    splits = list(splits_of(products, train))
    log_price = np.full(len(products), np.nan)
    for fit in fits(make, blocks, products, splits, seed=seed, threads=threads):
        log_price[fit.rows] = fit.log_price
    return log_price[train]


@dataclass(frozen=True)
class Fit:
    """A model, and what it makes of the rows that were held out from it.

    Parameters
    ----------
    model : Regressor
        Fitted.
    rows : ndarray of int
        Held out.
    log_price : ndarray of float64
        Predicted for them.
    """

    model: Regressor
    rows: Rows
    log_price: Floats


def fits(
    make: Callable[[], Regressor],
    blocks: Blocks,
    products: pd.DataFrame,
    splits: list[tuple[Rows, Rows]],
    *,
    seed: int,
    threads: int,
) -> Generator[Fit]:
    """Yield a fit for each split in (rows to fit to, rows held out), in order; see `crossfit`.

    A consumer that stops early leaves the fits that have not begun undone.
    """
    if len(blocks) != len(products):
        raise DataError(f"{len(blocks)} rows of features for {len(products)} products")
    # Fits side by side, each on its own share of the threads: on one thread a fit neither waits for
    # others at every tree nor depends on how many there are. The share is that of `crossfit`, with
    # its one fit more than there are folds, whoever asks: so the bits are the same too.
    at_once = min(threads, products["fold"].iloc[train_rows(products)].nunique() + 1)

    def fitted(rows: Rows, others: Rows) -> Fit:
        model = make()
        target = target_of(products, rows, blocks, model)
        model.fit(blocks.take(rows), target, seed=seed, threads=threads // at_once)
        return Fit(model, others, model.predict(blocks.take(others)))

    with threadpool_limits(threads // at_once), ThreadPoolExecutor(at_once) as pool:
        waiting = [pool.submit(fitted, *split) for split in splits]
        try:
            for fit in waiting:
                yield fit.result()
        finally:
            pool.shutdown(cancel_futures=True)


def splits_of(products: pd.DataFrame, train: Rows) -> Iterator[tuple[Rows, Rows]]:
    """Yield the train rows outside and inside of each fold.

    Raises
    ------
    DataError
        There are fewer than two folds.
    """
    folds = products["fold"].to_numpy()[train]
    names = np.unique(folds)
    if len(names) < 2:
        raise DataError(f"the product table has {len(names)} fold(s); two or more are needed")
    for fold in names:
        yield train[folds != fold], train[folds == fold]


def _curve(model: Regressor, blocks: Blocks, products: pd.DataFrame, rows: Rows) -> Curve:
    """Return held-out SMAPE by rounds; nothing where the rows are not train rows."""
    if (products["fold"].to_numpy()[rows] < 0).any() or not len(rows):
        return {}
    actual = np.log(products[PRICE].to_numpy(dtype=np.float64)[rows])
    return {rounds: smape_of_logs(actual, found) for rounds, found in model.staged(blocks)}


def _mean_curve(curves: list[Curve]) -> list[tuple[int, float]]:
    """Return the mean over folds, at the rounds that all of them have."""
    shared = set.intersection(*(set(curve) for curve in curves))
    return [
        (rounds, float(np.mean([curve[rounds] for curve in curves]))) for rounds in sorted(shared)
    ]


def target_of(products: pd.DataFrame, rows: Rows, blocks: Blocks, model: Regressor) -> Target:
    """Return what a model learns from some rows, weighted as its settings say."""
    log_price = np.log(products[PRICE].to_numpy(dtype=np.float64)[rows])
    tabular = None if blocks.tabular is None else blocks.tabular.take(rows)
    weight = row_weights(model.settings.weights, log_price, tabular)
    return Target(log_price, products["group"].to_numpy()[rows], weight)


def _fold_scores(products: pd.DataFrame, log_price: Floats) -> list[float]:
    actual = np.log(products[PRICE].to_numpy(dtype=np.float64))
    folds = products["fold"].to_numpy()
    return [
        smape_of_logs(actual[folds == fold], log_price[folds == fold])
        for fold in np.unique(folds[train_rows(products)])
    ]
