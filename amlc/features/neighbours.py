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
from tqdm import tqdm

from amlc.errors import DataError
from amlc.files import replacing
from amlc.params import Settings

Rows = NDArray[np.intp]
Indices = NDArray[np.int32]
Floats32 = NDArray[np.float32]

# A chunk's dense similarities fill about this much memory.
CHUNK_BYTES = 128 * 1024**2
NOBODY = -1


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


def nearest(
    terms: sp.csr_array, train: sp.csr_array, settings: NeighboursSettings, own: Rows | None = None
) -> Neighbours:
    """Find the nearest train products by their terms.

    Parameters
    ----------
    terms : csr_array of float32, shape (n, terms)
        The products that look for neighbours.
    train : csr_array of float32, shape (m, terms)
        The products that can be one.
    settings : NeighboursSettings
        See there.
    own : ndarray of int, shape (n,), optional
        Each product's own position in `train`, which is no neighbour of its own; -1 for none.

    Returns
    -------
    Neighbours
        With positions in `train`. Equal similarities are in the order of `train`.

    Raises
    ------
    DataError
        There is no train product.
    """
    if not train.shape[0]:
        raise DataError("neighbours need at least one train row")
    rare = sp.diags_array((~frequent_terms(train, settings.max_share)).astype(np.float32))
    columns = sp.csr_array((train @ rare).T)
    mine = np.full(terms.shape[0], NOBODY) if own is None else own
    step = max(1, CHUNK_BYTES // (4 * train.shape[0]))
    starts = range(0, terms.shape[0], step)
    parts = [
        _nearest_of_chunk(
            terms[start : start + step] @ columns, mine[start : start + step], settings
        )
        for start in tqdm(starts, desc="neighbours", unit="chunk", disable=None)
    ]
    empty = _pad(np.empty((0, 0), np.int32), np.empty((0, 0), np.float32), settings.count)
    rows, similarity = zip(empty, *parts, strict=True)
    return Neighbours(
        np.concatenate(rows), np.concatenate(similarity), np.asarray(mine, dtype=np.int32)
    )


def _nearest_of_chunk(
    product: sp.csr_array, own: Rows, settings: NeighboursSettings
) -> tuple[Indices, Floats32]:
    similarity = np.asarray(product.toarray(), dtype=np.float32)
    known = np.flatnonzero(own != NOBODY)
    similarity[known, own[known]] = 0
    kept = min(settings.count, similarity.shape[1])
    # Stable on equal similarity: partition alone would pick by accident of memory order.
    found = np.sort(np.argpartition(-similarity, kept - 1, axis=1)[:, :kept], axis=1)
    values = np.take_along_axis(similarity, found, axis=1)
    order = np.argsort(-values, axis=1, kind="stable")
    rows = np.take_along_axis(found, order, axis=1).astype(np.int32)
    values = np.take_along_axis(values, order, axis=1)
    rows[values <= 0] = NOBODY
    return _pad(rows, np.maximum(values, 0), settings.count)


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
