"""Small tables for DVC's plots: git keeps the files, and DVC compares them between experiments."""

import re
from pathlib import Path

import numpy as np
import pandas as pd

from amlc.catalog.products import PRICE
from amlc.files import write_rows
from amlc.report.cleaning import clean
from amlc.report.findings import Findings, coverage_shares

# Points of the plot of predicted against actual prices: enough to see, few enough for git.
POINTS = 1000
# The histogram of predicted divided by actual price has bins of an eighth of a doubling and reaches
# this many doublings to either side; the last bins count what lies beyond.
BINS_PER_DOUBLING, DOUBLINGS = 8, 4
# Number of columns of each model whose importance is shown.
FEATURES = 15
NAME_LENGTH = 90
# DVC puts names into a script as they are, and some of them hold words of the catalogue.
NOT_PLAIN = re.compile(r"[^\w .,:;()'/%+-]")


def write_tables(folder: Path, findings: Findings, *, coverage: float, seed: int) -> None:
    """Write predicted.csv, residuals.csv, coverage.csv, curves.csv, epochs.csv and importance.csv.

    Parameters
    ----------
    folder : Path
        ``metrics``.
    findings : Findings
        The results of the run.
    coverage : float
        The share of prices that the intervals should contain.
    seed : int
        Seed of the draw of the products whose prices are shown.
    """
    tables = {
        "predicted": predicted_table(findings, seed),
        "residuals": residual_table(findings),
        "coverage": coverage_table(findings, coverage),
        "curves": _rounded(findings.curves),
        "epochs": _rounded(findings.epochs),
        "importance": importance_table(findings),
    }
    for name, table in tables.items():
        write_rows(folder / f"{name}.csv", table.columns.tolist(), table.itertuples(index=False))


def _rounded(curves: pd.DataFrame) -> pd.DataFrame:
    return curves.assign(smape=curves["smape"].astype(float).round(4))


def predicted_table(findings: Findings, seed: int) -> pd.DataFrame:
    """Return actual and predicted price of up to `POINTS` random train products."""
    rows = findings.train
    if len(rows) > POINTS:
        drawn = np.random.default_rng(seed).choice(len(rows), POINTS, replace=False)
        rows = rows.iloc[np.sort(drawn)]
    prices = rows[[PRICE, "predicted"]].astype(float).round(2)
    return prices.set_axis(["actual", "predicted"], axis=1)


def residual_table(findings: Findings) -> pd.DataFrame:
    """Return the share of train products, in percent, by predicted divided by actual price.

    Returns
    -------
    DataFrame
        ``factor``, the middle of a bin, and ``share``.
    """
    reach = DOUBLINGS * BINS_PER_DOUBLING
    steps = np.rint(findings.log_ratio / np.log(2) * BINS_PER_DOUBLING).astype(int)
    counts = np.bincount(np.clip(steps, -reach, reach) + reach, minlength=2 * reach + 1)
    factors = 2.0 ** (np.arange(-reach, reach + 1) / BINS_PER_DOUBLING)
    shares = 100 * counts / len(steps)
    return pd.DataFrame({"factor": factors.round(4), "share": shares.round(3)})


def coverage_table(findings: Findings, coverage: float) -> pd.DataFrame:
    """Return the share of prices inside their interval by decile, beside the target share."""
    return coverage_shares(findings.details.interval).assign(wanted=round(100 * coverage, 4))


def importance_table(findings: Findings) -> pd.DataFrame:
    """Return the first `FEATURES` columns of each model and their shares in percent."""
    first = findings.importance.groupby("model", sort=False).head(FEATURES)
    names = [NOT_PLAIN.sub("?", clean(name, NAME_LENGTH)) for name in first["feature"]]
    return first.assign(feature=names, share=(100 * first["share"].astype(float)).round(3))
