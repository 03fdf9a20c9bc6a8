"""The nearest train products by their terms."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from amlc.errors import DataError
from amlc.features.neighbour_block import NO_NEIGHBOUR, Neighbours
from amlc.features.text import neighbour_index
from amlc.features.text.neighbour_index import NeighbourIndex, NeighboursSettings


def changed_settings(**changes: Any) -> NeighboursSettings:
    """Return the usual settings with some changes."""
    usual = {
        "n_neighbors": 3,
        "n_compared": 2,
        "max_df": 1.0,
        "candidates": 50,
        "index_max_df": 0.3,
        "max_postings": 1000,
    }
    return NeighboursSettings.model_validate({**usual, **changes})


SETTINGS = changed_settings()


def random_terms(rows: int, seed: int = 0) -> sp.csr_array:
    """Return random terms whose values are all different."""
    rng = np.random.default_rng(seed)
    return sp.csr_array(sp.random_array((rows, 40), density=0.3, rng=rng, dtype=np.float32))


def nearest(
    terms: sp.csr_array,
    train: sp.csr_array,
    chosen: NeighboursSettings,
    position: Any = None,
) -> Neighbours:
    """Build an index of train products and search it once."""
    index = NeighbourIndex.build(train, chosen)
    return index.nearest(terms, chosen.n_neighbors, position, n_compared=chosen.n_compared)


def naive(similarity: np.ndarray, count: int, position: Any) -> list[list[int]]:
    """Return the nearest products of each row by sorting all similarities."""
    neighbours = []
    for row, scores in enumerate(similarity):
        order = sorted(range(len(scores)), key=lambda j: (-scores[j], j))
        neighbours.append([j for j in order if j != position[row] and scores[j] > 0][:count])
    return neighbours


def without_padding(rows: np.ndarray) -> list[list[int]]:
    """Return each row's neighbours without `NO_NEIGHBOUR`."""
    return [[j for j in row if j != NO_NEIGHBOUR] for row in rows.tolist()]


@settings(max_examples=25)
@given(st.integers(1, 30), st.integers(0, 5))
def test_neighbours_agree_with_a_full_sort(rows: int, seed: int) -> None:
    """With enough candidates, the neighbours and their order are those of a full sort."""
    terms = random_terms(rows, seed)
    neighbours = nearest(terms, terms, SETTINGS, np.arange(rows)).rows
    expected = naive((terms @ terms.T).toarray(), 3, np.arange(rows))
    assert without_padding(neighbours) == expected


@settings(max_examples=25)
@given(st.integers(0, 5), st.integers(3, 12), st.integers(1, 12))
def test_candidates_are_the_most_similar_by_index_terms(
    seed: int, candidates: int, max_postings: int
) -> None:
    """Index terms choose the candidates, and all terms rank them."""
    queries, train = random_terms(9, seed), random_terms(30, seed + 10)
    in_index = np.bincount(train.indices, minlength=40) <= min(0.3 * 30, max_postings)
    similarity = (queries @ train.T).toarray()
    index_similarity = (queries @ sp.diags_array(in_index * 1.0) @ train.T).toarray()
    # Plus 1, because a candidate need not share an index term.
    chosen = naive(index_similarity + 1, candidates, [-1] * 9)
    for row, columns in enumerate(chosen):
        similarity[row, np.setdiff1d(np.arange(30), columns)] = 0
    changed = changed_settings(candidates=candidates, max_postings=max_postings)
    neighbours = nearest(queries, train, changed).rows
    assert without_padding(neighbours) == naive(similarity, 3, [-1] * 9)


@pytest.mark.parametrize("name", ["CHUNK_ROWS", "CHUNK_POSTINGS"])
def test_neighbours_do_not_depend_on_chunks(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any size of the chunks gives the same bits."""
    whole = nearest(random_terms(30), random_terms(20, 1), SETTINGS)
    monkeypatch.setattr(neighbour_index, name, 7)
    chunked = nearest(random_terms(30), random_terms(20, 1), SETTINGS)
    for array in ("rows", "similarity", "among"):
        np.testing.assert_array_equal(getattr(whole, array), getattr(chunked, array))


def test_a_row_does_not_depend_on_the_others() -> None:
    """A single product has the same neighbours and similarities as among others."""
    whole = nearest(random_terms(30), random_terms(20, 1), SETTINGS)
    alone = nearest(random_terms(30)[7:8], random_terms(20, 1), SETTINGS)
    assert alone.similarity[0].tobytes() == whole.similarity[7].tobytes()
    assert alone.rows[0].tolist() == whole.rows[7].tolist()


def test_a_loaded_index_finds_the_same_neighbours(tmp_path: Path) -> None:
    """An index mapped from disk gives the result of the one that was saved."""
    index = NeighbourIndex.build(random_terms(20, 1), SETTINGS)
    index.save(tmp_path)
    neighbours = NeighbourIndex.load(tmp_path).nearest(random_terms(9), 3)
    np.testing.assert_array_equal(neighbours.rows, index.nearest(random_terms(9), 3).rows)


def test_a_missing_index_is_named(tmp_path: Path) -> None:
    """The message says that there is no index in the folder."""
    with pytest.raises(DataError, match="no saved index"):
        NeighbourIndex.load(tmp_path / "index")


def test_a_product_is_not_its_own_neighbour() -> None:
    """A train product is left out at its own position."""
    neighbours = nearest(random_terms(10), random_terms(10), SETTINGS, np.arange(10)).rows
    assert not (neighbours == np.arange(10)[:, None]).any()


def test_frequent_terms_do_not_count() -> None:
    """A term in every text does not make products similar."""
    terms = sp.csr_array(np.array([[1, 1, 0], [1, 1, 0], [1, 0, 1]], np.float32))
    changed = changed_settings(n_neighbors=2, max_df=0.7)
    assert nearest(terms, terms, changed, np.arange(3)).rows.tolist() == [
        [1, NO_NEIGHBOUR],
        [0, NO_NEIGHBOUR],
        [NO_NEIGHBOUR, NO_NEIGHBOUR],
    ]


def test_few_train_products_leave_places_empty() -> None:
    """The block has the same width, filled up with `NO_NEIGHBOUR`."""
    block = nearest(random_terms(4), random_terms(2, 1), SETTINGS)
    assert block.shape == (4, 3)
    assert (block.rows[:, 2] == NO_NEIGHBOUR).all()


def test_no_product_gives_an_empty_block() -> None:
    """A search without products is not an error."""
    assert nearest(random_terms(3)[:0], random_terms(3), SETTINGS).shape == (0, 3)


def test_no_train_product_is_an_error() -> None:
    """An index needs at least one train product."""
    with pytest.raises(DataError, match="at least one train row"):
        nearest(random_terms(3), random_terms(3)[:0], SETTINGS)


def test_equally_similar_products_are_in_ascending_order() -> None:
    """The result does not depend on how a sort treats equal numbers."""
    train = sp.csr_array(np.ones((40, 1), np.float32))
    block = nearest(train[:1], train, changed_settings(candidates=3, index_max_df=1.0))
    assert block.rows.tolist() == [[0, 1, 2]]


def test_a_text_without_terms_has_no_neighbours() -> None:
    """Its row holds nothing but `NO_NEIGHBOUR`, with similarity 0."""
    block = nearest(sp.csr_array(np.zeros((2, 40), np.float32)), random_terms(20), SETTINGS)
    assert (block.rows == NO_NEIGHBOUR).all()
    assert not block.similarity.any()


def test_fewer_candidates_than_neighbours_are_refused() -> None:
    """The neighbours are chosen from the candidates."""
    with pytest.raises(ValueError, match="at least as many as n_neighbors"):
        changed_settings(candidates=2)


@pytest.mark.parametrize("name", ["postings_indptr", "rerank_data", "rerank_terms", "candidates"])
def test_a_malformed_index_is_named(name: str, tmp_path: Path) -> None:
    """The message says that the index in the folder cannot be loaded."""
    NeighbourIndex.build(random_terms(20, 1), SETTINGS).save(tmp_path / "index")
    (tmp_path / "index" / f"{name}.npy").write_bytes(b"")
    with pytest.raises(DataError, match="no saved index"):
        NeighbourIndex.load(tmp_path / "index")


def test_neighbours_are_compared_to_each_other() -> None:
    """The lower triangle holds the products of the neighbours' rows, for the first few of them."""
    terms = random_terms(20)
    found = nearest(terms, terms, changed_settings(n_neighbors=4, n_compared=3))
    assert found.n_compared == 3
    dense = terms.toarray()[found.rows[:, :3]]
    row, column = np.tril_indices(3)
    expected = np.einsum("nkt,njt->nkj", dense, dense)[:, row, column]
    np.testing.assert_allclose(found.among, expected, rtol=2e-3)


def test_a_neighbour_that_does_not_exist_is_similar_to_none() -> None:
    """With fewer train products than neighbours to compare, the rest of the triangle is 0."""
    terms = random_terms(2)
    among = nearest(terms, terms, changed_settings(n_compared=3)).among
    assert (np.asarray(among)[:, 3:] == 0).all()


def test_terms_of_a_single_neighbour_add_to_its_similarity_to_itself_only() -> None:
    """Two neighbours that share the query's term have it in common, and nothing else."""
    terms = sp.csr_array(np.array([[1, 0, 0], [1, 2, 0], [1, 0, 3]], np.float32))
    chosen = changed_settings(n_neighbors=2, index_max_df=1.0)
    assert nearest(terms[:1], terms[1:], chosen).among.tolist() == [[5, 1, 10]]


def test_more_cannot_be_compared_than_are_found() -> None:
    """The message names both settings."""
    with pytest.raises(ValueError, match="n_compared: expected at most as many as n_neighbors"):
        changed_settings(n_neighbors=3, n_compared=4)
