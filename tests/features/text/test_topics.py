"""The topics block."""

import numpy as np
import pytest
import scipy.sparse as sp

from amlc.errors import DataError
from amlc.features.text.topics import TopicFeatures, TopicsSettings


def terms(rows: int = 30, columns: int = 50) -> sp.csr_array:
    """Return random terms."""
    rng = np.random.default_rng(0)
    return sp.csr_array(sp.random_array((rows, columns), density=0.2, rng=rng, dtype=np.float32))


def test_topics_have_length_one_and_one_column_per_component() -> None:
    """The block has a column for each component, and its rows have length 1."""
    block = (
        TopicFeatures(TopicsSettings(n_components=5, n_iter=4), 0).fit(terms()).transform(terms())
    )
    assert block.shape == (30, 5)
    np.testing.assert_allclose(np.linalg.norm(block, axis=1), 1, rtol=1e-5)


def test_components_span_the_leading_singular_vectors() -> None:
    """A full SVD spans the same space if the spectrum has a gap."""
    rng = np.random.default_rng(1)
    dense = rng.normal(size=(40, 3)) @ rng.normal(size=(3, 20)) + 1e-3 * rng.normal(size=(40, 20))
    features = TopicFeatures(TopicsSettings(n_components=3, n_iter=7), 0)
    identity = sp.eye_array(20, format="csr", dtype=np.float32)
    components = features.fit(sp.csr_array(dense.astype(np.float32))).components
    vectors = components.product(identity)
    exact = np.linalg.svd(dense)[2][:3]
    np.testing.assert_allclose(np.abs(np.linalg.svd(exact @ vectors)[1]), 1, atol=0.01)


def test_a_row_without_terms_stays_zero() -> None:
    """A row of zeros cannot be scaled to length 1."""
    features = TopicFeatures(TopicsSettings(n_components=3, n_iter=4), 0).fit(terms())
    assert not features.transform(sp.csr_array(np.zeros((1, 50), np.float32))).any()


def test_few_rows_give_fewer_components() -> None:
    """Three rows give two components instead of five."""
    features = TopicFeatures(TopicsSettings(n_components=5, n_iter=4), 0).fit(terms(rows=3))
    assert features.components.rows.shape == (50, 2)


def test_the_same_seed_gives_the_same_bytes() -> None:
    """The block is a function of terms, settings and seed."""
    settings = TopicsSettings(n_components=5, n_iter=4)
    first, second = (TopicFeatures(settings, 7).fit(terms()).transform(terms()) for _ in range(2))
    assert first.tobytes() == second.tobytes()


def test_one_row_is_an_error() -> None:
    """The message says how many rows are needed."""
    with pytest.raises(DataError, match="two rows"):
        TopicFeatures(TopicsSettings(n_components=5, n_iter=4), 0).fit(terms(rows=1))
