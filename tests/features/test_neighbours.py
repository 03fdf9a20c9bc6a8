"""The neighbours block."""

from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from amlc.errors import DataError
from amlc.features import neighbours as module
from amlc.features.neighbours import (
    NOBODY,
    Neighbours,
    NeighboursSettings,
    TermIndex,
    nearest,
    read_neighbours,
    write_neighbours,
)

SETTINGS = NeighboursSettings(count=3, max_share=1.0)


def terms(rows: int, seed: int = 0) -> sp.csr_array:
    """Return random terms of which every value is different."""
    rng = np.random.default_rng(seed)
    return sp.csr_array(
        sp.random_array((rows, 40), density=0.3, rng=rng, dtype=np.float32, format="csr")
    )


def naive(product: np.ndarray, count: int, own: np.ndarray) -> list[list[int]]:
    """Sort every row's similarities in a plain loop."""
    found = []
    for row, similarities in enumerate(product):
        order = sorted(range(len(similarities)), key=lambda j: (-similarities[j], j))
        found.append([j for j in order if j != own[row] and similarities[j] > 0][:count])
    return found


@settings(max_examples=25)
@given(st.integers(1, 30), st.integers(0, 5))
def test_they_are_those_of_a_plain_loop(rows: int, seed: int) -> None:
    """The partial sort finds what a full sort finds, in the same order."""
    matrix = terms(rows, seed)
    found = nearest(matrix, matrix, SETTINGS, np.arange(rows)).rows
    expected = naive((matrix @ matrix.T).toarray(), 3, np.arange(rows))
    assert [[j for j in row if j != NOBODY] for row in found.tolist()] == expected


def test_chunks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    """How much is computed at once is nobody's business."""
    whole = nearest(terms(30), terms(20, 1), SETTINGS)
    monkeypatch.setattr(module, "CHUNK", 7)
    parts = nearest(terms(30), terms(20, 1), SETTINGS)
    np.testing.assert_array_equal(whole.rows, parts.rows)
    np.testing.assert_array_equal(whole.similarity, parts.similarity)


def test_threads_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks that are worked on at once stay in order."""
    monkeypatch.setattr(module, "CHUNK", 6)
    one = nearest(terms(30), terms(20, 1), SETTINGS)
    two = nearest(terms(30), terms(20, 1), SETTINGS, threads=3)
    np.testing.assert_array_equal(one.rows, two.rows)
    np.testing.assert_array_equal(one.similarity, two.similarity)


def test_a_row_does_not_depend_on_the_others() -> None:
    """One product finds, bit for bit, what it finds among many."""
    whole = nearest(terms(30), terms(20, 1), SETTINGS)
    alone = nearest(terms(30)[7:8], terms(20, 1), SETTINGS)
    assert alone.similarity[0].tobytes() == whole.similarity[7].tobytes()
    assert alone.rows[0].tolist() == whole.rows[7].tolist()


def test_a_saved_index_finds_the_same(tmp_path: Path) -> None:
    """What is mapped into memory is what was built."""
    index = TermIndex.build(terms(20, 1), 0.5)
    index.save(tmp_path)
    found = TermIndex.load(tmp_path).nearest(terms(9), 3)
    np.testing.assert_array_equal(found.rows, index.nearest(terms(9), 3).rows)


def test_a_missing_index_is_named(tmp_path: Path) -> None:
    """The message says where it was looked for."""
    with pytest.raises(DataError, match="no saved index"):
        TermIndex.load(tmp_path / "index")


def test_nobody_is_its_own_neighbour() -> None:
    """A product would always be the most similar to itself."""
    found = nearest(terms(10), terms(10), SETTINGS, np.arange(10)).rows
    assert not (found == np.arange(10)[:, None]).any()


def test_frequent_terms_do_not_count() -> None:
    """What stands in every text makes no neighbours."""
    matrix = sp.csr_array(np.array([[1, 1, 0], [1, 1, 0], [1, 0, 1]], np.float32))
    found = nearest(matrix, matrix, NeighboursSettings(count=2, max_share=0.7), np.arange(3))
    assert found.rows.tolist() == [[1, NOBODY], [0, NOBODY], [NOBODY, NOBODY]]


def test_few_train_rows_leave_places_empty() -> None:
    """The block keeps its width."""
    found = nearest(terms(4), terms(2, 1), SETTINGS)
    assert found.shape == (4, 3)
    assert (found.rows[:, 2] == NOBODY).all()


def test_no_product_gives_an_empty_block() -> None:
    """Nothing to look for is no error."""
    assert nearest(terms(3)[:0], terms(3), SETTINGS).shape == (0, 3)


def test_no_train_product_is_an_error() -> None:
    """There is nowhere to look."""
    with pytest.raises(DataError, match="at least one train row"):
        nearest(terms(3), terms(3)[:0], SETTINGS)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    """Positions and similarities survive the file."""
    found = nearest(terms(5), terms(5), SETTINGS, np.arange(5))
    write_neighbours(tmp_path / "n.npz", found)
    again = read_neighbours(tmp_path / "n.npz")
    np.testing.assert_array_equal(found.rows, again.rows)
    np.testing.assert_array_equal(found.similarity, again.similarity)


def test_a_missing_block_names_its_stage(tmp_path: Path) -> None:
    """The message says what to run."""
    with pytest.raises(DataError, match="run the stage neighbours"):
        read_neighbours(tmp_path / "n.npz")


def test_taking_rows_takes_every_part() -> None:
    """Positions and similarities stay together."""
    positions = np.array([1, 2], np.int32)
    found = Neighbours(positions[:, None], np.array([[0.5], [0.25]], np.float32), positions)
    taken = found.take(np.array([1]))
    assert (taken.rows.tolist(), taken.similarity.tolist()) == ([[2]], [[0.25]])
    assert taken.own.tolist() == [2]
