"""The neighbours block: for each product, the train products with the most similar text.

It holds positions and similarities, no prices: those are read inside the folds.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from amlc.errors import DataError
from amlc.files import replacing

Rows = NDArray[np.intp]
Indices = NDArray[np.int32]
Floats32 = NDArray[np.float32]

NOBODY = -1


@dataclass(frozen=True)
class Neighbours:
    """The nearest train products of some products.

    Parameters
    ----------
    rows : ndarray of int32, shape (n, count)
        Positions in the product table, the most similar first; `NOBODY` where there is none.
    similarity : ndarray of float32, shape (n, count)
        Sum over the groups of terms of the cosine similarity; 0 where there is none.
    own : ndarray of int32, shape (n,)
        The products' own positions in the product table; `NOBODY` for one that is not in it.
    """

    rows: Indices
    similarity: Floats32
    own: Indices

    @property
    def shape(self) -> tuple[int, int]:
        """Return the number of products and of neighbours."""
        return self.rows.shape[0], self.rows.shape[1]

    def take(self, rows: Rows) -> Self:
        """Return the neighbours of some products."""
        return type(self)(self.rows[rows], self.similarity[rows], self.own[rows])


def write_neighbours(path: Path, neighbours: Neighbours) -> None:
    """Write the block as an uncompressed .npz."""
    with replacing(path) as temporary, temporary.open("wb") as stream:
        np.savez(
            stream,
            rows=neighbours.rows,
            similarity=neighbours.similarity,
            own=neighbours.own,
        )


def read_neighbours(path: Path) -> Neighbours:
    """Read what `write_neighbours` wrote.

    Raises
    ------
    DataError
        The file is missing or is no such block.
    """
    try:
        with np.load(path, allow_pickle=False) as content:
            return Neighbours(content["rows"], content["similarity"], content["own"])
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{path}: cannot be read: {error}; run the stage neighbours") from None
