"""Cross-fitting: out-of-fold predictions and scores, and the model fitted to all train rows."""

from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from amlc.arrays import Floats, Rows
from amlc.catalog.products import test_rows, train_rows
from amlc.errors import DataError
from amlc.features.blocks import Blocks
from amlc.files import write_rows
from amlc.metrics import smape_of_logs
from amlc.models.base import Regressor
from amlc.models.predictions import write_predictions
from amlc.models.target import log_prices, make_target

# Held-out SMAPE by rounds of training.
Curve = dict[int, float]


@dataclass(frozen=True)
class Crossfit:
    """A model's out-of-fold predictions and scores, and the model fitted to all train rows.

    Parameters
    ----------
    model : Regressor
        Fitted to all train rows.
    log_price : ndarray of float64, shape (products,)
        Train rows: predicted by a model fitted without the row's fold. Test rows: by `model`.
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
        """Write the model, its predictions, learning curve and importances into a folder."""
        self.model.save(folder)
        write_predictions(folder, products, self.log_price)
        if self.curve:
            write_rows(folder / "curve.csv", ("round", "smape"), self.curve)
        shares = sorted(self.model.feature_importances().items(), key=lambda item: -item[1])
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
        Returns a new, unfitted model.
    blocks : Blocks
        One row per product.
    products : DataFrame
        The product table: price, fold, group, split.
    seed : int
        Seed of each fit.
    threads : int
        Threads for all fits together.

    Raises
    ------
    DataError
        Blocks and products differ in length, or there are fewer than two folds.
    """
    train, test = train_rows(products), test_rows(products)
    log_price = np.full(len(products), np.nan)
    fold_splits = list(splits_of(products, train))
    splits = [*fold_splits, (train, test)]
    models: list[Regressor] = []
    curves: list[Curve] = []
    progress = tqdm(
        fits(make, blocks, products, splits, seed=seed, threads=threads),
        desc="fits",
        total=len(splits),
        disable=None,
    )
    for fit in progress:
        log_price[fit.rows] = fit.log_price
        models.append(fit.model)
        # The last fit is the one to all train rows, whose held-out rows have no price.
        if len(curves) < len(fold_splits):
            held_out = products.iloc[fit.rows]
            curves.append(_curve(fit.model, blocks.take(fit.rows), log_prices(held_out)))
    actual = log_prices(products)
    return Crossfit(
        model=models[-1],
        log_price=log_price,
        smape=smape_of_logs(actual[train], log_price[train]),
        fold_smape=[smape_of_logs(actual[rows], log_price[rows]) for _, rows in fold_splits],
        curve=_mean_curve(curves),
    )


def out_of_fold(
    make: Callable[[], Regressor],
    blocks: Blocks,
    products: pd.DataFrame,
    *,
    seed: int,
    threads: int,
) -> Floats:
    """Fit once without each fold, and return the predictions for the train rows.

    Parameters
    ----------
    make, blocks, products, seed, threads
        As in `crossfit`.

    Returns
    -------
    ndarray of float64, shape (train rows,)
        Log prices, each predicted by a model fitted without the row's fold.
    """
    train = train_rows(products)
    splits = list(splits_of(products, train))
    log_price = np.full(len(products), np.nan)
    for fit in fits(make, blocks, products, splits, seed=seed, threads=threads):
        log_price[fit.rows] = fit.log_price
    return log_price[train]


def fold_scores(
    make: Callable[[], Regressor],
    blocks: Blocks,
    products: pd.DataFrame,
    *,
    seed: int,
    threads: int,
) -> Generator[float]:
    """Yield, after each fold, the out-of-fold SMAPE of all folds so far.

    Parameters
    ----------
    make, blocks, products, seed, threads
        As in `crossfit`; the last score is that of `crossfit`.

    Notes
    -----
    Several folds are fitted at the same time and reported in order. Closing the generator cancels
    those that have not started.
    """
    train = train_rows(products)
    splits = list(splits_of(products, train))
    actual = log_prices(products)
    log_price = np.full(len(products), np.nan)
    with closing(fits(make, blocks, products, splits, seed=seed, threads=threads)) as fold_fits:
        for fit in fold_fits:
            log_price[fit.rows] = fit.log_price
            predicted = train[np.isfinite(log_price[train])]
            yield smape_of_logs(actual[predicted], log_price[predicted])


@dataclass(frozen=True)
class Fit:
    """A fitted model and its predictions for the rows that were held out.

    Parameters
    ----------
    model : Regressor
        Fitted to the other rows.
    rows : ndarray of int, shape (n,)
        Positions of the rows held out.
    log_price : ndarray of float64, shape (n,)
        Their predicted log prices.
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
    """Yield a fit for each split, in order; several are computed at the same time.

    Parameters
    ----------
    make, blocks, products, seed, threads
        As in `crossfit`.
    splits : list of (ndarray of int, ndarray of int)
        Positions of the rows to fit to, and of the rows held out.

    Notes
    -----
    Closing the generator cancels the fits that have not started.
    """
    if len(blocks) != len(products):
        raise DataError(f"{len(blocks)} rows of features for {len(products)} products")
    # Many fits on few threads each are faster than one fit on all threads, which wait for each
    # other at every tree. The share of a fit is always that of `crossfit`, which has one fit more
    # than there are folds, because another number of threads can change the last bits of a score.
    at_once = min(threads, products["fold"].iloc[train_rows(products)].nunique() + 1)

    def fit_split(fit_rows: Rows, held_out: Rows) -> Fit:
        model = make()
        train = blocks.take(fit_rows)
        target = make_target(products.iloc[fit_rows], train.tabular, model.settings.weights)
        model.fit(train, target, seed=seed, threads=threads // at_once)
        return Fit(model, held_out, model.predict(blocks.take(held_out)))

    with threadpool_limits(threads // at_once), ThreadPoolExecutor(at_once) as pool:
        pending = [pool.submit(fit_split, *split) for split in splits]
        try:
            for future in pending:
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def splits_of(products: pd.DataFrame, train: Rows) -> Iterator[tuple[Rows, Rows]]:
    """Yield the train rows outside and inside each fold.

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


def _curve(model: Regressor, blocks: Blocks, actual: Floats) -> Curve:
    """Return the SMAPE of held-out rows by rounds of training."""
    return {
        rounds: smape_of_logs(actual, log_price)
        for rounds, log_price in model.staged_predict(blocks)
    }


def _mean_curve(curves: list[Curve]) -> list[tuple[int, float]]:
    """Return the mean over folds, at the numbers of rounds that all curves have."""
    shared = set.intersection(*(set(curve) for curve in curves))
    return [
        (rounds, float(np.mean([curve[rounds] for curve in curves]))) for rounds in sorted(shared)
    ]
