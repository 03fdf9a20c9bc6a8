"""The blend of the models: learned weights, calibration and intervals, scored out of fold."""

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from amlc.arrays import Bools, Floats, Rows
from amlc.catalog.products import test_rows, train_rows
from amlc.errors import ModelError, read_errors_as
from amlc.files import replacing_folder, write_json
from amlc.metrics import smape_of_logs
from amlc.models.losses import gradient
from amlc.models.predictions import read_log_prices, write_predictions
from amlc.models.target import log_prices
from amlc.params import Settings

COLUMNS = ("log_price", "log_low", "log_high")

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
    # Slow to import, and not needed where a blend is only applied.
    from scipy.optimize import LinearConstraint, minimize  # noqa: PLC0415 - see above

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


@dataclass(frozen=True)
class Blend:
    """Combine the members' log prices into one with an interval.

    Parameters
    ----------
    weights : dict of str to float
        Weight of each member; their sum is 1.
    centers, shift : list of float
        Centres of bands of the blended log price, and the shift to add there; interpolated between
        the centres, constant outside. Both are empty without calibration.
    limit_centers, low, high : list of float
        Centres of bands of the shifted log price, and the limits of the interval relative to it;
        interpolated in the same way.
    """

    weights: dict[str, float]
    centers: list[float]
    shift: list[float]
    limit_centers: list[float]
    low: list[float]
    high: list[float]

    def predict(self, members: Floats) -> Floats:
        """Return log price, low and high limit of each row.

        Parameters
        ----------
        members : ndarray of float64, shape (n, members)
            Log prices, members in the order of `weights`.

        Returns
        -------
        ndarray of float64, shape (n, 3)
        """
        if members.ndim != 2 or members.shape[1] != len(self.weights):
            raise ModelError(f"expected {len(self.weights)} members, got {members.shape}")
        blended = members @ np.array(list(self.weights.values()))
        if self.centers:
            blended = blended + np.interp(blended, self.centers, self.shift)
        low = blended + np.interp(blended, self.limit_centers, self.low)
        high = blended + np.interp(blended, self.limit_centers, self.high)
        return np.column_stack([blended, low, high])

    def save(self, path: Path) -> None:
        """Write the blend as JSON."""
        # A list keeps the members' order, which is that of the columns; JSON keys are sorted.
        content = {**vars(self), "weights": [list(item) for item in self.weights.items()]}
        write_json(path, content)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a blend that `save` wrote.

        Raises
        ------
        ModelError
            The file is missing or broken.
        """
        with read_errors_as(ModelError, f"{path}: no saved blend"):
            content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            return cls(**{**content, "weights": dict(content["weights"])})


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
    """

    def __init__(
        self,
        names: list[str],
        members: Floats,
        actual: Floats,
        settings: BlendSettings,
        folds: NDArray[Any],
    ) -> None:
        self.names, self.members, self.actual = names, members, actual
        self.settings, self.folds = settings, folds
        # Each search is done once, however many blends need its weights.
        self._weights = functools.cache(self._search)

    def predict_out_of_fold(self) -> Floats:
        """Return for each row the prediction of the blend that is fitted to the other folds.

        Returns
        -------
        ndarray of float64, shape (n, 3)
            Log price, low and high limit.
        """
        predicted = np.empty((len(self.actual), 3))
        for fold in np.unique(self.folds).tolist():
            held_out = self.folds == fold
            blend = self.fit(exclude_folds=frozenset([fold]))
            predicted[held_out] = blend.predict(self.members[held_out])
        return predicted

    def fit(self, exclude_folds: frozenset[Any] = frozenset()) -> Blend:
        """Return the blend learned from all folds but those excluded."""
        rows = self._rows(exclude_folds)
        actual = self.actual[rows]
        predicted, bands = self._cross_fit(exclude_folds, 0), 0
        if self.settings.calibration_bands:
            shifted = self._cross_fit(exclude_folds, self.settings.calibration_bands)
            if smape_of_logs(actual, shifted) < smape_of_logs(actual, predicted):
                predicted, bands = shifted, self.settings.calibration_bands
        weights = self._weights(exclude_folds)
        centers, shift = _shift(self.members[rows] @ weights, actual, bands)
        limit_centers, low, high = _limits(predicted, actual, self.settings)
        shares = dict(zip(self.names, weights.tolist(), strict=True))
        return Blend(shares, centers, shift, limit_centers, low, high)

    def _cross_fit(self, exclude_folds: frozenset[Any], bands: int) -> Floats:
        """Return the blended log prices of the remaining folds, each predicted from the others."""
        rows = self._rows(exclude_folds)
        predicted = np.empty(len(self.actual))
        for fold in np.unique(self.folds[rows]).tolist():
            weights = self._weights(exclude_folds | {fold})
            fit, held_out = self._rows(exclude_folds | {fold}), self.folds == fold
            centers, shift = _shift(self.members[fit] @ weights, self.actual[fit], bands)
            blended = self.members[held_out] @ weights
            predicted[held_out] = blended + (np.interp(blended, centers, shift) if bands else 0)
        return predicted[rows]

    def _search(self, exclude_folds: frozenset[Any]) -> Floats:
        rows = self._rows(exclude_folds)
        return simplex_weights(self.members[rows], self.actual[rows])

    def _rows(self, exclude_folds: frozenset[Any]) -> Bools:
        return ~np.isin(self.folds, list(exclude_folds))


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
    blended: Floats, actual: Floats, settings: BlendSettings
) -> tuple[list[float], list[float], list[float]]:
    """Return the centres of the bands and the low and high limit of the residuals in each.

    Notes
    -----
    Split conformal prediction with one calibration set per band (Mondrian; Vovk, Gammerman and
    Shafer, Algorithmic Learning in a Random World, 2005), with as many misses below as above.
    """
    centers, low, high = [], [], []
    tail = (1 - settings.coverage) / 2
    for rows in _bands(blended, settings.interval_bands):
        residuals = np.sort(actual[rows] - blended[rows])
        centers.append(float(blended[rows].mean()))
        count = len(residuals)
        rank = int(np.ceil((count + 1) * (1 - tail)))
        high.append(float(residuals[min(rank, count) - 1]))
        low.append(float(residuals[max(count - rank, 0)]))
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
    """

    blend: Blend
    predicted: Floats
    smape: float

    def save(self, folder: Path, products: pd.DataFrame) -> None:
        """Write blend.json and predictions.parquet into a folder, which is replaced as a whole."""
        columns = dict(zip(COLUMNS, self.predicted.T, strict=True))
        with replacing_folder(folder) as temporary:
            self.blend.save(temporary / "blend.json")
            write_predictions(temporary, products, **columns)


def blend_members(
    members: dict[str, Floats], products: pd.DataFrame, settings: BlendSettings
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
    """
    columns = np.column_stack(list(members.values()))
    train, test = train_rows(products), test_rows(products)
    actual = log_prices(products, train)
    folds = products["fold"].to_numpy()[train]
    fitter = BlendFitter(list(members), columns[train], actual, settings, folds)
    blend = fitter.fit()
    predicted = np.empty((len(products), 3))
    predicted[train] = fitter.predict_out_of_fold()
    predicted[test] = blend.predict(columns[test])
    return Blended(blend, predicted, smape_of_logs(actual, predicted[train, 0]))


def read_blend_predictions(folder: Path, products: pd.DataFrame) -> pd.DataFrame:
    """Read the blended predictions, in the product table's order.

    Returns
    -------
    DataFrame
        ``log_price``, ``log_low`` and ``log_high``, float64.

    Raises
    ------
    DataError
        As `amlc.models.predictions.read_predictions`.
    """
    return read_log_prices(folder, products, COLUMNS, "blend")
