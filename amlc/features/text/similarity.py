"""Find the train products with the most similar text.

The terms that few products have choose candidates; all terms rank them. A term costs a look-up in
each text that has it, so that the common ones, which tell little, would cost most.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from pydantic import Field, model_validator
from tqdm import tqdm

from amlc.arrays import Floats32, Ints32, Rows
from amlc.errors import DataError
from amlc.features.blocks import NO_NEIGHBOUR, Neighbours
from amlc.files import write_array
from amlc.params import Settings

# Products whose neighbours are found at once, and look-ups for them, unless one alone takes more.
ROWS_AT_ONCE, LOOKUPS_AT_ONCE = 16, 2_000_000
_PARTS = ("data", "indices", "indptr", "shape")
LARGEST_ROW = 2**31 - 1


class NeighboursSettings(Settings):
    """Section `neighbours` of params.yaml."""

    # Neighbours kept for each product; models use the first few that their fold allows.
    count: int = Field(ge=1, le=1_000)
    # Terms in more than this share of the train texts are left out of the similarity.
    max_share: float = Field(gt=0, le=1)
    # Train products that are compared in full: those most similar by rare terms,
    candidates: int = Field(ge=1, le=10_000)
    # which at most this share of the train texts have,
    rare_share: float = Field(gt=0, le=1)
    # and at most so many of them: the look-ups for a product grow no further with the train rows.
    rare_rows: int = Field(ge=1)

    @model_validator(mode="after")
    def _enough_candidates(self) -> Self:
        if self.candidates < self.count:
            raise ValueError("candidates: expected at least as many as count")
        return self


class TermIndex:
    """The train products by term, in which the nearest of any product are looked up.

    Parameters
    ----------
    rare : csr_array of float32, shape (terms, m)
        TF-IDF of the train products by rare term.
    common : csr_array of float32, shape (m, common terms)
        The same by product, of the terms that are neither rare nor too frequent.
    common_terms : ndarray of int32
        Which terms these are.
    candidates : int
        See `NeighboursSettings`.
    """

    def __init__(
        self, rare: sp.csr_array, common: sp.csr_array, common_terms: Ints32, candidates: int
    ) -> None:
        self.rare = rare
        self.common = common
        self.common_terms = common_terms
        self.candidates = candidates
        self._place = np.full(rare.shape[0], NO_NEIGHBOUR, np.int32)
        self._place[common_terms] = np.arange(len(common_terms), dtype=np.int32)

    @classmethod
    def build(cls, train: sp.csr_array, settings: NeighboursSettings) -> Self:
        """Make the index.

        Parameters
        ----------
        train : csr_array of float32, shape (m, terms)
            The products that can be a neighbour.
        settings : NeighboursSettings
            See there.

        Raises
        ------
        DataError
            There is no train product.
        """
        if not train.shape[0]:
            raise DataError("neighbours need at least one train row")
        frequency = np.bincount(train.indices, minlength=train.shape[1])
        # What one product alone has is rare in any case.
        most, few = (
            max(share * train.shape[0], 1) for share in (settings.max_share, settings.rare_share)
        )
        rare = frequency <= min(few, most, settings.rare_rows)
        common = np.flatnonzero((frequency <= most) & ~rare)
        by_term = sp.csr_array((train @ sp.diags_array(rare.astype(np.float32))).T)
        by_term.eliminate_zeros()
        return cls(by_term, train[:, common], common.astype(np.int32), settings.candidates)

    def nearest(
        self, terms: sp.csr_array, count: int, own: Rows | None = None, *, threads: int = 1
    ) -> Neighbours:
        """Find the nearest train products by their terms.

        Parameters
        ----------
        terms : csr_array of float32, shape (n, terms)
            The products that look for neighbours.
        count : int
            How many to find for each, at most as many as there are candidates.
        own : ndarray of int, shape (n,), optional
            Each product's own position among the train products, which is no neighbour of its
            own; -1 for none.
        threads : int
            Threads; the result does not depend on them.

        Returns
        -------
        Neighbours
            With positions among the train products, the most similar first, equally similar ones
            in their order.
        """
        mine = np.full(terms.shape[0], NO_NEIGHBOUR) if own is None else own
        rows = np.full((terms.shape[0], count), NO_NEIGHBOUR, np.int32)
        similarity = np.zeros((terms.shape[0], count), np.float32)

        def fill(chunk: slice) -> int:
            found = self._nearest(terms[chunk], mine[chunk], count)
            width = found[0].shape[1]
            rows[chunk, :width], similarity[chunk, :width] = found
            return len(found[0])

        hidden = True if terms.shape[0] < 4096 else None
        with (
            ThreadPoolExecutor(threads) as pool,
            tqdm(total=terms.shape[0], desc="neighbours", unit="row", disable=hidden) as bar,
        ):
            chunks = self._chunks(terms)
            for done in pool.map(fill, chunks) if threads > 1 else map(fill, chunks):
                bar.update(done)
        return Neighbours(rows, similarity, np.asarray(mine, dtype=np.int32))

    def _chunks(self, terms: sp.csr_array) -> Iterator[slice]:
        """Yield the rows that are worked on at once."""
        lookups = np.append(0, np.cumsum(np.diff(self.rare.indptr)[terms.indices], dtype=np.int64))
        sums = lookups[terms.indptr].tolist()
        start, count = 0, terms.shape[0]
        for end in range(1, count + 1):
            full = end - start == ROWS_AT_ONCE
            if full or end == count or sums[end + 1] - sums[start] > LOOKUPS_AT_ONCE:
                yield slice(start, end)
                start = end

    def _nearest(self, queries: sp.csr_array, own: Rows, count: int) -> tuple[Ints32, Floats32]:
        by_rare = self._by_rare_terms(queries)
        candidates = _largest(by_rare, self.candidates)
        values = np.take_along_axis(by_rare, candidates, axis=1)
        values += self._by_common_terms(queries, candidates)
        values[candidates == own[:, None]] = 0
        keys = _keys(values, candidates)
        keys.sort(axis=1)
        rows, values = _unpacked(keys[:, : -count - 1 : -1])
        rows[values <= 0] = NO_NEIGHBOUR
        return rows, values

    def _by_rare_terms(self, queries: sp.csr_array) -> Floats32:
        """Return the similarity of each query to each train product by the rare terms alone."""
        count, products = queries.shape[0], self.rare.shape[1]
        found = self.rare[queries.indices]
        # One long column for all queries, so that one product sums up all of them.
        starts = np.repeat(np.arange(count, dtype=np.int32) * products, _sizes(found, queries))
        columns = sp.csc_array(
            (found.data, found.indices + starts, found.indptr),
            shape=(count * products, queries.nnz),
        )
        return np.asarray(columns @ queries.data).reshape(count, products)

    def _by_common_terms(self, queries: sp.csr_array, candidates: Rows) -> Floats32:
        """Return what the common terms add to the similarity of each query to its candidates."""
        count, terms = queries.shape[0], len(self.common_terms)
        weights = np.zeros((count, terms), np.float32)
        places = self._place[queries.indices]
        known = places != NO_NEIGHBOUR
        row = np.repeat(np.arange(count), np.diff(queries.indptr))
        weights[row[known], places[known]] = queries.data[known]
        found = self.common[candidates.ravel()]
        ends = found.indptr[:: candidates.shape[1]]
        starts = np.repeat(np.arange(count, dtype=np.int32) * terms, np.diff(ends))
        block = sp.csr_array(
            (found.data, found.indices + starts, found.indptr),
            shape=(candidates.size, count * terms),
        )
        return np.asarray(block @ weights.ravel()).reshape(candidates.shape)

    def save(self, folder: Path) -> None:
        """Write the index as plain arrays."""
        for name, matrix in (("rare", self.rare), ("common", self.common)):
            for part in _PARTS:
                write_array(folder / f"{name}_{part}.npy", np.asarray(getattr(matrix, part)))
        write_array(folder / "common_terms.npy", self.common_terms)
        write_array(folder / "candidates.npy", np.array(self.candidates))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Map what `save` wrote into memory: it costs memory where it is read.

        Raises
        ------
        DataError
            A file is missing or broken.
        """
        try:
            rare, common = (_mapped(folder, name) for name in ("rare", "common"))
            terms = np.load(folder / "common_terms.npy", allow_pickle=False)
            candidates = int(np.load(folder / "candidates.npy", allow_pickle=False))
            return cls(rare, common, terms, candidates)
        except (OSError, ValueError, EOFError, IndexError) as error:
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
    index = TermIndex.build(train, settings)
    return index.nearest(terms, settings.count, own, threads=threads)


def train_neighbours(
    terms: sp.csr_array, train: Rows, settings: NeighboursSettings, *, threads: int
) -> Neighbours:
    """Find the nearest train products of every product; a train product is not its own neighbour.

    Parameters
    ----------
    terms : csr_array of float32, shape (n, terms)
        One row per product.
    train : ndarray of int, shape (m,)
        Positions of the train rows.
    settings : NeighboursSettings
        Section `neighbours` of params.yaml.
    threads : int
        Products searched for at once.

    Returns
    -------
    Neighbours
        Positions are rows of the product table.
    """
    own = np.full(terms.shape[0], NO_NEIGHBOUR)
    own[train] = np.arange(len(train))
    found = nearest(terms, terms[train], settings, own, threads=threads)
    rows = np.where(found.rows == NO_NEIGHBOUR, NO_NEIGHBOUR, train[found.rows]).astype(np.int32)
    return Neighbours(rows, found.similarity, np.arange(len(rows), dtype=np.int32))


def _mapped(folder: Path, name: str) -> sp.csr_array:
    arrays = [np.asarray(np.load(folder / f"{name}_{part}.npy", mmap_mode="r")) for part in _PARTS]
    return sp.csr_array(tuple(arrays[:3]), shape=tuple(arrays[3].tolist()))


def _sizes(found: sp.csr_array, queries: sp.csr_array) -> NDArray[np.int32]:
    """Return how much was found for each query's terms together."""
    sizes: NDArray[np.int32] = np.diff(found.indptr[queries.indptr])
    return sizes


def _largest(values: Floats32, count: int) -> Rows:
    """Return the columns of the largest values of each row, of equal ones the first, unsorted."""
    width = values.shape[1]
    if width <= count:
        return np.broadcast_to(np.arange(width), values.shape)
    keys = _keys(values, np.arange(width))
    keys.partition(width - count, axis=1)
    return _unpacked(keys[:, width - count :])[0].astype(np.intp)


def _keys(values: Floats32, rows: Rows) -> NDArray[np.int64]:
    """Return numbers in the order of some values; of equal ones, the first row's is the largest.

    Values that are not negative are in the order of their bits; the row stands below these.
    """
    return (values.view(np.int32).astype(np.int64) << 32) | (LARGEST_ROW - rows)


def _unpacked(keys: NDArray[np.int64]) -> tuple[Ints32, Floats32]:
    """Return rows and values of `_keys`."""
    rows = (LARGEST_ROW - (keys & LARGEST_ROW)).astype(np.int32)
    return rows, (keys >> 32).astype(np.int32).view(np.float32)
