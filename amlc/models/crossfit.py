"""Cross-fitting: out-of-fold predictions and scores, and the model fitted to all train rows."""

import time
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
from amlc.models.timings import Timing, peak_bytes

# The file of a model's learning curve, by what it counts.
CURVES = {"round": "curve.csv", "epoch": "epochs.csv"}


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
        Rounds or epochs of training and the mean over folds of the held-out SMAPE after them; empty
        for a model without either.
    constant : int
        Number of the fits, that to all train rows included, that found nothing to predict from.
    timing : Timing
        Duration and memory.
    """

    model: Regressor
    log_price: Floats
    smape: float
    fold_smape: list[float]
    curve: list[tuple[int, float]]
    constant: int
    timing: Timing

    def save(self, folder: Path, products: pd.DataFrame) -> None:
        """Write the model, its predictions, learning curve and importances into a folder."""
        self.model.save(folder)
        write_predictions(folder, products, log_price=self.log_price)
        if self.curve:
            unit = self.model.curve_unit
            write_rows(folder / CURVES[unit], (unit, "smape"), self.curve)
        shares = sorted(self.model.feature_importances().items(), key=lambda item: -item[1])
        if shares:
            write_rows(folder / "importance.csv", ("feature", "share"), shares)


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
    fit_seconds, predict_seconds : float
        How long fitting and predicting took.
    """

    model: Regressor
    rows: Rows
    log_price: Floats
    fit_seconds: float
    predict_seconds: float


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
    splits = [*fold_splits(products), (train, test)]
    started = time.perf_counter()
    actual, log_price = log_prices(products), np.full(len(products), np.nan)
    fold_smape, curves, constant, fit_seconds, predict_seconds = [], [], 0, 0.0, 0.0
    progress = _watched(
        fits(make, blocks, products, splits, seed=seed, threads=threads), len(splits)
    )
    # Models can be large: only the last one is kept.
    for number, fit in enumerate(progress):
        model, log_price[fit.rows] = fit.model, fit.log_price
        constant += _is_constant(model)
        fit_seconds += fit.fit_seconds
        predict_seconds += fit.predict_seconds
        if number < len(splits) - 1:
            fold_smape.append(smape_of_logs(actual[fit.rows], fit.log_price))
            curves.append(_curve(fit, blocks, actual))
    seconds = time.perf_counter() - started
    return Crossfit(
        model=model,
        log_price=log_price,
        smape=smape_of_logs(actual[train], log_price[train]),
        fold_smape=fold_smape,
        curve=_mean_curve(curves),
        constant=constant,
        timing=Timing(
            seconds=seconds,
            fit_seconds=fit_seconds,
            predict_seconds=predict_seconds,
            peak_bytes=peak_bytes(),
        ),
    )


def _watched(fits_in_order: Iterator[Fit], count: int) -> Iterator[Fit]:
    """Yield the fits, the last of which is to all train rows; on a terminal, say which it is."""
    with tqdm(total=count, unit="fit", disable=None) as bar:
        for number in range(1, count + 1):
            kind = f"without fold {number}" if number < count else "to all train rows"
            bar.set_description_str(f"fit {number} of {count}, {kind}")
            yield next(fits_in_order)
            bar.update()


def _is_constant(model: Regressor) -> bool:
    shares = model.feature_importances()
    return bool(shares) and not any(shares.values())


def _curve(fit: Fit, blocks: Blocks, actual: Floats) -> dict[int, float]:
    """Return the held-out SMAPE by rounds of training."""
    return {
        rounds: smape_of_logs(actual[fit.rows], log_price)
        for rounds, log_price in fit.model.staged_predict(blocks.take(fit.rows))
    }


def _mean_curve(curves: list[dict[int, float]]) -> list[tuple[int, float]]:
    """Return rounds of training and the mean over folds of the held-out SMAPE after them."""
    # Fits that stop early do not all have the same numbers of rounds.
    shared = sorted(set.intersection(*map(set, curves)))
    return [(rounds, float(np.mean([curve[rounds] for curve in curves]))) for rounds in shared]


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
    actual, log_price = log_prices(products), np.full(len(products), np.nan)
    with closing(fits(make, blocks, products, seed=seed, threads=threads)) as fold_fits:
        for fit in fold_fits:
            log_price[fit.rows] = fit.log_price
            predicted = np.isfinite(log_price)
            yield smape_of_logs(actual[predicted], log_price[predicted])


def fits(
    make: Callable[[], Regressor],
    blocks: Blocks,
    products: pd.DataFrame,
    splits: list[tuple[Rows, Rows]] | None = None,
    *,
    seed: int,
    threads: int,
) -> Generator[Fit]:
    """Yield a fit for each split, in order; several are computed at the same time.

    Parameters
    ----------
    make, blocks, products, seed, threads
        As in `crossfit`.
    splits : list of (ndarray of int, ndarray of int), optional
        Positions of the rows to fit to, and of the rows held out; by default those of the folds.

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
    at_once = make().fits_at_once or at_once
    each = max(threads // at_once, 1)
    in_a_fold = (products["fold"] >= 0).to_numpy()

    def fit_split(fit_rows: Rows, held_out: Rows) -> Fit:
        model = make()
        train, other = blocks.take(fit_rows), blocks.take(held_out)
        target = make_target(products.iloc[fit_rows], train.tabular, model.settings.weights)
        if in_a_fold[held_out].all():
            model.watch(other)
        started = time.perf_counter()
        model.fit(train, target, seed=seed, threads=each)
        fitted = time.perf_counter()
        log_price = model.predict(other)
        seconds = fitted - started, time.perf_counter() - fitted
        return Fit(model, held_out, log_price, *seconds)

    with threadpool_limits(each), ThreadPoolExecutor(at_once) as pool:
        pending = [pool.submit(fit_split, *split) for split in splits or fold_splits(products)]
        try:
            for future in pending:
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def fold_splits(products: pd.DataFrame) -> list[tuple[Rows, Rows]]:
    """Return the train rows outside and inside each fold.

    Raises
    ------
    DataError
        There are fewer than two folds.
    """
    train = train_rows(products)
    folds = products["fold"].to_numpy()[train]
    names = np.unique(folds)
    if len(names) < 2:
        raise DataError(f"the product table has {len(names)} fold(s); two or more are needed")
    return [(train[folds != fold], train[folds == fold]) for fold in names]
