"""An index of the train products' terms, to search for those with the most similar text.

The search has two steps. Candidate generation scores all train products by index terms, which occur
in few products, with an inverted index. Re-ranking adds the other terms, but only for the best of
them: a frequent term has little information, and looking up its many products would take most of
the time.
"""

from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from pydantic import Field, model_validator

from amlc.arrays import Bools, Floats32, Ints32, Ints64, Rows
from amlc.errors import DataError, read_errors_as
from amlc.features.neighbour_block import NO_NEIGHBOUR, Neighbours
from amlc.files import write_array
from amlc.params import Settings

# Maximum number of products in a chunk of the search, and of the postings that it reads, unless a
# single product reads more. A chunk clears a score for each train product once.
CHUNK_ROWS, CHUNK_POSTINGS = 64, 8_000_000
# Rows have 31 bits in the keys by which candidates are sorted.
LARGEST_ROW = 2**31 - 1
_MATRICES = ("postings", "rerank", "weights")
_CSR_PARTS = ("data", "indices", "indptr", "shape")


class NeighboursSettings(Settings):
    """Section `neighbours` of params.yaml."""

    n_neighbors: int = Field(ge=1, le=1_000)
    n_compared: int = Field(ge=0, le=256)
    max_df: float = Field(gt=0, le=1)
    candidates: int = Field(ge=1, le=10_000)
    index_max_df: float = Field(gt=0, le=1)
    max_postings: int = Field(ge=1)

    @model_validator(mode="after")
    def _enough_candidates(self) -> Self:
        if self.candidates < self.n_neighbors:
            raise ValueError("candidates: expected at least as many as n_neighbors")
        if self.n_compared > self.n_neighbors:
            raise ValueError("n_compared: expected at most as many as n_neighbors")
        return self


@cache
def _lower_triangle(width: int) -> Rows:
    """Return the positions of the lower triangle in a square matrix of one axis."""
    row, column = np.tril_indices(width)
    return np.asarray(row * width + column)


class NeighbourIndex:
    """An index of the train products' terms, to search for similar products.

    Parameters
    ----------
    postings : csr_array of float32, shape (terms, m)
        The inverted index: for each index term, its TF-IDF in the train products that contain it.
        The rows of other terms are empty.
    rerank_weights : csr_array of float32, shape (m, rerank terms)
        TF-IDF of the train products for the terms that are only used for re-ranking.
    rerank_terms : ndarray of int32, shape (rerank terms,)
        Columns of these terms in the terms block.
    weights : csr_array of float32, shape (m, terms)
        TF-IDF of the train products for the terms of both kinds, to compare neighbours.
    candidates : int
        Number of train products that are re-ranked for each query.
    """

    def __init__(
        self,
        postings: sp.csr_array,
        rerank_weights: sp.csr_array,
        rerank_terms: Ints32,
        weights: sp.csr_array,
        candidates: int,
    ) -> None:
        self.postings = postings
        self.rerank_weights = rerank_weights
        self.rerank_terms = rerank_terms
        self.weights = weights
        self.candidates = candidates
        self._rerank_column = np.full(postings.shape[0], -1, np.int32)
        self._rerank_column[rerank_terms] = np.arange(len(rerank_terms), dtype=np.int32)

    @classmethod
    def build(cls, train: sp.csr_array, settings: NeighboursSettings) -> Self:
        """Build the index.

        Parameters
        ----------
        train : csr_array of float32, shape (m, terms)
            TF-IDF of the train products.
        settings : NeighboursSettings
            Which terms are used, which of them are index terms, and the number of candidates.

        Raises
        ------
        DataError
            There is no train product.
        """
        if not train.shape[0]:
            raise DataError("neighbours need at least one train row")
        df = np.bincount(train.indices, minlength=train.shape[1])
        # At least 1, so that a term of a single product is always an index term.
        max_df, index_max_df = (
            max(share * train.shape[0], 1) for share in (settings.max_df, settings.index_max_df)
        )
        in_index = df <= min(index_max_df, max_df, settings.max_postings)
        rerank_terms = np.flatnonzero((df <= max_df) & ~in_index)
        postings = sp.csr_array(_only_terms(train, in_index).T)
        return cls(
            postings,
            train[:, rerank_terms],
            rerank_terms.astype(np.int32),
            _only_terms(train, df <= max_df),
            settings.candidates,
        )

    def nearest(
        self,
        terms: sp.csr_array,
        n_neighbors: int,
        position: Rows | None = None,
        *,
        n_compared: int = 0,
    ) -> Neighbours:
        """Return the nearest train products of each product.

        Parameters
        ----------
        terms : csr_array of float32, shape (n, terms)
            TF-IDF of the products whose neighbours are searched for.
        n_neighbors : int
            Number of neighbours of each product; not more than there are candidates.
        position : ndarray of int, shape (n,), optional
            Each product's position among the train products, so that it does not become its own
            neighbour; `NO_NEIGHBOUR` for a product that is not among them.
        n_compared : int
            How many of the neighbours to compare to each other.

        Returns
        -------
        Neighbours
            Positions among the train products; equally similar ones in ascending order.
        """
        count = terms.shape[0]
        positions = np.full(count, NO_NEIGHBOUR) if position is None else position
        rows = np.full((count, n_neighbors), NO_NEIGHBOUR, np.int32)
        similarity = np.zeros((count, n_neighbors), np.float32)
        among = np.zeros((count, n_compared * (n_compared + 1) // 2), np.float16)
        scratch = _Scratch(terms.shape[1])
        for chunk in self._chunks(terms):
            chunk_rows, scores = self._nearest(terms[chunk], positions[chunk], n_neighbors)
            width = chunk_rows.shape[1]
            rows[chunk, :width], similarity[chunk, :width] = chunk_rows, scores
            if n_compared:
                among[chunk] = list(self._among(rows[chunk, :n_compared], scratch))
        return Neighbours(rows, similarity, np.asarray(positions, dtype=np.int32), among)

    def _chunks(self, terms: sp.csr_array) -> Iterator[slice]:
        """Yield the rows of each chunk."""
        lengths = np.diff(self.postings.indptr)[terms.indices]
        # The number of postings of all rows before each row.
        sums = np.append(0, np.cumsum(lengths, dtype=np.int64))[terms.indptr].tolist()
        start, count = 0, terms.shape[0]
        for end in range(1, count + 1):
            full = end - start == CHUNK_ROWS
            if full or end == count or sums[end + 1] - sums[start] > CHUNK_POSTINGS:
                yield slice(start, end)
                start = end

    def _nearest(
        self, queries: sp.csr_array, position: Rows, n_neighbors: int
    ) -> tuple[Ints32, Floats32]:
        candidates, scores = self._candidates(queries)
        scores += self._rerank_scores(queries, candidates)
        scores[candidates == position[:, None]] = 0
        keys = _sort_keys(scores, candidates)
        keys.sort(axis=1)
        rows, scores = _from_sort_keys(keys[:, : -n_neighbors - 1 : -1])
        rows[scores <= 0] = NO_NEIGHBOUR
        return rows, scores

    def _among(self, rows: Ints32, scratch: "_Scratch") -> Iterator[NDArray[np.float16]]:
        """Yield, for each query, the similarity of some train products to each other.

        Of products that do not exist, which come last in each row, the similarity is 0.
        """
        is_there = rows != NO_NEIGHBOUR
        weights = self.weights[rows[is_there]]
        ends = np.append(0, np.cumsum(np.count_nonzero(is_there, axis=1)))
        for start, end in pairwise(ends.tolist()):
            indptr = weights.indptr[start : end + 1]
            entries = slice(indptr[0], indptr[-1])
            parts = (weights.data[entries], weights.indices[entries], indptr - indptr[0])
            yield _similarity_among(parts, rows.shape[1], scratch)

    def _candidates(self, queries: sp.csr_array) -> tuple[Ints32, Floats32]:
        """Return the train products most similar by index terms alone, unsorted, with their scores.

        Only products that share an index term with a query are looked at, so that the work per
        query does not grow with the catalogue. If they are fewer than the candidates, those of the
        first rows are added.
        """
        found = queries @ self.postings
        count, products = found.shape
        keys = np.empty((count, min(self.candidates, products)), np.int64)
        for row, (start, end) in enumerate(pairwise(found.indptr.tolist())):
            keys[row] = _largest_keys(
                found.data[start:end], found.indices[start:end], keys.shape[1]
            )
        return _from_sort_keys(keys)

    def _rerank_scores(self, queries: sp.csr_array, candidates: Ints32) -> Floats32:
        """Return how much the other terms add to the similarity of each query and candidate."""
        count, terms = queries.shape[0], len(self.rerank_terms)
        dense = np.zeros((count, terms), np.float32)
        columns = self._rerank_column[queries.indices]
        used = columns >= 0
        row = np.repeat(np.arange(count), np.diff(queries.indptr))
        dense[row[used], columns[used]] = queries.data[used]
        weights = self.rerank_weights[candidates.ravel()]
        # One long axis for the terms of all queries, as above.
        sizes = np.diff(weights.indptr[:: candidates.shape[1]])
        offsets = np.repeat(np.arange(count, dtype=np.int32) * terms, sizes)
        rows = sp.csr_array(
            (weights.data, weights.indices + offsets, weights.indptr),
            shape=(candidates.size, count * terms),
        )
        return np.asarray(rows @ dense.ravel()).reshape(candidates.shape)

    def save(self, folder: Path) -> None:
        """Write the index into a folder, as plain arrays."""
        matrices = (self.postings, self.rerank_weights, self.weights)
        for name, matrix in zip(_MATRICES, matrices, strict=True):
            for part in _CSR_PARTS:
                write_array(folder / f"{name}_{part}.npy", np.asarray(getattr(matrix, part)))
        write_array(folder / "rerank_terms.npy", self.rerank_terms)
        write_array(folder / "candidates.npy", np.array(self.candidates))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Map what `save` wrote into memory; parts are read from disk when a search needs them.

        Raises
        ------
        DataError
            A file is missing or malformed.
        """
        with read_errors_as(DataError, f"{folder}: no saved index of neighbours"):
            postings, rerank, weights = matrices = [_mapped_csr(folder, name) for name in _MATRICES]
            terms = np.load(folder / "rerank_terms.npy", allow_pickle=False)
            candidates = int(np.load(folder / "candidates.npy", allow_pickle=False))
            for matrix in matrices:
                # An index out of range would end the process in SciPy's own code.
                matrix.check_format(full_check=True)
            return cls(postings, rerank, terms, weights, candidates)


class _Scratch:
    """Arrays with an entry for each term, reused because making them takes longer than using them.

    Parameters
    ----------
    terms : int
        Number of terms.
    """

    def __init__(self, terms: int) -> None:
        self._counts = np.zeros(terms, np.uint16)
        self._column = np.zeros(terms, np.int32)

    def repeated(self, terms: Ints32) -> tuple[int, Ints32]:
        """Return a number, from 1 in ascending order, for each term that is there more than once.

        Returns
        -------
        count : int
            How many of them there are.
        number : ndarray of int32, shape (entries,)
            The number of each entry's term; 0 if there is no other entry with this term.
        """
        # Otherwise NumPy would convert them each time.
        positions = terms.astype(np.intp)
        self._counts.fill(0)
        np.add.at(self._counts, positions, np.uint16(1))
        shared = np.flatnonzero(self._counts > 1)
        self._column[shared] = np.arange(1, len(shared) + 1)
        number = self._column.take(positions)
        self._column[shared] = 0
        return len(shared), number


def _similarity_among(
    weights: tuple[Floats32, Ints32, Ints32], width: int, scratch: _Scratch
) -> NDArray[np.float16]:
    """Return the lower triangle of the similarity of products, which may be fewer, to each other.

    Parameters
    ----------
    weights : tuple
        Data, indices and indptr of a matrix with a row for each product, none of them empty.
    width : int
        Number of rows of the triangle.
    """
    data, indices, indptr = weights
    count = len(indptr) - 1
    # Terms of a single product, which most are, add to the diagonal only.
    shared, column = scratch.repeated(indices)
    dense = sp.csr_array((data, column, indptr), shape=(count, shared + 1)).toarray()[:, 1:]
    square = np.zeros((width, width), np.float32)
    square[:count, :count] = dense @ dense.T
    own = np.add.reduceat(np.square(data, dtype=np.float64), indptr[:-1])
    square[np.arange(count), np.arange(count)] = own
    return square.ravel()[_lower_triangle(width)].astype(np.float16)


def _only_terms(matrix: sp.csr_array, kept: Bools) -> sp.csr_array:
    """Return a matrix without the entries of other terms; its shape stays the same."""
    is_kept = kept[matrix.indices]
    sizes = [
        np.count_nonzero(is_kept[start:end]) for start, end in pairwise(matrix.indptr.tolist())
    ]
    indptr = np.append(0, np.cumsum(sizes)).astype(matrix.indptr.dtype)
    return sp.csr_array((matrix.data[is_kept], matrix.indices[is_kept], indptr), shape=matrix.shape)


def _mapped_csr(folder: Path, name: str) -> sp.csr_array:
    data, indices, indptr, shape = (
        np.asarray(np.load(folder / f"{name}_{part}.npy", mmap_mode="r")) for part in _CSR_PARTS
    )
    return sp.csr_array((data, indices, indptr), shape=tuple(shape.tolist()))


def _largest_keys(scores: Floats32, rows: Ints32, count: int) -> Ints64:
    """Return the keys of the largest scores, unsorted; of equal scores, the first rows."""
    spare = len(scores) - count
    if spare > 0:
        # A key takes twice the memory of a score: few are made.
        large = np.flatnonzero(scores >= np.partition(scores, spare)[spare])
        keys = _sort_keys(scores[large], rows[large])
        keys.partition(len(keys) - count)
        return keys[len(keys) - count :]
    keys = _sort_keys(scores, rows)
    if spare < 0:
        is_other = np.ones(count, bool)
        is_other[rows[rows < count]] = False
        others = np.flatnonzero(is_other)[:-spare]
        keys = np.append(keys, _sort_keys(np.zeros(len(others), np.float32), others))
    return keys


def _sort_keys(scores: Floats32, rows: Ints32 | Rows) -> Ints64:
    """Return integers that sort by score, and equal scores by descending row.

    The upper half of a key holds the bits of the score, which sort like the score itself, as scores
    are not negative. The lower half holds the row.
    """
    return (scores.view(np.int32).astype(np.int64) << 32) | (LARGEST_ROW - rows)


def _from_sort_keys(keys: Ints64) -> tuple[Ints32, Floats32]:
    """Return the rows and scores that `_sort_keys` encoded."""
    rows = (LARGEST_ROW - (keys & LARGEST_ROW)).astype(np.int32)
    return rows, (keys >> 32).astype(np.int32).view(np.float32)
