"""The neighbours block: the train products with the most similar text."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
from tqdm import tqdm

from amlc.arrays import Rows
from amlc.execution.backend import THREADS, Backend, in_order, open_pool
from amlc.features.csr_file import rows_of
from amlc.features.neighbour_block import NO_NEIGHBOUR, NeighbourBlock, Neighbours
from amlc.features.text.neighbour_index import NeighbourIndex, NeighboursSettings

# Products in a piece of the search.
PIECE_ROWS = 512


@dataclass(frozen=True)
class _Search:
    """What the pieces of a search share."""

    index: NeighbourIndex
    terms: sp.csr_array
    position: Rows
    settings: NeighboursSettings


def search_train_products(
    terms: sp.csr_array,
    train: Rows,
    settings: NeighboursSettings,
    *,
    threads: int,
    backend: Backend = THREADS,
) -> Iterator[Neighbours]:
    """Yield the nearest train products of every product in the product table, some rows at a time.

    Parameters
    ----------
    terms : csr_array of float32, shape (n, terms)
        TF-IDF of all products.
    train : ndarray of int, shape (m,)
        Positions of the train products, none of which becomes its own neighbour.
    settings : NeighboursSettings
        Section `neighbours` of params.yaml.
    threads : int
        Number of threads; the result does not depend on it.
    backend : Backend
        Where pieces of the products are searched for; nor does the result depend on that.

    Yields
    ------
    Neighbours
        Positions in the product table. There is a part even if there is no product.
    """
    count = terms.shape[0]
    position = np.full(count, NO_NEIGHBOUR)
    position[train] = np.arange(len(train))
    index = NeighbourIndex.build(rows_of(terms, train), settings)
    search = _Search(index, terms, position, settings)
    pieces = [
        slice(start, min(start + PIECE_ROWS, count))
        for start in range(0, max(count, 1), PIECE_ROWS)
    ]
    with (
        open_pool(backend, search, at_once=threads, unit="search for neighbours") as pool,
        tqdm(total=count, desc="neighbours", unit="row", disable=None) as bar,
    ):
        for piece, nearest in zip(pieces, in_order(pool, _nearest_of, pieces), strict=True):
            none = nearest.rows == NO_NEIGHBOUR
            yield replace(
                nearest,
                rows=np.where(none, NO_NEIGHBOUR, train[nearest.rows]).astype(np.int32),
                position=np.arange(piece.start, piece.stop, dtype=np.int32),
            )
            bar.update(len(nearest.rows))


def nearest_train_products(
    terms: sp.csr_array,
    train: Rows,
    settings: NeighboursSettings,
    *,
    threads: int,
    backend: Backend = THREADS,
) -> NeighbourBlock:
    """Return what `search_train_products` yields, all of it in memory."""
    parts = list(search_train_products(terms, train, settings, threads=threads, backend=backend))
    arrays = (np.concatenate([getattr(part, name) for part in parts]) for name in Neighbours.by_row)
    return NeighbourBlock(Neighbours(*arrays))


def _nearest_of(search: _Search, rows: slice) -> Neighbours:
    """Return the nearest train products of some rows."""
    settings = search.settings
    return search.index.nearest(
        search.terms[rows],
        settings.n_neighbors,
        search.position[rows],
        n_compared=settings.n_compared,
    )
