"""The submission file: one price for each test id, in the test file's order."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from amlc.arrays import Floats
from amlc.catalog.products import ID, PRICE
from amlc.errors import CheckError, first_few
from amlc.files import write_rows


def check_submission(ids: Sequence[str], prices: Floats, expected: Sequence[str]) -> None:
    """Check that a submission has one valid price for each id of the test file, in its order.

    Parameters
    ----------
    ids : sequence of str
        The ids to submit.
    prices : ndarray of float64, shape (n,)
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
    invalid = np.flatnonzero(~(np.isfinite(prices) & (prices > 0)))
    if invalid.size:
        examples = first_few(f"{ids[row]} ({prices[row]})" for row in invalid.tolist())
        raise CheckError(
            f"submission: {invalid.size} prices are not positive and finite: {examples}"
        )


def _check_ids(ids: Sequence[str], expected: Sequence[str]) -> None:
    if list(ids) == list(expected):
        return
    counts = pd.Series(list(ids)).value_counts()
    wrong = {
        "missing": sorted(set(expected) - set(ids)),
        "unknown": sorted(set(ids) - set(expected)),
        "repeated": sorted(counts[counts > 1].index),
    }
    lines = [
        f"{len(names)} {kind} ids: {first_few(names)}" for kind, names in wrong.items() if names
    ]
    raise CheckError(
        f"submission: {'; '.join(lines) or 'ids are not in the order of the test file'}"
    )


def write_submission(path: Path, ids: Sequence[str], prices: Floats) -> None:
    """Write the columns `sample_id` and `price`, prices as `format_price` writes them."""
    write_rows(path, (ID, PRICE), zip(ids, map(format_price, prices), strict=True))


def format_price(price: float) -> str:
    """Return a price with four decimals, or with ten significant digits if it is below 0.01.

    Examples
    --------
    >>> format_price(12.0), format_price(0.000012)
    ('12.0000', '1.2e-05')
    """
    # With four decimals a price below 0.00005 would become zero, which is not a valid price.
    return f"{price:.4f}" if price >= 0.01 else f"{price:.10g}"
