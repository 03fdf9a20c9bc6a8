"""Cross-fitting: out-of-fold predictions and scores, and the model fitted to all train rows."""

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from amlc.arrays import Floats, Rows
from amlc.catalog.products import PRICE, test_rows, train_rows
from amlc.errors import DataError
from amlc.execution.backend import THREADS, Backend, in_order, open_pool
from amlc.features.blocks import Blocks
from amlc.files import write_rows
from amlc.metrics import smape_of_logs
from amlc.models.base import Regressor
from amlc.models.predictions import CURVES, write_predictions
from amlc.models.target import log_prices, make_target
from amlc.models.timings import Timing, peak_bytes


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
    """Predictions for the rows that were held out, and what else is known of the fitted model.

    Parameters
    ----------
    model : Regressor or None
        Fitted to the other rows; None unless its split keeps it, because models can be large.
    rows : ndarray of int, shape (n,)
        Positions of the rows held out.
    log_price : ndarray of float64, shape (n,)
        Their predicted log prices.
    curve : dict of int to float
        SMAPE of the rows held out by rounds of training, if they are in folds.
    constant : bool
        Whether the model found nothing to predict from.
    fit_seconds, predict_seconds : float
        How long fitting and predicting took.
    peak_bytes : int
        Largest memory of the process.
    """

    model: Regressor | None
    rows: Rows
    log_price: Floats
    curve: dict[int, float]
    constant: bool
    fit_seconds: float
    predict_seconds: float
    peak_bytes: int


@dataclass(frozen=True)
class Task:
    """What all fits of a model share.

    Parameters
    ----------
    make, blocks, products, seed
        As in `crossfit`.
    threads : int
        Threads for one fit.
    cluster : Backend, optional
        For a model each fit of which several workers make together: has these workers.
    """

    make: Callable[[], Regressor]
    blocks: Blocks
    products: pd.DataFrame
    seed: int
    threads: int
    cluster: Backend | None = None


@dataclass(frozen=True)
class Split:
    """The rows of one fit.

    Parameters
    ----------
    fit_rows, held_out : ndarray of int
        Positions of the rows to fit to, and of those to predict.
    keep_model : bool
        Whether the fit returns its model.
    """

    fit_rows: Rows
    held_out: Rows
    keep_model: bool = False


def crossfit(
    make: Callable[[], Regressor],
    blocks: Blocks,
    products: pd.DataFrame,
    *,
    seed: int,
    threads: int,
    backend: Backend = THREADS,
) -> Crossfit:
    """Fit once without each fold and once to all train rows.

    Parameters
    ----------
    make : callable
        Returns a new, unfitted model. With other backends than threads it is pickled, so it is no
        lambda.
    blocks : Blocks
        One row per product.
    products : DataFrame
        The product table: price, fold, group, split.
    seed : int
        Seed of each fit.
    threads : int
        Threads for all fits together.
    backend : Backend
        Where the fits are computed, which does not change them.

    Raises
    ------
    ExecutionError
        A fit could not be computed there.
    DataError
        Blocks and products differ in length, or there are fewer than two folds.
    """
    train, test = train_rows(products), test_rows(products)
    splits = [Split(*rows) for rows in fold_splits(products)]
    splits.append(Split(train, test, keep_model=True))
    started = time.perf_counter()
    actual, log_price = log_prices(products), np.full(len(products), np.nan)
    done: list[Fit] = []
    arguments: Any = {"seed": seed, "threads": threads, "backend": backend}
    fold_fits = fits(make, blocks, products, splits, **arguments)
    for fit in _watched(fold_fits, len(splits)):
        log_price[fit.rows] = fit.log_price
        done.append(fit)
    model = done[-1].model
    assert model is not None
    seconds = time.perf_counter() - started
    return Crossfit(
        model=model,
        log_price=log_price,
        smape=smape_of_logs(actual[train], log_price[train]),
        fold_smape=[smape_of_logs(actual[fit.rows], fit.log_price) for fit in done[:-1]],
        curve=_mean_curve([fit.curve for fit in done[:-1]]),
        constant=sum(fit.constant for fit in done),
        timing=Timing(
            seconds=seconds,
            fit_seconds=sum(fit.fit_seconds for fit in done),
            predict_seconds=sum(fit.predict_seconds for fit in done),
            peak_bytes=max(fit.peak_bytes for fit in done),
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
    backend: Backend = THREADS,
) -> Generator[float]:
    """Yield, after each fold, the out-of-fold SMAPE of all folds so far.

    Parameters
    ----------
    make, blocks, products, seed, threads, backend
        As in `crossfit`; the last score is that of `crossfit`.

    Notes
    -----
    Several folds are fitted at the same time and reported in order. Closing the generator cancels
    those that have not started.
    """
    actual, log_price = log_prices(products), np.full(len(products), np.nan)
    arguments: Any = {"seed": seed, "threads": threads, "backend": backend}
    with closing(fits(make, blocks, products, **arguments)) as fold_fits:
        for fit in fold_fits:
            log_price[fit.rows] = fit.log_price
            predicted = np.isfinite(log_price)
            yield smape_of_logs(actual[predicted], log_price[predicted])


def fits(
    make: Callable[[], Regressor],
    blocks: Blocks,
    products: pd.DataFrame,
    splits: Sequence[Split] | None = None,
    *,
    seed: int,
    threads: int,
    backend: Backend = THREADS,
) -> Generator[Fit]:
    """Yield a fit for each split, in order; several are computed at the same time.

    Parameters
    ----------
    make, blocks, products, seed, threads, backend
        As in `crossfit`.
    splits : sequence of Split, optional
        By default those of the folds.

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
    model, cluster = make(), None
    at_once = model.fits_at_once or at_once
    each = max(threads // at_once, 1)
    if model.workers > 1:
        backend.check_workers(model.workers, f"train.{model.name}.distributed")
        backend, cluster = THREADS, backend
    task = Task(make, blocks, products[[PRICE, "group", "fold"]], seed, each, cluster)
    pieces = splits or [Split(*rows) for rows in fold_splits(products)]
    with open_pool(backend, task, at_once=at_once, unit="fit", threads=each) as pool:
        yield from in_order(pool, fit_split, pieces)


def fit_split(task: Task, split: Split) -> Fit:
    """Fit a model to some rows and predict others.

    Parameters
    ----------
    task : Task
        What all fits share.
    split : Split
        The rows.
    """
    model = task.make()
    model.cluster = task.cluster
    train, other = task.blocks.take(split.fit_rows), task.blocks.take(split.held_out)
    products = task.products.iloc[split.fit_rows]
    target = make_target(products, train.tabular, model.settings.weights)
    held_out = task.products.iloc[split.held_out]
    in_a_fold = len(held_out) > 0 and bool((held_out["fold"] >= 0).all())
    if in_a_fold:
        model.watch(other)
    started = time.perf_counter()
    model.fit(train, target, seed=task.seed, threads=task.threads)
    fitted = time.perf_counter()
    log_price = model.predict(other)
    predicted = time.perf_counter()
    shares = model.feature_importances()
    curve = {
        rounds: smape_of_logs(log_prices(held_out), staged)
        for rounds, staged in (model.staged_predict(other) if in_a_fold else ())
    }
    return Fit(
        model=model if split.keep_model else None,
        rows=split.held_out,
        log_price=log_price,
        curve=curve,
        constant=bool(shares) and not any(shares.values()),
        fit_seconds=fitted - started,
        predict_seconds=predicted - fitted,
        peak_bytes=peak_bytes(),
    )


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
