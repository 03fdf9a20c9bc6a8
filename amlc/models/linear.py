"""Ordinary least squares: the baseline that every other model has to beat."""

from pathlib import Path

import numpy as np

from amlc.files import write_array
from amlc.models.base import ModelSettings, Regressor, Target
from amlc.models.objectives import Floats
from amlc.models.views import Design

LinearSettings = ModelSettings


class Model(Regressor):
    """Linear regression of log price on scaled numbers and one-hot categories."""

    settings_type = LinearSettings
    kind = "linear"

    def _fit(self, design: Design, target: Target, *, seed: int, threads: int) -> None:  # noqa: ARG002 - least squares draws nothing
        from sklearn.linear_model import LinearRegression  # noqa: PLC0415 - slow to import

        columns = design.joined().astype(np.float64)
        fitted = LinearRegression().fit(columns, target.log_price, sample_weight=target.weight)
        self.coefficients = np.append(fitted.coef_, fitted.intercept_)

    def _predict(self, design: Design) -> Floats:
        columns = design.joined()
        if design.terms is None:
            # Each row by itself: several at once are rounded differently for another number.
            columns = columns[:, None]
        found = columns @ self.coefficients[:-1] + self.coefficients[-1]
        return np.asarray(found).reshape(len(design.dense))

    def importance(self) -> dict[str, float]:
        """Return each dense column's share of the absolute coefficients of scaled columns."""
        sizes = np.abs(self.coefficients[:-1])[-len(self.view.columns) :]
        total = float(sizes.sum()) or 1.0
        return dict(zip(self.view.columns, (sizes / total).tolist(), strict=True))

    def _save(self, folder: Path) -> None:
        write_array(folder / "coefficients.npy", self.coefficients)

    def _load(self, folder: Path) -> None:
        self.coefficients = np.load(folder / "coefficients.npy", allow_pickle=False)
