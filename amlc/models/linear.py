"""Linear models of log price: ordinary least squares and ridge regression."""

from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from amlc.arrays import Floats
from amlc.files import write_array
from amlc.models.base import Regressor, ScaledSettings
from amlc.models.design import Design
from amlc.models.target import Target


class RidgeSettings(ScaledSettings):
    """Section `train.ridge` of params.yaml."""

    alpha: float = Field(gt=0)
    dense_scale: float = Field(gt=0)
    tol: float = Field(gt=0, lt=1)


class _LinearRegressor(Regressor):
    """A weighted sum of the columns plus an intercept, which is the last coefficient."""

    kind = "linear"
    coefficients: Floats

    def _columns(self, design: Design) -> Any:
        """Return the columns that the coefficients apply to; sparse where there are terms."""
        return design.joined()

    def _predict(self, design: Design) -> Floats:
        columns = self._columns(design)
        if not design.has_terms:
            # Each row by itself: how a product of several rows is rounded depends on their number.
            columns = columns[:, None]
        log_price = columns @ self.coefficients[:-1] + self.coefficients[-1]
        return np.asarray(log_price).reshape(len(design.dense))

    def _save(self, folder: Path) -> None:
        write_array(folder / "coefficients.npy", self.coefficients)

    def _load(self, folder: Path) -> None:
        self.coefficients = np.load(folder / "coefficients.npy", allow_pickle=False)


class LeastSquares(_LinearRegressor):
    """Linear regression of log price on scaled numbers and one-hot categories."""

    name = "linear"
    settings_type = ScaledSettings

    def _fit(self, design: Design, target: Target, *, seed: int, threads: int) -> None:  # noqa: ARG002 - it draws nothing and needs no threads
        from sklearn.linear_model import LinearRegression  # noqa: PLC0415 - slow to import

        columns = design.joined(np.float64)
        fitted = LinearRegression().fit(columns, target.log_price, sample_weight=target.weight)
        self.coefficients = np.append(fitted.coef_, fitted.intercept_)

    def feature_importances(self) -> dict[str, float]:
        """Return each dense column's share of the sum of their absolute coefficients."""
        sizes = np.abs(self.coefficients[:-1])[-len(self.encoder.columns) :]
        total = float(sizes.sum()) or 1.0
        return dict(zip(self.encoder.columns, (sizes / total).tolist(), strict=True))


class RidgeRegression(_LinearRegressor):
    """Penalised least squares on log price."""

    name = "ridge"
    settings_type = RidgeSettings
    settings: RidgeSettings

    def _fit(self, design: Design, target: Target, *, seed: int, threads: int) -> None:  # noqa: ARG002 - it draws nothing and needs no threads
        from sklearn.linear_model import Ridge  # noqa: PLC0415 - slow to import

        settings = self.settings
        solver = Ridge(
            alpha=settings.alpha,
            tol=settings.tol,
            # The columns are made for this fit alone.
            copy_X=False,
            solver="sparse_cg" if design.has_terms else "cholesky",
        )
        fitted = solver.fit(self._columns(design), target.log_price, sample_weight=target.weight)
        self.coefficients = np.append(fitted.coef_, fitted.intercept_)

    def _columns(self, design: Design) -> Any:
        scaled = Design(design.dense * np.float32(self.settings.dense_scale), design.terms)
        return scaled.joined(np.float64)
