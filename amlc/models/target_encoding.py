"""Cross-fitted target encoding: no row's own price is in its features."""

import numpy as np

from amlc.arrays import Floats, Ints32, Objects, Rows
from amlc.errors import ModelError

# Inner folds for cross-fitted features; more folds take longer and gain little.
INNER_FOLDS = 5


def inner_splits(groups: Ints32, seed: int) -> list[tuple[Rows, Rows]]:
    """Return the rows to fit to and the rows held out of each grouped inner fold.

    Raises
    ------
    ModelError
        Fewer than two groups.
    """
    # scikit-learn takes a second to import, and a stage reads its inputs first.
    from sklearn.model_selection import GroupKFold  # noqa: PLC0415 - see above

    count = min(INNER_FOLDS, len(np.unique(groups)))
    if count < 2:
        raise ModelError(f"{len(groups)} train rows in one group cannot be split; add products")
    splitter = GroupKFold(count, shuffle=True, random_state=seed)
    return list(splitter.split(np.zeros(len(groups)), groups=groups))


class TargetEncoding:
    """Encode the values of high-cardinality columns by their smoothed mean log price.

    Parameters
    ----------
    smoothing : float
        The number of rows that the overall mean counts as.
    """

    def __init__(self, smoothing: float) -> None:
        self.smoothing = smoothing
        # For each column, the encoding of each value.
        self.means: list[dict[str, float]] = []
        self.mean = 0.0

    def fit_transform(
        self, keys: Objects, log_price: Floats, splits: list[tuple[Rows, Rows]]
    ) -> Floats:
        """Fit to all rows; encode each row from the rows of other inner folds only.

        Parameters
        ----------
        keys : ndarray of str, shape (n, columns)
            The values to encode.
        log_price : ndarray of float64, shape (n,)
            Log prices of the rows.
        splits : list of (fit, held out)
            Positions of the rows in the inner folds, as `inner_splits` returns them.

        Returns
        -------
        ndarray of float64, shape (n, columns)

        Notes
        -----
        The numbers are, bit for bit, those of scikit-learn's TargetEncoder with a fixed smoothing,
        which checks each value several times and takes ten times as long.
        """
        encoded = np.empty(keys.shape)
        self.mean, self.means = float(log_price.mean()), []
        for column, values in enumerate(keys.T.tolist()):
            code_of = {value: code for code, value in enumerate(sorted(set(values)))}
            codes = np.fromiter(map(code_of.__getitem__, values), np.intp, len(values))
            for fit, held_out in splits:
                means = self._means(codes[fit], log_price[fit], len(code_of))
                encoded[held_out, column] = means[codes[held_out]]
            means = self._means(codes, log_price, len(code_of))
            self.means.append(dict(zip(code_of, means.tolist(), strict=True)))
        return encoded

    def _means(self, codes: Rows, log_price: Floats, count: int) -> Floats:
        """Return the smoothed mean of each code; that of all rows for a code that no row has."""
        sums = np.full(count, self.smoothing * log_price.mean())
        np.add.at(sums, codes, log_price)
        return np.asarray(sums / (self.smoothing + np.bincount(codes, minlength=count)))

    def transform(self, keys: Objects) -> Floats:
        """Encode new rows; a value that no train row has gets the mean of all train rows."""
        columns = [
            [means.get(key, self.mean) for key in column]
            for means, column in zip(self.means, keys.T.tolist(), strict=True)
        ]
        return np.asarray(columns, dtype=np.float64).T.reshape(len(keys), len(columns))
