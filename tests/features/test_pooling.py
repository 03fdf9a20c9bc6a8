"""The features of several pictures of a product are averaged."""

import numpy as np

from amlc.features.pooling import pool

# The first column is 1 for a missing picture.
TABLE = np.array([[1, 0, 0], [0, 2, 4], [0, 4, 8]], dtype=np.float32)


def test_one_picture_is_its_row() -> None:
    """Bit by bit, also one that is missing."""
    assert pool(TABLE, [[2], [0]]).tobytes() == TABLE[[2, 0]].tobytes()


def test_several_pictures_are_their_mean() -> None:
    """Those that are missing do not count; if all are, the product has none."""
    assert pool(TABLE, [[1, 2], [0, 2], [0, 0]]).tolist() == [[0, 3, 6], [0, 4, 8], [1, 0, 0]]
