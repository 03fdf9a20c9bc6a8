"""Which products the page shows."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from amlc.catalog.table import LINK, PRICE
from amlc.report.findings import Findings, Floats

# Rows of each kind.
COUNTS = {"too low": 6, "too high": 6, "closest": 3}
# Pictures on the contact sheet.
SHEET = 24


def extremes(findings: Findings) -> dict[str, pd.DataFrame]:
    """Return the train rows priced ``"too low"``, ``"too high"`` and ``"closest"``.

    Parameters
    ----------
    findings : Findings
        See there.

    Returns
    -------
    dict of str to DataFrame
        At most `COUNTS` rows, the most extreme first; one of each group of duplicates.
    """
    ratio = findings.log_ratio
    keys = {"too low": ratio, "too high": -ratio, "closest": np.abs(ratio)}
    wrong_way = {
        "too low": ratio >= 0,
        "too high": ratio <= 0,
        "closest": np.zeros(len(ratio), bool),
    }
    return {
        name: _first(findings.train, key, COUNTS[name], ~wrong_way[name])
        for name, key in keys.items()
    }


def _first(rows: pd.DataFrame, key: Floats, count: int, allowed: NDArray[np.bool_]) -> pd.DataFrame:
    """Return the rows with the smallest keys, the first of each group of duplicates."""
    order = np.argsort(key, kind="stable")
    order = order[allowed[order]]
    _, places = np.unique(rows["group"].to_numpy()[order], return_index=True)
    return rows.iloc[order[np.sort(places)[:count]]]


def sheet(findings: Findings, count: int = SHEET) -> pd.DataFrame:
    """Return train rows with a picture at even steps from the cheapest to the dearest."""
    rows = findings.train
    pictured = rows[rows["pictured"]][[LINK, PRICE]].drop_duplicates(LINK)
    order = pictured.index[np.argsort(pictured[PRICE].to_numpy(), kind="stable")]
    places = np.linspace(0, len(order) - 1, min(count, len(order))).round().astype(int)
    return rows.loc[order[places]]
