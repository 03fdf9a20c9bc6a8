"""The block of the train products with the most similar text: in memory, or mostly on disk."""

import math
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from amlc.arrays import Floats32, Ints32, Rows
from amlc.features.block import StoredBlock
from amlc.features.spool import Spool
from amlc.files import map_arrays, write_arrays

# In place of a neighbour that does not exist.
NO_NEIGHBOUR = -1


@dataclass(frozen=True)
class Neighbours:
    """The train products with the most similar text, as plain arrays.

    Parameters
    ----------
    rows : ndarray of int32, shape (n, n_neighbors)
        Positions of the neighbours, the most similar first, padded with `NO_NEIGHBOUR`.
    similarity : ndarray of float32, shape (n, n_neighbors)
        Sum over the TF-IDF vectorizers of the cosine similarity; 0 for `NO_NEIGHBOUR`.
    position : ndarray of int32, shape (n,)
        The product's position in the same table as those in `rows`; `NO_NEIGHBOUR` for a product
        that is not in it.
    among : ndarray of float16, shape (n, n_compared (n_compared + 1) / 2)
        Similarity of the first `n_compared` neighbours to each other: the lower triangle of the
        matrix, diagonal included, row by row. Without columns if they were not compared.
    """

    by_row: ClassVar[tuple[str, ...]] = ("rows", "similarity", "position", "among")

    rows: Ints32
    similarity: Floats32
    position: Ints32
    among: NDArray[np.float16]

    @property
    def n_compared(self) -> int:
        """The number of neighbours that are compared to each other."""
        return (math.isqrt(8 * self.among.shape[1] + 1) - 1) // 2

    @property
    def shape(self) -> tuple[int, int]:
        """The number of rows and of neighbours."""
        rows, columns = self.rows.shape
        return rows, columns

    def take(self, rows: Rows) -> Self:
        """Return the given rows, in the given order."""
        return replace(self, **{name: getattr(self, name)[rows] for name in self.by_row})

    def write(self, path: Path) -> None:
        """Write the block as an uncompressed .npz."""
        write_arrays(path, **{name: getattr(self, name) for name in self.by_row})

    @classmethod
    def write_parts(cls, path: Path, parts: Iterable[Self]) -> None:
        """Write a block whose rows come in parts, at least one, as `write` writes all of them.

        Only one part is in memory.
        """
        with ExitStack() as stack:
            spools: dict[str, Spool] = {}
            for part in parts:
                for name in cls.by_row:
                    rows = np.asarray(getattr(part, name))
                    if name not in spools:
                        spool = Spool(path, rows.dtype, *rows.shape[1:])
                        spools[name] = stack.enter_context(spool)
                    spools[name].append(rows)
            write_arrays(path, **spools)


@dataclass(frozen=True)
class NeighbourBlock(StoredBlock):
    """Neighbours of products; they are most of the features of a large catalogue.

    Parameters
    ----------
    table : Neighbours
        All of them.
    rows
        As in `StoredBlock`.
    """

    suffix = ".npz"

    table: Neighbours

    @property
    def position(self) -> Ints32:
        """As in `Neighbours`."""
        return self.table.position if self.rows is None else self.table.position[self.rows]

    @property
    def n_compared(self) -> int:
        """The number of neighbours that are compared to each other."""
        return self.table.n_compared

    def loaded(self, *, among: bool = True) -> Neighbours:
        """Return the products' neighbours in memory.

        Parameters
        ----------
        among : bool
            Whether to read the similarities among neighbours, which are most of it; without them,
            none of the neighbours are compared.
        """
        table = self.table if among else replace(self.table, among=self.table.among[:, :0])
        return table if self.rows is None else table.take(self.rows)

    def write(self, path: Path) -> None:
        """Write the block as an uncompressed .npz."""
        self.loaded().write(path)

    @classmethod
    def _read(cls, path: Path) -> Self:
        arrays = map_arrays(path)
        return cls(Neighbours(*(arrays[name] for name in Neighbours.by_row)))
