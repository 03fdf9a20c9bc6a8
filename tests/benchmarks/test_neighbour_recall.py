"""The benchmark of how many of the nearest products the search finds."""

import neighbour_recall
import numpy as np
import pytest
import scipy.sparse as sp
from neighbour_recall import recall, similarity_to_all, smape_of_mean

from amlc.features.neighbour_block import NO_NEIGHBOUR


def test_a_full_search_finds_the_largest_similarities(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are those of a matrix product, without the product itself, in any size of chunks."""
    rng = np.random.default_rng(0)
    train = sp.csr_array(sp.random_array((40, 9), density=0.4, rng=rng, dtype=np.float32))
    own = np.array([1, 7, 30])
    monkeypatch.setattr(neighbour_recall, "CHUNK_ROWS", 2)
    found = np.stack(list(similarity_to_all(train, train[own], own)))
    expected = (train[own] @ train.T).toarray()
    expected[np.arange(3), own] = 0
    np.testing.assert_allclose(found, -np.sort(-expected, axis=1), rtol=1e-5)


def test_recall_is_the_share_of_the_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    """A product that is as similar as the last of the nearest counts, one that is less does not."""
    monkeypatch.setattr(neighbour_recall, "NEAREST", (2, 4))
    exact = np.array([[4, 3, 3, 1]], np.float32)
    assert recall(exact, exact) == (1.0, 1.0)
    assert recall(np.array([[4, 3, 1, 0]], np.float32), exact) == (1.0, 0.75)
    assert recall(np.array([[3, 1, 0, 0]], np.float32), exact) == (0.5, 0.5)


def test_a_mean_price_is_that_of_the_nearest_in_other_folds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A neighbour of the same fold, a missing one and one too many do not count."""
    monkeypatch.setattr(neighbour_recall, "PRICED_BY", 2)
    log_price, fold = np.log([1.0, 2.0, 8.0, 16.0, 99.0]), np.array([0, 0, 1, 1, 1])
    rows = np.array([[1, 2, 3, 4], [0, NO_NEIGHBOUR, NO_NEIGHBOUR, NO_NEIGHBOUR]], np.int32)
    similarity = np.array([[4, 2, 1, 1], [1, 0, 0, 0]], np.float32)
    found = smape_of_mean(rows, similarity, fold, log_price, np.array([0, 1]))
    mean = np.exp((4 * np.log(8) + np.log(16)) / 5)
    # The second product has no neighbour that counts: it gets the median price.
    np.testing.assert_allclose(found, [200 * (mean - 1) / (mean + 1), 200 * 6 / 10])
