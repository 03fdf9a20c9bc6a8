"""The neighbours block: for each product, the train products with the most similar text.

It holds positions and similarities, no prices: those are read inside the folds.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from pydantic import Field
from sparse_dot_topn import sp_matmul_topn
from tqdm import tqdm

from amlc.errors import DataError
from amlc.files import replacing, write_array
from amlc.params import Settings

Rows = NDArray[np.intp]
Indices = NDArray[np.int32]
Floats32 = NDArray[np.float32]

# Products whose neighbours are found at once.
CHUNK = 4096
NOBODY = -1
_INDEX = ("data", "indices", "indptr")


class NeighboursSettings(Settings):
    """Section `neighbours` of params.yaml."""

    # Neighbours kept for each product; models use the first few that their fold allows.
    count: int = Field(ge=1, le=1_000)
    # Terms in more than this share of the train texts tell products apart too little to be worth
    # their time.
    max_share: float = Field(gt=0, le=1)


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


def frequent_terms(train: sp.csr_array, max_share: float) -> NDArray[np.bool_]:
    """Return which terms stand in more than a share of the train texts."""
    frequency = np.bincount(train.indices, minlength=train.shape[1])
    frequent: NDArray[np.bool_] = frequency > max(max_share * train.shape[0], 1)
    return frequent


class TermIndex:
    """The train products by term, in which the nearest of any product are looked up.

    Parameters
    ----------
    columns : csr_array of float32, shape (terms, m)
        TF-IDF of the train products, transposed, without the frequent terms.
    """

    def __init__(self, columns: sp.csr_array) -> None:
        # sparse_dot_topn knows no sparse arrays yet.
        self.columns = sp.csr_matrix(columns)

    @classmethod
    def build(cls, train: sp.csr_array, max_share: float) -> Self:
        """Make the index.

        Parameters
        ----------
        train : csr_array of float32, shape (m, terms)
            The products that can be a neighbour.
        max_share : float
            See `NeighboursSettings`.

        Raises
        ------
        DataError
            There is no train product.
        """
        if not train.shape[0]:
            raise DataError("neighbours need at least one train row")
        rare = sp.diags_array((~frequent_terms(train, max_share)).astype(np.float32))
        return cls(sp.csr_array((train @ rare).T))

    def nearest(
        self, terms: sp.csr_array, count: int, own: Rows | None = None, *, threads: int = 1
    ) -> Neighbours:
        """Find the nearest train products by their terms.

        Parameters
        ----------
        terms : csr_array of float32, shape (n, terms)
            The products that look for neighbours.
        count : int
            How many to find for each.
        own : ndarray of int, shape (n,), optional
            Each product's own position among the train products, which is no neighbour of its
            own; -1 for none.
        threads : int
            Threads; the result does not depend on them.

        Returns
        -------
        Neighbours
            With positions among the train products, the most similar first, equally similar ones
            in their order; of those that are as similar as the last, any may be in or out.
        """
        mine = np.full(terms.shape[0], NOBODY) if own is None else own
        starts = range(0, terms.shape[0], CHUNK)
        hidden = True if len(starts) < 2 else None
        parts = [_pad(np.empty((0, 0), np.int32), np.empty((0, 0), np.float32), count)]
        for start in tqdm(starts, desc="neighbours", unit="chunk", disable=hidden):
            chunk = slice(start, start + CHUNK)
            # One more, as a product finds itself first.
            best = sp_matmul_topn(
                sp.csr_matrix(terms[chunk]), self.columns, top_n=count + 1, n_threads=threads
            )
            parts.append(_pad(*_ordered(best, mine[chunk], count), count))
        rows, similarity = zip(*parts, strict=True)
        return Neighbours(
            np.concatenate(rows), np.concatenate(similarity), np.asarray(mine, dtype=np.int32)
        )

    def save(self, folder: Path) -> None:
        """Write the index as plain arrays."""
        for name in _INDEX:
            write_array(folder / f"{name}.npy", getattr(self.columns, name))
        write_array(folder / "shape.npy", np.array(self.columns.shape))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Map what `save` wrote into memory: it costs memory where it is read.

        Raises
        ------
        DataError
            A file is missing or broken.
        """
        try:
            # Copy on write, as sparse_dot_topn takes no read-only array; it writes to none.
            arrays = [np.load(folder / f"{name}.npy", mmap_mode="c") for name in _INDEX]
            shape = np.load(folder / "shape.npy", allow_pickle=False).tolist()
            return cls(sp.csr_array(tuple(arrays), shape=tuple(shape)))
        except (OSError, ValueError, EOFError) as error:
            raise DataError(f"{folder}: no saved index of neighbours: {error}") from None


def nearest(
    terms: sp.csr_array,
    train: sp.csr_array,
    settings: NeighboursSettings,
    own: Rows | None = None,
    *,
    threads: int = 1,
) -> Neighbours:
    """Find the nearest train products; see `TermIndex`."""
    index = TermIndex.build(train, settings.max_share)
    return index.nearest(terms, settings.count, own, threads=threads)


def _ordered(best: sp.csr_array, own: Rows, count: int) -> tuple[Indices, Floats32]:
    """Return the entries of each row by falling similarity, equal ones by position, but its own."""
    kept = np.diff(best.indptr)
    width = int(kept.max(initial=0))
    places = np.arange(width) < kept[:, None]
    rows = np.full(places.shape, np.iinfo(np.int32).max, dtype=np.int32)
    values = np.zeros(places.shape, dtype=np.float32)
    rows[places], values[places] = best.indices, best.data
    values[rows == own[:, None]] = 0
    order = np.lexsort((rows, -values), axis=1)[:, :count]
    rows, values = (
        np.take_along_axis(rows, order, axis=1),
        np.take_along_axis(values, order, axis=1),
    )
    rows[values <= 0] = NOBODY
    return rows, np.maximum(values, 0)


def _pad(rows: Indices, similarity: Floats32, count: int) -> tuple[Indices, Floats32]:
    width = ((0, 0), (0, count - rows.shape[1]))
    return np.pad(rows, width, constant_values=NOBODY), np.pad(similarity, width)


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
