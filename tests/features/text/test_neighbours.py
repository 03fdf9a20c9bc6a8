"""The neighbours of all products of the table."""

import numpy as np
import pytest
import scipy.sparse as sp

from amlc.features.neighbour_block import NO_NEIGHBOUR
from amlc.features.text import neighbours
from amlc.features.text.neighbour_index import NeighboursSettings
from amlc.features.text.neighbours import nearest_train_products

SETTINGS = NeighboursSettings(
    n_neighbors=3, n_compared=2, max_df=1.0, candidates=50, index_max_df=0.3, max_postings=1000
)


def random_terms(rows: int) -> sp.csr_array:
    """Return random terms whose values are all different."""
    rng = np.random.default_rng(0)
    return sp.csr_array(sp.random_array((rows, 40), density=0.3, rng=rng, dtype=np.float32))


def test_neighbours_are_positions_in_the_product_table() -> None:
    """Train products need not come first, and are not their own neighbours."""
    terms, train = random_terms(12), [2, 3, 5, 7, 11]
    block = nearest_train_products(terms, np.array(train), SETTINGS, threads=1).loaded()
    similarity = (terms @ terms.T).toarray()
    for row, found in enumerate(block.rows.tolist()):
        near = [other for other in train if other != row and similarity[row, other] > 0]
        near.sort(key=lambda other: (-similarity[row, other], other))
        assert found == [*near, *[NO_NEIGHBOUR] * 3][:3]
    assert block.position.tolist() == list(range(12))


def test_neighbours_depend_neither_on_pieces_nor_on_threads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Pieces that are searched for in parallel stay in order."""
    terms, train = random_terms(30), np.arange(20)
    whole = nearest_train_products(terms, train, SETTINGS, threads=1).loaded()
    monkeypatch.setattr(neighbours, "PIECE_ROWS", 7)
    parts = nearest_train_products(terms, train, SETTINGS, threads=3).loaded()
    for name in ("rows", "similarity", "position", "among"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(parts, name))
