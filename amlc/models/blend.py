"""The blend of the models: their weights, calibration and interval, and its predictions."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd

from amlc.arrays import Floats
from amlc.errors import ModelError, read_errors_as
from amlc.files import write_json
from amlc.models.predictions import read_log_prices

COLUMNS = ("log_price", "log_low", "log_high")
# The folder of the model of the spread, beside blend.json.
SPREAD = "spread"


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
    scaled : bool
        Whether the limits are multiples of the typical error that `amlc.models.spread` predicts.
    """

    weights: dict[str, float]
    centers: list[float]
    shift: list[float]
    limit_centers: list[float]
    low: list[float]
    high: list[float]
    scaled: bool

    def log_price(self, members: Floats) -> Floats:
        """Return the log price of each row.

        Parameters
        ----------
        members : ndarray of float64, shape (n, members)
            Log prices, members in the order of `weights`.

        Returns
        -------
        ndarray of float64, shape (n,)
        """
        if members.ndim != 2 or members.shape[1] != len(self.weights):
            raise ModelError(f"expected {len(self.weights)} members, got {members.shape}")
        blended = np.asarray(members @ np.array(list(self.weights.values())))
        if self.centers:
            blended = blended + np.interp(blended, self.centers, self.shift)
        return blended

    def interval(self, log_price: Floats, scale: Floats | None = None) -> Floats:
        """Return log price, low and high limit of each row.

        Parameters
        ----------
        log_price : ndarray of float64, shape (n,)
            As `log_price` returns them.
        scale : ndarray of float64, shape (n,), optional
            If `scaled`: the typical absolute error of each of them.

        Returns
        -------
        ndarray of float64, shape (n, 3)
        """
        if (scale is None) == self.scaled:
            wanted = "with" if self.scaled else "without"
            raise ModelError(f"the blend was made {wanted} a model of the spread")
        factor = np.ones(len(log_price)) if scale is None else scale
        low = log_price + factor * np.interp(log_price, self.limit_centers, self.low)
        high = log_price + factor * np.interp(log_price, self.limit_centers, self.high)
        return np.column_stack([log_price, low, high])

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
