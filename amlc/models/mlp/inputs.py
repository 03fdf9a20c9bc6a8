"""What each network sees of the rows, made for one batch after the other to save memory."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from amlc.arrays import Floats32, Rows
from amlc.models.bins import Bins
from amlc.models.design import Design
from amlc.models.mlp.network import Batch

# Rows that are predicted together.
CHUNK = 16_384


@dataclass(frozen=True)
class NetworkInputs:
    """What one network sees of the rows of a design.

    Parameters
    ----------
    design : Design
        Its terms and its standardised columns.
    binary : bool
        Whether the network sees only which terms occur.
    bins : Bins, optional
        Those of the columns, which the network sees beside the columns.
    """

    design: Design
    binary: bool
    bins: Bins | None

    def __len__(self) -> int:
        return len(self.design.dense)

    @property
    def widths(self) -> tuple[int, int]:
        """The numbers of terms and of dense columns."""
        columns = self.design.dense.shape[1]
        return self.design.terms.shape[1], columns + (self.bins.count if self.bins else 0)

    def dense(self, rows: Rows) -> Floats32:
        """Return the dense columns of some rows."""
        dense = self.design.dense[rows]
        if self.bins is None:
            return dense
        return np.concatenate([dense, self.bins.encode(dense)], axis=1)

    def terms(self, rows: Rows) -> sp.csr_array:
        """Return the terms of some rows."""
        terms = self.design.terms.take(rows).weights
        return binary_terms(terms) if self.binary else terms

    def take(self, rows: Rows) -> Batch:
        """Return some rows, in the given order."""
        return Batch(self.dense(rows), self.terms(rows))

    def chunks(self) -> Iterator[Rows]:
        """Yield the positions of all rows, a chunk at a time."""
        for start in range(0, len(self), CHUNK):
            yield np.arange(start, min(start + CHUNK, len(self)))


def binary_terms(terms: sp.csr_array) -> sp.csr_array:
    """Return terms with equal values within each row, and the norms of the rows unchanged."""
    counts = np.diff(terms.indptr)
    squares = np.add.reduceat(
        np.append(terms.data, 0) ** 2, np.minimum(terms.indptr[:-1], terms.nnz)
    )
    level = np.sqrt(squares / np.maximum(counts, 1)).astype(np.float32)
    return sp.csr_array((np.repeat(level, counts), terms.indices, terms.indptr), shape=terms.shape)
