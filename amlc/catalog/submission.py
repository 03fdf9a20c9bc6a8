"""The submission file: one price for each test id, in the test file's order."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from amlc.catalog.products import ID, PRICE
from amlc.errors import CheckError, first_few
from amlc.files import write_text


def check_submission(
    ids: Sequence[str], prices: NDArray[np.float64], expected: Sequence[str]
) -> None:
    """Check what is about to be submitted against the ids of the test file.

    Parameters
    ----------
    ids : sequence of str
        The ids to submit, in order.
    prices : ndarray of float64
        Their prices.
    expected : sequence of str
        The ids of the test file, in its order.

    Raises
    ------
    CheckError
        An id is missing, unknown, repeated or out of order, or a price is not positive and finite.
    """
    if len(ids) != len(prices):
        raise CheckError(f"submission: {len(ids)} ids for {len(prices)} prices")
    _check_ids(ids, expected)
    bad = np.flatnonzero(~(np.isfinite(prices) & (prices > 0)))
    if bad.size:
        shown = first_few(f"{ids[row]} ({prices[row]})" for row in bad.tolist())
        raise CheckError(f"submission: {bad.size} prices are not positive and finite: {shown}")


def _check_ids(ids: Sequence[str], expected: Sequence[str]) -> None:
    if list(ids) == list(expected):
        return
    counts = pd.Series(list(ids)).value_counts()
    faults = {
        "missing": sorted(set(expected) - set(ids)),
        "unknown": sorted(set(ids) - set(expected)),
        "repeated": sorted(counts[counts > 1].index),
    }
    found = [f"{len(some)} {name} ids: {first_few(some)}" for name, some in faults.items() if some]
    raise CheckError(
        f"submission: {'; '.join(found) or 'ids are not in the order of the test file'}"
    )


def write_submission(path: Path, ids: Sequence[str], prices: NDArray[np.float64]) -> None:
    """Write `sample_id,price` with four decimals at least and as many as tiny prices need."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([ID, PRICE])
    writer.writerows((name, _shown(price)) for name, price in zip(ids, prices, strict=True))
    write_text(path, text.getvalue())


def _shown(price: float) -> str:
    # Four decimals would turn a price below 0.00005 into zero, which no submission may hold.
    return f"{price:.4f}" if price >= 0.01 else f"{price:.10g}"
