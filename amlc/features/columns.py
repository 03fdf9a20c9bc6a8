"""The tabular block: its columns as arrays, by how a model has to encode them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from numpy.typing import NDArray

from amlc.errors import DataError

# A column's name starts with how it has to be encoded.
NUMERIC = "num_"  # float32, scaled to [0, 1] over the train rows
CATEGORICAL = "cat_"  # few, fixed categories
HIGH_CARDINALITY = "key_"  # text, for target encoding inside the folds; "" where there is none

Keys = NDArray[np.object_]


@dataclass(frozen=True)
class Tabular:
    """The tabular block of some products.

    Parameters
    ----------
    numbers : ndarray of float32, shape (n, numeric columns)
        See `NUMERIC`.
    codes : ndarray of int16, shape (n, categorical columns)
        Each row's place among the column's levels.
    keys : ndarray of object, shape (n, high-cardinality columns)
        Texts.
    number_names, key_names : tuple of str
        The columns' names, prefixed.
    levels : dict of str to tuple of str
        Categories by the name of the categorical column.
    """

    numbers: NDArray[np.float32]
    codes: NDArray[np.int16]
    keys: Keys
    number_names: tuple[str, ...]
    key_names: tuple[str, ...]
    levels: dict[str, tuple[str, ...]]

    @property
    def shape(self) -> tuple[int, int]:
        """Return the number of rows and of columns."""
        columns = len(self.number_names) + len(self.levels) + len(self.key_names)
        return len(self.numbers), columns

    def take(self, rows: NDArray[np.intp]) -> Self:
        """Return some rows, in the order given."""
        return replace(
            self, numbers=self.numbers[rows], codes=self.codes[rows], keys=self.keys[rows]
        )

    def number(self, name: str) -> NDArray[np.float32] | None:
        """Return a numeric column, or None where there is none of this name."""
        if name not in self.number_names:
            return None
        return self.numbers[:, self.number_names.index(name)]

    def labels(self, name: str) -> NDArray[np.object_]:
        """Return the levels of a categorical column as texts."""
        place = list(self.levels).index(name)
        return np.array(self.levels[name], dtype=object)[self.codes[:, place]]

    def without(self, names: Sequence[str]) -> Self:
        """Return the block less some columns."""
        numbers = [place for place, name in enumerate(self.number_names) if name not in names]
        codes = [place for place, name in enumerate(self.levels) if name not in names]
        keys = [place for place, name in enumerate(self.key_names) if name not in names]
        return type(self)(
            self.numbers[:, numbers],
            self.codes[:, codes],
            self.keys[:, keys],
            tuple(self.number_names[place] for place in numbers),
            tuple(self.key_names[place] for place in keys),
            {name: some for name, some in self.levels.items() if name not in names},
        )

    def frame(self) -> pd.DataFrame:
        """Return the block as a table: float32, categorical and text columns, in this order."""
        columns: dict[str, Any] = {
            name: self.numbers[:, place] for place, name in enumerate(self.number_names)
        }
        for place, (name, levels) in enumerate(self.levels.items()):
            columns[name] = pd.Categorical.from_codes(self.codes[:, place], pd.Index(levels))
        for place, name in enumerate(self.key_names):
            columns[name] = pd.array(self.keys[:, place], dtype="str")
        return pd.DataFrame(columns)

    @classmethod
    def of(cls, frame: pd.DataFrame) -> Self:
        """Return what a table holds; columns of another prefix are left out."""
        numbers, categories, keys = (
            [name for name in frame.columns if name.startswith(prefix)]
            for prefix in (NUMERIC, CATEGORICAL, HIGH_CARDINALITY)
        )
        codes = np.zeros((len(frame), len(categories)), np.int16)
        for place, name in enumerate(categories):
            codes[:, place] = frame[name].cat.codes
        return cls(
            np.ascontiguousarray(frame[numbers].to_numpy(dtype=np.float32)),
            codes,
            np.ascontiguousarray(frame[keys].to_numpy(dtype=object)),
            tuple(numbers),
            tuple(keys),
            {name: tuple(map(str, frame[name].cat.categories)) for name in categories},
        )


def read_tabular(path: Path) -> Tabular:
    """Read the tabular block.

    Raises
    ------
    DataError
        The file is missing or is no such block.
    """
    try:
        return Tabular.of(pq.read_table(path).to_pandas())
    except (OSError, ValueError, AttributeError) as error:
        raise DataError(f"{path}: cannot be read: {error}; run the stage tabular") from None
