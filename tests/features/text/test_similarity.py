"""The nearest train products by their terms."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from amlc.errors import DataError
from amlc.features.blocks import NO_NEIGHBOUR
from amlc.features.text import similarity as module
from amlc.features.text.similarity import NeighboursSettings, TermIndex, nearest


def setting(**changes: Any) -> NeighboursSettings:
    """Return settings, some of them changed."""
    base = {"count": 3, "max_share": 1.0, "candidates": 50, "rare_share": 0.3, "rare_rows": 1000}
    return NeighboursSettings.model_validate({**base, **changes})


SETTINGS = setting()


def terms(rows: int, seed: int = 0) -> sp.csr_array:
    """Return random terms of which every value is different."""
    rng = np.random.default_rng(seed)
    return sp.csr_array(
        sp.random_array((rows, 40), density=0.3, rng=rng, dtype=np.float32, format="csr")
    )


def naive(product: np.ndarray, count: int, own: Any) -> list[list[int]]:
    """Sort every row's similarities in a plain loop."""
    found = []
    for row, similarities in enumerate(product):
        order = sorted(range(len(similarities)), key=lambda j: (-similarities[j], j))
        found.append([j for j in order if j != own[row] and similarities[j] > 0][:count])
    return found


@settings(max_examples=25)
@given(st.integers(1, 30), st.integers(0, 5))
def test_they_are_those_of_a_plain_loop(rows: int, seed: int) -> None:
    """With candidates enough, it is what a full sort finds, in the same order."""
    matrix = terms(rows, seed)
    found = nearest(matrix, matrix, SETTINGS, np.arange(rows)).rows
    expected = naive((matrix @ matrix.T).toarray(), 3, np.arange(rows))
    assert [[j for j in row if j != NO_NEIGHBOUR] for row in found.tolist()] == expected


@settings(max_examples=25)
@given(st.integers(0, 5), st.integers(3, 12), st.integers(1, 12))
def test_candidates_are_the_most_similar_by_rare_terms(
    seed: int, candidates: int, rare_rows: int
) -> None:
    """They are ranked by all terms, whichever of them chose them."""
    queries, train = terms(9, seed), terms(30, seed + 10)
    rare = np.bincount(train.indices, minlength=40) <= min(0.3 * 30, rare_rows)
    both = (queries @ train.T).toarray()
    by_rare = (queries @ sp.diags_array(rare * 1.0) @ train.T).toarray()
    # One more, as a candidate need not share a rare term.
    chosen = naive(by_rare + 1, candidates, [-1] * 9)
    for row, places in enumerate(chosen):
        both[row, np.setdiff1d(np.arange(30), places)] = 0
    found = nearest(queries, train, setting(candidates=candidates, rare_rows=rare_rows)).rows
    assert [[j for j in row if j != NO_NEIGHBOUR] for row in found.tolist()] == naive(
        both, 3, [-1] * 9
    )


@pytest.mark.parametrize("name", ["ROWS_AT_ONCE", "LOOKUPS_AT_ONCE"])
def test_chunks_do_not_matter(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """How much is computed at once is nobody's business."""
    whole = nearest(terms(30), terms(20, 1), SETTINGS)
    monkeypatch.setattr(module, name, 7)
    parts = nearest(terms(30), terms(20, 1), SETTINGS)
    np.testing.assert_array_equal(whole.rows, parts.rows)
    np.testing.assert_array_equal(whole.similarity, parts.similarity)


def test_threads_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks that are worked on at once stay in order."""
    monkeypatch.setattr(module, "ROWS_AT_ONCE", 6)
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
    index = TermIndex.build(terms(20, 1), SETTINGS)
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
    found = nearest(matrix, matrix, setting(count=2, max_share=0.7), np.arange(3))
    assert found.rows.tolist() == [
        [1, NO_NEIGHBOUR],
        [0, NO_NEIGHBOUR],
        [NO_NEIGHBOUR, NO_NEIGHBOUR],
    ]


def test_few_train_rows_leave_places_empty() -> None:
    """The block keeps its width."""
    found = nearest(terms(4), terms(2, 1), SETTINGS)
    assert found.shape == (4, 3)
    assert (found.rows[:, 2] == NO_NEIGHBOUR).all()


def test_no_product_gives_an_empty_block() -> None:
    """Nothing to look for is no error."""
    assert nearest(terms(3)[:0], terms(3), SETTINGS).shape == (0, 3)


def test_no_train_product_is_an_error() -> None:
    """There is nowhere to look."""
    with pytest.raises(DataError, match="at least one train row"):
        nearest(terms(3), terms(3)[:0], SETTINGS)


def test_equally_similar_candidates_are_taken_in_their_order() -> None:
    """Whatever the processor's sort does with equal numbers."""
    train = sp.csr_array(np.ones((40, 1), np.float32))
    found = nearest(train[:1], train, setting(candidates=3, rare_share=1.0))
    assert found.rows.tolist() == [[0, 1, 2]]


def test_a_text_without_a_term_has_no_neighbours() -> None:
    """It resembles nobody."""
    found = nearest(sp.csr_array((2, 40), dtype=np.float32), terms(20), SETTINGS)
    assert (found.rows == NO_NEIGHBOUR).all()
    assert not found.similarity.any()


def test_fewer_candidates_than_neighbours_are_refused() -> None:
    """Nobody would fill the other places."""
    with pytest.raises(ValueError, match="at least as many as count"):
        setting(candidates=2)


@pytest.mark.parametrize("name", ["rare_indptr", "common_data", "common_terms", "candidates"])
def test_a_broken_index_is_named(name: str, tmp_path: Path) -> None:
    """The message says where it is."""
    TermIndex.build(terms(20, 1), SETTINGS).save(tmp_path / "index")
    (tmp_path / "index" / f"{name}.npy").write_bytes(b"")
    with pytest.raises(DataError, match="no saved index"):
        TermIndex.load(tmp_path / "index")
