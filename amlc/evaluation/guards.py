"""Checks for leaks of prices into the features: permuted prices, and R squared by feature.

`check_guards` runs both checks and, from `amlc.evaluation.drift`, the adversarial validation.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd
from pydantic import Field

from amlc.arrays import Floats, Ints32, Rows
from amlc.catalog.products import PRICE, test_rows, train_rows
from amlc.errors import CheckError
from amlc.evaluation.drift import adversarial_validation
from amlc.evaluation.metrics_files import Guards, Leak, Permutation
from amlc.execution.backend import THREADS, Backend
from amlc.features.blocks import Blocks
from amlc.metrics import row_smape
from amlc.models.base import Regressor, ScaledSettings
from amlc.models.crossfit import fits
from amlc.models.design import DesignEncoder
from amlc.models.linear import LeastSquares
from amlc.models.target import log_prices
from amlc.params import Settings

# A score this many standard errors below the constant's is not due to chance.
TOLERATED_ERRORS = 4.0
# Logarithms are clipped below at this quantile: the smallest values must not dominate the fit.
CLIPPED_QUANTILE = 0.001


class GuardSettings(Settings):
    """Section `guards` of params.yaml."""

    permutation: ScaledSettings
    max_explained_variance: float = Field(gt=0, lt=1)
    rows: int = Field(ge=100)
    drift_n_estimators: int = Field(ge=1, le=10_000)


def check_guards(
    blocks: Blocks,
    products: pd.DataFrame,
    settings: GuardSettings,
    *,
    seed: int,
    threads: int,
    backend: Backend = THREADS,
) -> Guards:
    """Check for leaks of prices into the features, and for drift between train and test.

    Parameters
    ----------
    blocks : Blocks
        Tabular, topics, vision and neighbours, one row per product.
    products : DataFrame
        The product table.
    settings : GuardSettings
        Section `guards` of params.yaml.
    seed : int
        Seed of all random draws.
    threads : int
        Threads for the fits.
    backend : Backend
        Where the fits to permuted prices are computed, which does not change them.

    Raises
    ------
    CheckError
        A feature is derived from the price.
    """
    make = partial(LeastSquares, settings.permutation)
    permutation = check_permutation(
        make, blocks, products, seed=seed, threads=threads, backend=backend
    )
    rng = np.random.default_rng(seed)
    train, test = (
        np.sort(rng.permutation(rows)[: settings.rows])
        for rows in (train_rows(products), test_rows(products))
    )
    groups = products["group"].to_numpy()
    leak = check_leak(
        blocks.take(train), log_prices(products, train), groups[train], settings, seed
    )
    # Topics are left out: they are fitted to train texts, so they alone separate train from test.
    inputs = blocks.select(["tabular", "vision"])
    if not len(test):
        return Guards(permutation=permutation, leak=leak, drift=None)
    drift = adversarial_validation(
        inputs.take(train),
        inputs.take(test),
        groups[np.concatenate([train, test])],
        n_estimators=settings.drift_n_estimators,
        seed=seed,
        threads=threads,
    )
    return Guards(permutation=permutation, leak=leak, drift=drift)


def check_permutation(
    make: Callable[[], Regressor],
    blocks: Blocks,
    products: pd.DataFrame,
    *,
    seed: int,
    threads: int,
    backend: Backend = THREADS,
) -> Permutation:
    """Fit a model out of fold to randomly permuted prices of the train rows.

    Parameters
    ----------
    make, blocks, products, threads, backend
        As in `amlc.models.crossfit.crossfit`.
    seed : int
        Seed of the permutation and of the fits.

    Raises
    ------
    CheckError
        The model beats the constant: somewhere a row's own price is among its features.
    """
    train = train_rows(products)
    price = products[PRICE].to_numpy(dtype=np.float64).copy()
    price[train] = np.random.default_rng(seed).permutation(price[train])
    permuted = products.assign(**{PRICE: price})
    predicted = np.full(len(price), np.nan)
    for fit in fits(make, blocks, permuted, seed=seed, threads=threads, backend=backend):
        predicted[fit.rows] = np.exp(fit.log_price)
    scores = row_smape(price[train], predicted[train])
    constant = row_smape(price[train], _medians_of_other_folds(permuted, train))
    gap = scores - constant
    error = float(gap.std(ddof=1) / np.sqrt(len(gap)))
    check = Permutation(smape=scores.mean(), constant=constant.mean(), gap_se=error)
    if check.smape < check.constant - TOLERATED_ERRORS * error:
        raise CheckError(
            f"permuted prices are predicted with SMAPE {check.smape:.2f}, better than the "
            f"constant's {check.constant:.2f}: a row's own price is among its features; look at "
            "what is fitted to prices (target encoding, neighbours) and at the folds"
        )
    return check


def _medians_of_other_folds(products: pd.DataFrame, train: Rows) -> Floats:
    """Return, for each train row, the median price of the rows in other folds."""
    price, fold = products[PRICE].to_numpy()[train], products["fold"].to_numpy()[train]
    medians = {name: float(np.median(price[fold != name])) for name in np.unique(fold)}
    return np.array([medians[name] for name in fold])


def check_leak(
    blocks: Blocks,
    log_price: Floats,
    groups: Ints32,
    settings: GuardSettings,
    seed: int,
) -> Leak:
    """Find the feature that explains most of the variance of log price, alone or with another.

    Parameters
    ----------
    blocks : Blocks
        Features of train rows.
    log_price : ndarray of float64, shape (n,)
        Their log prices.
    groups : ndarray of int, shape (n,)
        Duplicate groups, for the features that are fitted to prices.
    settings : GuardSettings
        Section `guards` of params.yaml.
    seed : int
        Seed of the inner folds.

    Raises
    ------
    CheckError
        It explains more than `settings.max_explained_variance`, so it is derived from the price.

    Notes
    -----
    A price divided by an amount explains little by itself, but together with the amount it explains
    everything. So each feature is tried with each number of the tabular block as its partner.
    """
    model = settings.permutation
    encoder = DesignEncoder("tree", model.smoothing, model.neighbours, model.kriging)
    columns = encoder.fit_transform(blocks, log_price, groups, seed).dense.astype(np.float64)
    # The last partner stands for no partner.
    is_partner = [name.startswith("tabular: ") for name in encoder.columns] + [True]
    shares = explained_variance(columns, log_price)[:, np.flatnonzero(is_partner)]
    partners = [*np.array(encoder.columns)[is_partner[:-1]], "nothing"]
    feature, partner = np.unravel_index(int(shares.argmax()), shares.shape)
    check = Leak(
        feature=encoder.columns[feature],
        partner=str(partners[partner]),
        share=float(shares.max()),
    )
    limit = settings.max_explained_variance
    if check.share > limit:
        raise CheckError(
            f"{check.feature!r} with {check.partner!r} explains {check.share:.1%} of log price, "
            f"more than guards.max_explained_variance ({limit:.0%}): one of them is derived from "
            "the price; remove it, or raise the limit if this is expected"
        )
    return check


def explained_variance(columns: Floats, log_price: Floats) -> Floats:
    """Return R squared of log price on each column, its logarithm and a partner.

    Parameters
    ----------
    columns : ndarray of float64, shape (n, c)
        The columns; all values are finite.
    log_price : ndarray of float64, shape (n,)
        The values to explain.

    Returns
    -------
    ndarray of float64, shape (c, c + 1)
        By column and partner; the last partner stands for no partner.
    """
    above = columns - columns.min(axis=0)
    floor = np.maximum(np.quantile(above, CLIPPED_QUANTILE, axis=0), 1e-6)
    plain, logs = _standardise(columns), _standardise(np.log(np.maximum(above, floor)))
    partners = np.column_stack([plain, np.zeros(len(plain))])
    target = _standardise(log_price[:, None])[:, 0]
    count = len(target)
    c, p = plain.shape[1], partners.shape[1]
    # The normal equations of all pairs at once: three regressors each, scaled and centred.
    gram = np.empty((c, p, 3, 3))
    right = np.empty((c, p, 3))
    regressors: list[Floats] = [plain, logs]
    for i, first in enumerate(regressors):
        for j, second in enumerate(regressors):
            gram[:, :, i, j] = ((first * second).sum(axis=0) / count)[:, None]
        gram[:, :, i, 2] = gram[:, :, 2, i] = first.T @ partners / count
        right[:, :, i] = (first.T @ target / count)[:, None]
    gram[:, :, 2, 2] = (partners**2).sum(axis=0) / count
    right[:, :, 2] = partners.T @ target / count
    # A small ridge keeps the equations solvable where regressors are equal.
    gram += 1e-8 * np.eye(3)
    weights = np.linalg.solve(gram, right[..., None])[..., 0]
    shares: Floats = (weights * right).sum(axis=-1)
    return shares


def _standardise(columns: Floats) -> Floats:
    """Return columns with mean 0 and deviation 1; a constant column becomes 0."""
    centred: Floats = columns - columns.mean(axis=0)
    deviation = centred.std(axis=0)
    scaled: Floats = np.divide(
        centred, deviation, out=np.zeros_like(centred), where=deviation > 1e-9
    )
    return scaled
