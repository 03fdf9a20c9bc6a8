"""Learn the blend of the models from their out-of-fold predictions, and score it out of fold."""

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field
from scipy.optimize import LinearConstraint, minimize

from amlc.arrays import Floats, Rows
from amlc.catalog.products import test_rows, train_rows
from amlc.files import replacing_folder
from amlc.metrics import smape_of_logs
from amlc.models.blend import COLUMNS, SPREAD, Blend
from amlc.models.losses import gradient
from amlc.models.predictions import write_predictions
from amlc.models.target import log_prices
from amlc.params import Settings

if TYPE_CHECKING:
    # Imports LightGBM, which the blend of members alone does not need.
    from amlc.models.spread import Spread, SpreadFitter

# Smaller weights become 0: the solver leaves unused members with weights of about this size.
SMALLEST_WEIGHT = 1e-6
# The shifts of the log price that calibration tries in each band.
SHIFTS = np.linspace(-0.3, 0.3, 61)


class BlendSettings(Settings):
    """Section `blend` of params.yaml."""

    calibration_bands: int = Field(ge=0, le=1000)
    coverage: float = Field(gt=0, lt=1)
    interval_bands: int = Field(ge=1, le=1000)


def simplex_weights(members: Floats, actual: Floats) -> Floats:
    """Return the non-negative weights of sum 1 with the lowest SMAPE, searched from several starts.

    Parameters
    ----------
    members : ndarray of float64, shape (n, members)
        Log prices predicted by each member.
    actual : ndarray of float64, shape (n,)
        Log prices.
    """

    def loss(weights: Floats) -> float:
        return smape_of_logs(actual, members @ weights)

    def slope(weights: Floats) -> Floats:
        return np.asarray(members.T @ gradient("smape", members @ weights - actual) / len(actual))

    count = members.shape[1]
    candidates = []
    for start in np.vstack([np.full(count, 1 / count), (np.eye(count) + 1 / count) / 2]):
        result = minimize(
            loss,
            start,
            jac=slope,
            method="SLSQP",
            bounds=[(0.0, 1.0)] * count,
            constraints=LinearConstraint(np.ones((1, count)), 1.0, 1.0),
            options={"ftol": 1e-7, "maxiter": 200},
        )
        weights = np.where(result.x < SMALLEST_WEIGHT, 0.0, result.x)
        candidates.append(weights / weights.sum())
    return np.asarray(min(candidates, key=loss))


class BlendFitter:
    """Learn weights, calibration and interval from out-of-fold predictions.

    Parameters
    ----------
    names : list of str
        The members, in the order of the columns.
    members : ndarray of float64, shape (n, members)
        Their out-of-fold log prices.
    actual : ndarray of float64, shape (n,)
        Log prices.
    settings : BlendSettings
        Section `blend` of params.yaml.
    folds : ndarray of int, shape (n,)
        Calibration is kept where it improves the score that is cross-fitted over these folds, and
        the interval comes from residuals that are cross-fitted over them.
    spread : SpreadFitter, optional
        Fits the models of the spread, which the widths of intervals follow; None: all products of a
        band have intervals of the same width.
    """

    def __init__(
        self,
        names: list[str],
        members: Floats,
        actual: Floats,
        settings: BlendSettings,
        folds: NDArray[Any],
        spread: "SpreadFitter | None" = None,
    ) -> None:
        self.names, self.members, self.actual = names, members, actual
        self.settings, self.folds, self.spread = settings, folds, spread
        # Each search and each fit is done once, however many blends need it.
        self._weights = functools.cache(self._search)
        self._spread = functools.cache(self._fit_spread)

    def predict_out_of_fold(self) -> Floats:
        """Return for each row the prediction of the blend that is fitted to the other folds.

        Returns
        -------
        ndarray of float64, shape (n, 3)
            Log price, low and high limit.
        """
        predicted = np.empty((len(self.actual), 3))
        for fold in np.unique(self.folds).tolist():
            held_out, others = np.flatnonzero(self.folds == fold), frozenset([fold])
            blend = self.fit(others)
            log_price = blend.log_price(self.members[held_out])
            scale = self._scale(others, held_out, log_price)
            predicted[held_out] = blend.interval(log_price, scale)
        return predicted

    def fit(self, exclude_folds: frozenset[Any] = frozenset()) -> Blend:
        """Return the blend learned from all folds but those excluded."""
        rows = self._rows(exclude_folds)
        actual, folds = self.actual[rows], self.folds[rows]
        predicted, bands = self._cross_fit(exclude_folds, 0), 0
        if self.settings.calibration_bands:
            shifted = self._cross_fit(exclude_folds, self.settings.calibration_bands)
            if smape_of_logs(actual, shifted) < smape_of_logs(actual, predicted):
                predicted, bands = shifted, self.settings.calibration_bands
        weights = self._weights(exclude_folds)
        centers, shift = _shift(self.members[rows] @ weights, actual, bands)
        errors = actual - predicted
        for fold in np.unique(folds).tolist():
            part = folds == fold
            others = self._without(exclude_folds, fold)
            scale = self._scale(others, rows[part], predicted[part])
            errors[part] /= 1 if scale is None else scale
        limit_centers, low, high = _limits(predicted, errors, self.settings)
        shares = dict(zip(self.names, weights.tolist(), strict=True))
        scaled = self.spread is not None
        return Blend(shares, centers, shift, limit_centers, low, high, scaled)

    def fit_spread(self) -> "Spread | None":
        """Return the model of the spread that belongs to the blend learned from all folds."""
        return None if self.spread is None else self._spread(frozenset())

    def _fit_spread(self, exclude_folds: frozenset[Any]) -> "Spread":
        """Return the model of the spread learned from all folds but those excluded."""
        assert self.spread is not None
        rows = self._rows(exclude_folds)
        # So few weights make the errors of the rows that they are learned from hardly smaller.
        blended = self.members[rows] @ self._weights(exclude_folds)
        return self.spread.fit(rows, blended, self.actual[rows])

    def _scale(self, exclude_folds: frozenset[Any], rows: Rows, log_price: Floats) -> Floats | None:
        """Return the scale of the errors of log prices, learned from folds not excluded."""
        if self.spread is None:
            return None
        return self.spread.scale(self._spread(exclude_folds), rows, log_price)

    def _cross_fit(self, exclude_folds: frozenset[Any], bands: int) -> Floats:
        """Return the blended log prices of the remaining folds, each predicted from the others."""
        rows = self._rows(exclude_folds)
        predicted = np.empty(len(self.actual))
        for fold in np.unique(self.folds[rows]).tolist():
            others = self._without(exclude_folds, fold)
            weights = self._weights(others)
            fit, held_out = self._rows(others), self.folds == fold
            centers, shift = _shift(self.members[fit] @ weights, self.actual[fit], bands)
            blended = self.members[held_out] @ weights
            predicted[held_out] = blended + (np.interp(blended, centers, shift) if bands else 0)
        return predicted[rows]

    def _search(self, exclude_folds: frozenset[Any]) -> Floats:
        rows = self._rows(exclude_folds)
        return simplex_weights(self.members[rows], self.actual[rows])

    def _without(self, exclude_folds: frozenset[Any], fold: Any) -> frozenset[Any]:
        """Return the folds to exclude so that a fold is predicted from others, if there are any.

        Of two folds, one without the other leaves none: it is then predicted from itself.
        """
        others = exclude_folds | {fold}
        return others if len(self._rows(others)) else exclude_folds

    def _rows(self, exclude_folds: frozenset[Any]) -> Rows:
        return np.flatnonzero(~np.isin(self.folds, list(exclude_folds)))


def _bands(blended: Floats, count: int) -> list[Rows]:
    """Return the rows of bands of equal size, from the lowest to the highest blended price."""
    parts = np.array_split(np.argsort(blended, kind="stable"), count)
    return [part for part in parts if part.size]


def _shift(blended: Floats, actual: Floats, bands: int) -> tuple[list[float], list[float]]:
    """Return the centres of the bands and the best of `SHIFTS` in each; no bands give no shift."""
    centers, shift = [], []
    for rows in _bands(blended, bands) if bands else []:
        gap = blended[rows] - actual[rows]
        scores = np.tanh(np.abs(gap[:, None] + SHIFTS) / 2).mean(axis=0)
        centers.append(float(blended[rows].mean()))
        shift.append(float(SHIFTS[np.argmin(scores)]))
    return centers, shift


def _limits(
    blended: Floats, errors: Floats, settings: BlendSettings
) -> tuple[list[float], list[float], list[float]]:
    """Return the centres of the bands and the low and high limit of the errors in each.

    Notes
    -----
    Split conformal prediction with one calibration set per band (Mondrian; Vovk, Gammerman and
    Shafer, Algorithmic Learning in a Random World, 2005), with as many misses below as above.
    """
    centers, low, high = [], [], []
    tail = (1 - settings.coverage) / 2
    for rows in _bands(blended, settings.interval_bands):
        ordered = np.sort(errors[rows])
        centers.append(float(blended[rows].mean()))
        count = len(ordered)
        rank = int(np.ceil((count + 1) * (1 - tail)))
        high.append(float(ordered[min(rank, count) - 1]))
        low.append(float(ordered[max(count - rank, 0)]))
    return centers, low, high


@dataclass(frozen=True)
class Blended:
    """A blend with its predictions and score.

    Parameters
    ----------
    blend : Blend
        Learned from all train rows.
    predicted : ndarray of float64, shape (products, 3)
        Log price, low and high limit; cross-fitted for train rows.
    smape : float
        Cross-fitted SMAPE of the train rows in percent.
    spread : Spread, optional
        The model of the spread, learned from all train rows, if the blend is scaled.
    """

    blend: Blend
    predicted: Floats
    smape: float
    spread: "Spread | None" = None

    def save(self, folder: Path, products: pd.DataFrame) -> None:
        """Write the blend and predictions.parquet into a folder, which is replaced as a whole."""
        columns = dict(zip(COLUMNS, self.predicted.T, strict=True))
        with replacing_folder(folder) as temporary:
            self.blend.save(temporary / "blend.json")
            if self.spread is not None:
                self.spread.save(temporary / SPREAD)
            write_predictions(temporary, products, **columns)


def blend_members(
    members: dict[str, Floats],
    products: pd.DataFrame,
    settings: BlendSettings,
    spread: "SpreadFitter | None" = None,
) -> Blended:
    """Learn the blend of the models, and blend their predictions.

    Parameters
    ----------
    members : dict of str to ndarray of float64, shape (products,)
        Each model's log prices, out of fold for train rows.
    products : DataFrame
        The product table: split, price and fold.
    settings : BlendSettings
        Section `blend` of params.yaml.
    spread : SpreadFitter, optional
        As of `BlendFitter`.
    """
    columns = np.column_stack(list(members.values()))
    train, test = train_rows(products), test_rows(products)
    actual = log_prices(products, train)
    folds = products["fold"].to_numpy()[train]
    fitter = BlendFitter(list(members), columns[train], actual, settings, folds, spread)
    blend, model = fitter.fit(), fitter.fit_spread()
    predicted = np.empty((len(products), 3))
    predicted[train] = fitter.predict_out_of_fold()
    log_price, scale = blend.log_price(columns[test]), None
    if spread is not None and model is not None:
        scale = model.scale(spread.blocks.take(test), log_price)
    predicted[test] = blend.interval(log_price, scale)
    return Blended(blend, predicted, smape_of_logs(actual, predicted[train, 0]), model)
