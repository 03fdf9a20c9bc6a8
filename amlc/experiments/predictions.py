"""Products and predictions of revisions, paired by row."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from amlc import layout
from amlc.arrays import Bools, Floats, Rows
from amlc.catalog.products import ID, PRICE, TRAIN
from amlc.errors import DataError, read_errors_as
from amlc.experiments.paired import Difference, paired_difference
from amlc.experiments.repository import Repository, Revision
from amlc.metrics import row_smape
from amlc.models.predictions import PREDICTIONS
from amlc.models.timings import Timing, recorded

BLEND = "blend"


@dataclass(frozen=True)
class Shared:
    """The train rows, or the test rows with a known price, that two product tables share.

    Parameters
    ----------
    first, second : ndarray of int, shape (n,)
        Their positions in the two tables.
    price : ndarray of float64, shape (n,)
        Their prices, which are the same in both.
    groups : ndarray of int, shape (n,)
        Their duplicate groups in the first table.
    counts : (int, int)
        How many such rows either table has.
    """

    first: Rows
    second: Rows
    price: Floats
    groups: Rows
    counts: tuple[int, int]


class Predictions:
    """Reads what revisions predicted; what several of them share is read once.

    Parameters
    ----------
    repository : Repository
        Where the revisions are.
    """

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self._products: dict[Path, pd.DataFrame] = {}
        # Not for longer than this object: a later run writes other predictions to the same path.
        self._read_log_price = lru_cache(maxsize=16)(_read_log_price)
        self._shared: dict[tuple[int, int, str], Shared] = {}

    def products(self, revision: Revision) -> pd.DataFrame:
        """Return id, split, price and group of the products.

        Raises
        ------
        DataError
            The table is not in DVC's cache, or it is no product table.
        """
        path = self.repository.data(revision, layout.PRODUCTS)
        if path not in self._products:
            with read_errors_as(DataError, f"{revision.label}: {layout.PRODUCTS}: cannot be read"):
                table = pq.read_table(path, columns=[ID, "split", PRICE, "group"])
                self._products[path] = table.to_pandas()
        return self._products[path]

    def log_price(self, revision: Revision, model: str = BLEND) -> Floats:
        """Return the predicted log price of each product, out of fold for train rows.

        Raises
        ------
        DataError
            The predictions are not in DVC's cache, or they are of other products.
        """
        name = predictions_path(model)
        path = self.repository.data(revision, name)
        with read_errors_as(DataError, f"{revision.label}: {name}: cannot be read"):
            predicted = self._read_log_price(path)
        if len(predicted) != len(self.products(revision)):
            raise DataError(f"{revision.label}: {name}: belongs to other products")
        return predicted

    def shared(self, first: Revision, second: Revision, split: str = TRAIN) -> Shared:
        """Return the rows with a known price that two revisions share.

        Raises
        ------
        DataError
            As `products`.
        """
        tables = self.products(first), self.products(second)
        key = (id(tables[0]), id(tables[1]), split)
        if key not in self._shared:
            self._shared[key] = _shared(*tables, split)
        return self._shared[key]

    def scores(
        self, first: Revision, second: Revision, model: str = BLEND, split: str = TRAIN
    ) -> tuple[Floats, Floats]:
        """Return the SMAPE of each row of `shared` in both revisions.

        Raises
        ------
        DataError
            As `products` and `log_price`.
        """
        rows = self.shared(first, second, split)
        pairs = ((first, rows.first), (second, rows.second))
        before, after = (
            row_smape(rows.price, np.exp(self.log_price(revision, model)[positions]))
            for revision, positions in pairs
        )
        return before, after

    def difference(
        self, first: Revision, second: Revision, model: str = BLEND, split: str = TRAIN
    ) -> Difference | None:
        """Return how much higher the second revision's SMAPE is; None if they share no row.

        Raises
        ------
        DataError
            As `scores`.
        """
        rows = self.shared(first, second, split)
        if not rows.price.size:
            return None
        return paired_difference(*self.scores(first, second, model, split), rows.groups)

    def digest(self, revision: Revision, model: str = BLEND) -> str | None:
        """Return the MD5 of the predictions, None if there are none."""
        return self.repository.digest(revision, predictions_path(model))

    def timing(self, revision: Revision, model: str) -> Timing | None:
        """Return how long a model took, None if it was not fitted on this machine."""
        return recorded(self.digest(revision, model))


def _read_log_price(path: Path) -> Floats:
    # A fifth of the time that pyarrow.parquet.read_table takes.
    with pq.ParquetFile(path) as file:
        column = file.read(columns=["log_price"]).column("log_price")
    log_price: Floats = column.to_numpy().astype(np.float64)
    return log_price


def predictions_path(model: str) -> Path:
    """Return the path of a model's predictions, or of the blend's."""
    folder = layout.BLEND if model == BLEND else layout.MODELS / model
    return folder / PREDICTIONS


def _shared(first: pd.DataFrame, second: pd.DataFrame, split: str) -> Shared:
    positions = [np.flatnonzero(_known(table, split)) for table in (first, second)]
    counts = len(positions[0]), len(positions[1])
    if first is not second:
        parts = [
            pd.DataFrame({ID: table[ID].to_numpy()[rows], PRICE: table[PRICE].to_numpy()[rows]})
            for table, rows in zip((first, second), positions, strict=True)
        ]
        merged = (
            parts[0]
            .assign(first=positions[0])
            .merge(parts[1].assign(second=positions[1]), on=[ID, PRICE])
        )
        positions = [merged["first"].to_numpy(), merged["second"].to_numpy()]
    rows = first.iloc[positions[0]]
    return Shared(
        first=positions[0],
        second=positions[1],
        price=rows[PRICE].to_numpy(np.float64),
        groups=rows["group"].to_numpy(np.intp),
        counts=counts,
    )


def _known(table: pd.DataFrame, split: str) -> Bools:
    known: Bools = ((table["split"] == split) & table[PRICE].notna()).to_numpy()
    return known
