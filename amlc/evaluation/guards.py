"""Guards against self-deception: leaks, lessons from noise, train rows unlike test rows."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from amlc.arrays import Floats, Rows
from amlc.catalog.products import PRICE, test_rows, train_rows
from amlc.errors import CheckError
from amlc.evaluation.scores import rounded
from amlc.features.blocks import Blocks
from amlc.metrics import row_smape
from amlc.models.base import ModelSettings, Regressor
from amlc.models.crossfit import out_of_fold
from amlc.models.design import DesignEncoder
from amlc.models.linear import LeastSquares
from amlc.params import Settings

# Shuffled prices that score this many standard errors below the constant did not come by luck.
ERRORS_OF_LUCK = 4.0
# A column's logarithm is cut below at this quantile: one smallest value must not decide the fit.
CUT = 0.001


class GuardSettings(Settings):
    """Section `guards` of params.yaml."""

    # The linear model that is fitted to shuffled prices.
    shuffled: ModelSettings
    # The share of the variance of log price that one feature may explain, helped by another.
    most_explained: float = Field(gt=0, lt=1)
    # Rows that leaks and drift are looked for in, at most: the pipeline's time is not theirs.
    rows: int = Field(ge=100)
    # Trees of the classifier that tells train from test.
    drift_rounds: int = Field(ge=1, le=10_000)


@dataclass(frozen=True)
class Guards:
    """What the guards found.

    Parameters
    ----------
    shuffled : Shuffled
        What a linear model makes of prices dealt out at random.
    strongest_feature : Explained
        What comes closest to telling the price.
    drift : Drift
        What tells train from test.
    """

    shuffled: "Shuffled"
    strongest_feature: "Explained"
    drift: "Drift"

    def metrics(self) -> dict[str, Any]:
        """Return what metrics/guards.json holds."""
        found: dict[str, Any] = rounded(asdict(self))
        return found

    def __str__(self) -> str:
        return (
            f"shuffled prices {self.shuffled.smape:.2f} (constant {self.shuffled.constant:.2f}); "
            f"{self.strongest_feature.share:.0%} of log price by "
            f"{self.strongest_feature.feature!r}; "
            f"train and test told apart with AUC {self.drift.auc:.3f}"
        )


@dataclass(frozen=True)
class Shuffled:
    """What a model makes of prices dealt out at random.

    Parameters
    ----------
    smape : float
        Out of fold, in percent.
    constant : float
        That of the constant median of the other folds' prices, on the same rows.
    error : float
        Standard error of the difference.
    """

    smape: float
    constant: float
    error: float


@dataclass(frozen=True)
class Explained:
    """The feature that explains the most of log price, alone or helped by another.

    Parameters
    ----------
    feature, partner : str
        Names of columns.
    share : float
        R squared of log price on the feature, its logarithm and the partner.
    """

    feature: str
    partner: str
    share: float


def check_guards(
    blocks: Blocks, products: pd.DataFrame, settings: GuardSettings, *, seed: int, threads: int
) -> Guards:
    """Look for prices among the features, and for what tells train from test.

    Parameters
    ----------
    blocks : Blocks
        Tabular, topics, vision and neighbours, one row per product.
    products : DataFrame
        The product table.
    settings : GuardSettings
        Section `guards` of params.yaml.
    seed, threads : int
        Of the random draws, and for the classifier.

    Raises
    ------
    CheckError
        A feature is made of the price.
    """
    shuffled = shuffled_prices(
        lambda: LeastSquares(settings.shuffled), blocks, products, seed=seed, threads=threads
    )
    rng = np.random.default_rng(seed)
    train, test = (
        np.sort(rng.permutation(rows)[: settings.rows])
        for rows in (train_rows(products), test_rows(products))
    )
    groups = products["group"].to_numpy()
    log_price = np.log(products[PRICE].to_numpy()[train])
    strongest = most_explained(blocks.take(train), log_price, groups[train], settings, seed)
    # Not the topics: they are fitted to train texts, so they tell train from test by themselves.
    inputs = replace(blocks, topics=None, neighbours=None)
    drift = adversarial_validation(
        inputs.take(train),
        inputs.take(test),
        groups[np.concatenate([train, test])],
        rounds=settings.drift_rounds,
        seed=seed,
        threads=threads,
    )
    return Guards(shuffled, strongest, drift)


def shuffled_prices(
    make: Callable[[], Regressor],
    blocks: Blocks,
    products: pd.DataFrame,
    *,
    seed: int,
    threads: int,
) -> Shuffled:
    """Fit out of fold to prices dealt out at random among the train rows.

    Parameters
    ----------
    make : callable
        Gives a new, unfitted model.
    blocks : Blocks
        One row per product.
    products : DataFrame
        The product table.
    seed, threads : int
        See `amlc.models.crossfit.out_of_fold`; the deal is drawn from the seed too.

    Raises
    ------
    CheckError
        The model is better than the constant: somewhere a row's own price is among its features.
    """
    train = train_rows(products)
    price = products[PRICE].to_numpy(dtype=np.float64).copy()
    price[train] = np.random.default_rng(seed).permutation(price[train])
    dealt = products.assign(**{PRICE: price})
    predicted = np.exp(out_of_fold(make, blocks, dealt, seed=seed, threads=threads))
    rows = row_smape(price[train], predicted)
    constant = row_smape(price[train], _other_medians(dealt, train))
    gap = rows - constant
    error = float(gap.std(ddof=1) / np.sqrt(len(gap)))
    found = Shuffled(float(rows.mean()), float(constant.mean()), error)
    if found.smape < found.constant - ERRORS_OF_LUCK * error:
        raise CheckError(
            f"prices dealt out at random are predicted with SMAPE {found.smape:.2f}, better than "
            f"the constant's {found.constant:.2f}: a row's own price is among its features; "
            "look at what is fitted to prices (target encoding, neighbours) and at the folds"
        )
    return found


def _other_medians(products: pd.DataFrame, train: Rows) -> Floats:
    """Return, for each train row, the median price of the other folds."""
    price, fold = products[PRICE].to_numpy()[train], products["fold"].to_numpy()[train]
    medians = {name: float(np.median(price[fold != name])) for name in np.unique(fold)}
    return np.array([medians[name] for name in fold])


def most_explained(
    blocks: Blocks,
    log_price: Floats,
    groups: Any,
    settings: GuardSettings,
    seed: int,
) -> Explained:
    """Find the feature that, alone or helped by another, explains the most of log price.

    A price divided by an amount explains little alone and everything together with the amount, so
    each feature is tried with each number of the tabular block beside it.

    Parameters
    ----------
    blocks : Blocks
        Of train rows.
    log_price : ndarray of float64, shape (n,)
        Their log prices.
    groups : ndarray of int, shape (n,)
        Duplicate groups, for the features that are fitted to prices.
    settings : GuardSettings
        See there.
    seed : int
        Of the inner folds.

    Raises
    ------
    CheckError
        It explains more than `settings.most_explained`: it is made of the price.
    """
    model = settings.shuffled
    view = DesignEncoder("tree", model.smoothing, model.neighbours)
    columns = view.fit_transform(blocks, log_price, groups, seed).dense.astype(np.float64)
    partners = [name.startswith("tabular: ") for name in view.columns] + [True]
    # A partner that does not vary stands for none.
    shares = explained(columns, log_price)[:, np.flatnonzero(partners)]
    names = [*np.array(view.columns)[partners[:-1]], "nothing"]
    feature, partner = np.unravel_index(int(shares.argmax()), shares.shape)
    found = Explained(view.columns[feature], str(names[partner]), float(shares.max()))
    if found.share > settings.most_explained:
        raise CheckError(
            f"{found.feature!r} with {found.partner!r} explains {found.share:.1%} of log price, "
            f"more than guards.most_explained ({settings.most_explained:.0%}): one of them is "
            "made of the price; remove it, or raise the limit if you know better"
        )
    return found


def explained(columns: Floats, log_price: Floats) -> Floats:
    """Return R squared of log price on each column, its logarithm and a partner.

    Parameters
    ----------
    columns : ndarray of float64, shape (n, c)
        Finite.
    log_price : ndarray of float64, shape (n,)
        What is explained.

    Returns
    -------
    ndarray of float64, shape (c, c + 1)
        By column and partner; the last partner is none.
    """
    above = columns - columns.min(axis=0)
    floor = np.maximum(np.quantile(above, CUT, axis=0), 1e-6)
    plain, logs = _standardised(columns), _standardised(np.log(np.maximum(above, floor)))
    partners = np.column_stack([plain, np.zeros(len(plain))])
    target = _standardised(log_price[:, None])[:, 0]
    count = len(target)
    c, p = plain.shape[1], partners.shape[1]
    # The normal equations of all pairs at once: three regressors each, scaled and centred.
    gram = np.empty((c, p, 3, 3))
    right = np.empty((c, p, 3))
    rows: list[Floats] = [plain, logs]
    for i, first in enumerate(rows):
        for j, second in enumerate(rows):
            gram[:, :, i, j] = ((first * second).sum(axis=0) / count)[:, None]
        gram[:, :, i, 2] = gram[:, :, 2, i] = first.T @ partners / count
        right[:, :, i] = (first.T @ target / count)[:, None]
    gram[:, :, 2, 2] = (partners**2).sum(axis=0) / count
    right[:, :, 2] = partners.T @ target / count
    # Regressors that repeat one another share what they explain.
    gram += 1e-8 * np.eye(3)
    weights = np.linalg.solve(gram, right[..., None])[..., 0]
    shares: Floats = (weights * right).sum(axis=-1)
    return shares


def _standardised(columns: Floats) -> Floats:
    """Return columns with mean 0 and deviation 1; one that does not vary becomes 0."""
    centred: Floats = columns - columns.mean(axis=0)
    deviation = centred.std(axis=0)
    scaled: Floats = np.divide(
        centred, deviation, out=np.zeros_like(centred), where=deviation > 1e-9
    )
    return scaled


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

    view = DesignEncoder("tree", None, [])
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
