"""Columns of the tabular block from the user's own columns: categories, numbers and dates."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from amlc.arrays import Floats, Floats32, Objects
from amlc.catalog.own_columns import year_month_weekday
from amlc.catalog.products import CATEGORY, DATE, NUMBER, own_kind
from amlc.features.block_names import CATEGORICAL, HIGH_CARDINALITY, NUMERIC

# Tells these columns from those that are parsed from the text.
LABEL = "column "
# A value of a category has a column of its own if at least this many train rows have it.
_LEAST_ROWS = 2


@dataclass(frozen=True)
class OwnBlock:
    """The columns of a tabular block that come from the user's own columns.

    Parameters
    ----------
    numbers, codes, keys : ndarray
    number_names, key_names : tuple of str
    levels : dict of str to tuple of str
        As in `amlc.features.blocks.Tabular`.
    """

    numbers: Floats32
    codes: NDArray[np.int16]
    keys: Objects
    number_names: tuple[str, ...]
    key_names: tuple[str, ...]
    levels: dict[str, tuple[str, ...]]


@dataclass
class _Number:
    """What is known of a number or a date after fitting.

    Parameters
    ----------
    typical : float
        The median of the train rows, in place of a missing value.
    latest : float
        The largest value of the train rows; a date's age is counted back from it.
    low, high : list of float
        The range of each derived column over the train rows.
    """

    typical: float = 0.0
    latest: float = 0.0
    low: list[float] = field(default_factory=list)
    high: list[float] = field(default_factory=list)


class OwnColumns:
    """Turn the user's own columns into columns of the tabular block.

    A category becomes codes of its most frequent values, and a key for target encoding. A number
    becomes its logarithm (that of its size, with its sign), scaled to [0, 1] over the train rows; a
    date becomes year, month, weekday and age. Both have a flag for a missing value.

    Parameters
    ----------
    max_levels : int
        The largest number of values of a category that have a code.

    Attributes
    ----------
    levels : dict of str to tuple of str
        Fitted: the values with a code of each category, the most frequent first.
    """

    def __init__(self, max_levels: int) -> None:
        self.max_levels = max_levels
        self.levels: dict[str, tuple[str, ...]] = {}
        self._numbers: dict[str, _Number] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """The columns of the product table that it was fitted to."""
        return (*self.levels, *self._numbers)

    def fit(self, own: pd.DataFrame) -> Self:
        """Learn values and ranges from the train rows.

        Parameters
        ----------
        own : DataFrame
            The columns of `amlc.catalog.products.own_columns`.
        """
        names = list(map(str, own.columns))
        categories = [name for name in names if own_kind(name) == CATEGORY]
        self.levels = {name: self._frequent(own[name]) for name in categories}
        self._numbers = {}
        for name in names:
            if own_kind(name) not in {NUMBER, DATE}:
                continue
            values = own[name].to_numpy(dtype=np.float64)
            known = values[np.isfinite(values)]
            fitted = _Number()
            if len(known):
                fitted.typical, fitted.latest = float(np.median(known)), float(known.max())
            columns = _PARTS[own_kind(name)](values, fitted)
            fitted.low = [float(column.min()) for column in columns.values()]
            fitted.high = [float(column.max()) for column in columns.values()]
            self._numbers[name] = fitted
        return self

    def transform(self, own: pd.DataFrame | None, rows: int) -> OwnBlock:
        """Return the columns of any rows.

        Parameters
        ----------
        own : DataFrame, optional
            As for `fit`; a column that is not there is missing in every row.
        rows : int
            The number of rows.
        """
        frame = pd.DataFrame(index=range(rows)) if own is None else own
        numbers: list[Floats32] = []
        number_names: list[str] = []
        for name, fitted in self._numbers.items():
            values = np.full(rows, np.nan)
            if name in frame:
                values = frame[name].to_numpy(dtype=np.float64)
            kind = own_kind(name)
            label = f"{NUMERIC}{LABEL}{name.removeprefix(kind)}"
            parts = _PARTS[kind](values, fitted)
            for (part, column), low, high in zip(
                parts.items(), fitted.low, fitted.high, strict=True
            ):
                span = high - low
                scaled = (column - low) / span if span > 0 else np.zeros(rows)
                numbers.append(np.clip(scaled, 0, 1).astype(np.float32))
                number_names.append(f"{label} {part}".strip())
        codes: list[NDArray[np.int16]] = []
        levels: dict[str, tuple[str, ...]] = {}
        keys: list[list[str]] = []
        for name, values_with_code in self.levels.items():
            cells = frame[name].tolist() if name in frame else [""] * rows
            label = LABEL + name.removeprefix(CATEGORY)
            keys.append(cells)
            if values_with_code:
                code = {value: number for number, value in enumerate(values_with_code)}
                codes.append(np.array([code.get(cell, -1) for cell in cells], dtype=np.int16))
                levels[CATEGORICAL + label] = values_with_code
        return OwnBlock(
            _columns(numbers, rows, np.float32),
            _columns(codes, rows, np.int16),
            _columns([np.array(column, dtype=object) for column in keys], rows, object),
            tuple(number_names),
            tuple(
                f"{HIGH_CARDINALITY}{LABEL}{name.removeprefix(CATEGORY)}" for name in self.levels
            ),
            levels,
        )

    def _frequent(self, cells: pd.Series) -> tuple[str, ...]:
        counts = Counter(cell for cell in cells if cell)
        ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        return tuple(value for value, rows in ordered[: self.max_levels] if rows >= _LEAST_ROWS)

    def state(self) -> dict[str, Any]:
        """Return the fitted state as plain values."""
        return {
            # Lists, because the keys of a file are sorted.
            "levels": [[name, list(values)] for name, values in self.levels.items()],
            "numbers": [[name, asdict(fitted)] for name, fitted in self._numbers.items()],
        }

    @classmethod
    def from_state(cls, max_levels: int, state: Mapping[str, Any]) -> Self:
        """Return what `state` described."""
        encoder = cls(max_levels)
        encoder.levels = {name: tuple(values) for name, values in state["levels"]}
        encoder._numbers = {name: _Number(**fitted) for name, fitted in state["numbers"]}
        return encoder


def _number_parts(values: Floats, fitted: _Number) -> dict[str, Floats]:
    filled = np.where(np.isfinite(values), values, fitted.typical)
    size = np.sign(filled) * np.log1p(np.abs(filled))
    return {"": size, "missing": (~np.isfinite(values)).astype(np.float64)}


def _date_parts(values: Floats, fitted: _Number) -> dict[str, Floats]:
    filled = np.where(np.isfinite(values), values, np.floor(fitted.typical))
    year, month, weekday = year_month_weekday(filled)
    return {
        "year": year,
        "month": month,
        "weekday": weekday,
        "age": np.log1p(np.maximum(fitted.latest - filled, 0)),
        "missing": (~np.isfinite(values)).astype(np.float64),
    }


_PARTS: dict[str, Callable[[Floats, _Number], dict[str, Floats]]] = {
    NUMBER: _number_parts,
    DATE: _date_parts,
}


def _columns(columns: list[Any], rows: int, dtype: Any) -> Any:
    if not columns:
        return np.empty((rows, 0), dtype)
    return np.column_stack(columns).astype(dtype, copy=False)
