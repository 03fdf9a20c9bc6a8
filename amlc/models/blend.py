"""The learned blend of models: weights, calibration and intervals, all judged cross-fitted."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from amlc.arrays import Floats
from amlc.catalog.products import ID, PRICE, test_rows, train_rows
from amlc.errors import ModelError
from amlc.files import replacing_folder, write_frame, write_json
from amlc.metrics import smape_of_logs
from amlc.models.losses import gradient
from amlc.models.predictions import PREDICTIONS, read_log_prices
from amlc.params import Settings

COLUMNS = ("log_price", "log_low", "log_high")

# A member with less weight than this is left out.
SMALLEST_WEIGHT = 1e-6


class BlendSettings(Settings):
    """Section `blend` of params.yaml."""

    # Bands of the blended price that each get a shift of their own where that gains; 0: never.
    calibration_bands: int = Field(ge=0, le=1000)
    # Share of the prices that the interval has to hold.
    coverage: float = Field(gt=0, lt=1)
    # Bands of the blended price whose residuals give the interval's limits there.
    interval_bands: int = Field(ge=1, le=1000)


def simplex_weights(members: Floats, actual: Floats) -> Floats:
    """Return non-negative weights of sum 1 with the lowest SMAPE, searched from several starts.

    Parameters
    ----------
    members : ndarray of float64, shape (n, members)
        Log prices predicted by each member.
    actual : ndarray of float64, shape (n,)
        Log prices.
    """
    count = members.shape[1]
    starts = np.vstack([np.full(count, 1 / count), (np.eye(count) + 1 / count) / 2])
    found = [_descended(members, actual, start) for start in starts]
    scores = [smape_of_logs(actual, members @ weights) for weights in found]
    return found[int(np.argmin(scores))]


def _descended(members: Floats, actual: Floats, start: Floats) -> Floats:
    # Slow to import, and a blend that is only applied does without.
    from scipy.optimize import LinearConstraint, minimize  # noqa: PLC0415 - see above

    def loss(weights: Floats) -> float:
        return smape_of_logs(actual, members @ weights)

    def slope(weights: Floats) -> Floats:
        return np.asarray(members.T @ gradient("smape", members @ weights - actual) / len(actual))

    result = minimize(
        loss,
        start,
        jac=slope,
        method="SLSQP",
        bounds=[(0.0, 1.0)] * len(start),
        constraints=LinearConstraint(np.ones((1, len(start))), 1.0, 1.0),
        options={"ftol": 1e-7, "maxiter": 200},
    )
    # The solver leaves members that are out of the blend at the size of its rounding.
    weights = np.where(result.x < SMALLEST_WEIGHT, 0.0, result.x)
    return np.asarray(weights / weights.sum())


@dataclass(frozen=True)
class Blend:
    """How members become one price with an interval.

    Parameters
    ----------
    weights : dict of str to float
        Weight of each member; their sum is 1.
    centers, shift : list of float
        The shift of the blended log price, linear between these centres of bands, flat outside.
    limit_centers, low, high : list of float
        The interval's limits relative to the shifted log price, likewise.
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
        # Not sorted by key, a list: the members' order is that of the columns.
        content = {**vars(self), "weights": [list(item) for item in self.weights.items()]}
        write_json(path, content)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote."""
        try:
            content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            return cls(**{**content, "weights": dict(content["weights"])})
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ModelError(f"{path}: no saved blend: {error}") from None


class BlendFitter:
    """Learns weights, calibration and interval from out-of-fold predictions.

    Parameters
    ----------
    names : list of str
        The members, in the order of the columns.
    members : ndarray of float64, shape (n, members)
        Their out-of-fold log prices.
    actual : ndarray of float64, shape (n,)
        Log prices.
    settings : BlendSettings
        See there.
    folds : ndarray of int, shape (n,)
        Calibration is kept where the score that is cross-fitted over these folds gains by it, and
        the interval comes from residuals that are cross-fitted over them.

    Notes
    -----
    Weights without some folds are searched once, whichever blends need them.
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
        self._found: dict[frozenset[Any], Floats] = {}

    def crossfitted(self) -> Floats:
        """Return what the blend of the other folds predicts for each; see `Blend.predict`."""
        predicted = np.empty((len(self.actual), 3))
        for fold in np.unique(self.folds).tolist():
            held_out = self.folds == fold
            blend = self.learned(frozenset([fold]))
            predicted[held_out] = blend.predict(self.members[held_out])
        return predicted

    def learned(self, without: frozenset[Any] = frozenset()) -> Blend:
        """Return the blend of all folds, or of all but some."""
        rows = self._rows(without)
        actual = self.actual[rows]
        plain, bands = self._crossfitted(without, 0), 0
        if self.settings.calibration_bands:
            shifted = self._crossfitted(without, self.settings.calibration_bands)
            if smape_of_logs(actual, shifted) < smape_of_logs(actual, plain):
                plain, bands = shifted, self.settings.calibration_bands
        weights = self._weights(without)
        centers, shift = _shift(self.members[rows] @ weights, actual, bands)
        limit_centers, low, high = _limits(plain, actual, self.settings)
        shares = dict(zip(self.names, weights.tolist(), strict=True))
        return Blend(shares, centers, shift, limit_centers, low, high)

    def _crossfitted(self, without: frozenset[Any], bands: int) -> Floats:
        """Return the blended log prices of all folds but some, each fold's by the others."""
        rows = self._rows(without)
        predicted = np.empty(len(self.actual))
        for fold in np.unique(self.folds[rows]).tolist():
            weights = self._weights(without | {fold})
            fit, held_out = self._rows(without | {fold}), self.folds == fold
            centers, shift = _shift(self.members[fit] @ weights, self.actual[fit], bands)
            blended = self.members[held_out] @ weights
            predicted[held_out] = blended + (np.interp(blended, centers, shift) if bands else 0)
        return predicted[rows]

    def _weights(self, without: frozenset[Any]) -> Floats:
        if without not in self._found:
            rows = self._rows(without)
            self._found[without] = simplex_weights(self.members[rows], self.actual[rows])
        return self._found[without]

    def _rows(self, without: frozenset[Any]) -> NDArray[np.bool_]:
        return ~np.isin(self.folds, list(without))


def _bands(blended: Floats, count: int) -> list[NDArray[np.intp]]:
    """Return the rows of each band of equal size, from low to high."""
    parts = np.array_split(np.argsort(blended, kind="stable"), count)
    return [part for part in parts if part.size]


def _shift(blended: Floats, actual: Floats, bands: int) -> tuple[list[float], list[float]]:
    """Return the centres of bands and the shift there with the lowest SMAPE."""
    steps = np.linspace(-0.3, 0.3, 61)
    centers, shift = [], []
    for rows in _bands(blended, bands) if bands else []:
        gap = blended[rows] - actual[rows]
        scores = np.tanh(np.abs(gap[:, None] + steps) / 2).mean(axis=0)
        centers.append(float(blended[rows].mean()))
        shift.append(float(steps[np.argmin(scores)]))
    return centers, shift


def _limits(
    blended: Floats, actual: Floats, settings: BlendSettings
) -> tuple[list[float], list[float], list[float]]:
    """Return the centres of bands and the residuals that bound the wanted share there.

    Notes
    -----
    Split conformal prediction with one calibration set per band (Mondrian; Vovk, Gammerman and
    Shafer, Algorithmic Learning in a Random World, 2005); half of the misses lie on either side.
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
    """A blend and what it predicts.

    Parameters
    ----------
    blend : Blend
        Learned from all train rows.
    predicted : ndarray of float64, shape (products, 3)
        Log price, low and high limit; cross-fitted for train rows.
    smape : float
        Cross-fitted, in percent.
    """

    blend: Blend
    predicted: Floats
    smape: float

    def save(self, folder: Path, products: pd.DataFrame) -> None:
        """Write blend.json and predictions.parquet into a folder, which is replaced as a whole."""
        frame = pd.DataFrame(self.predicted, columns=list(COLUMNS))
        frame.insert(0, ID, products[ID].to_numpy())
        with replacing_folder(folder) as temporary:
            self.blend.save(temporary / "blend.json")
            write_frame(temporary / PREDICTIONS, frame)


def blend_members(
    members: dict[str, Floats], products: pd.DataFrame, settings: BlendSettings
) -> Blended:
    """Learn the blend of some models, and blend their predictions.

    Parameters
    ----------
    members : dict of str to ndarray of float64, shape (products,)
        Each model's log prices, out of fold for train rows.
    products : DataFrame
        The product table: split, price and fold.
    settings : BlendSettings
        Section `blend` of params.yaml.
    """
    log_prices = np.column_stack(list(members.values()))
    train, test = train_rows(products), test_rows(products)
    actual = np.log(products[PRICE].to_numpy()[train])
    folds = products["fold"].to_numpy()[train]
    learner = BlendFitter(list(members), log_prices[train], actual, settings, folds)
    blend = learner.learned()
    predicted = np.empty((len(products), 3))
    predicted[train] = learner.crossfitted()
    predicted[test] = blend.predict(log_prices[test])
    return Blended(blend, predicted, smape_of_logs(actual, predicted[train, 0]))


def read_blend(folder: Path, products: pd.DataFrame) -> pd.DataFrame:
    """Read the blended predictions, one row per product in the product table's order.

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
