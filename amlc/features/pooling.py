"""One row for a product with several pictures: the mean of those of its pictures."""

from collections.abc import Sequence

import numpy as np

from amlc.arrays import Floats32


def pool(table: Floats32, pictures: Sequence[Sequence[int]]) -> Floats32:
    """Return the features of products from those of pictures.

    Parameters
    ----------
    table : ndarray of float32, shape (m, k)
        A row for each picture, whose first column is 1 if it is missing.
    pictures : sequence of sequence of int, length n
        The rows of each product's pictures, at least one.

    Returns
    -------
    ndarray of float32, shape (n, k)
        The mean over the pictures that are not missing; that of one picture is its row as it is.
    """
    pooled = table[[rows[0] for rows in pictures]]
    for product, rows in enumerate(pictures):
        if len(rows) > 1:
            present = [row for row in rows if table[row, 0] == 0]
            if present:
                pooled[product] = table[present].mean(axis=0, dtype=np.float64)
    return pooled
