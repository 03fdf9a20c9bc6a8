"""The topics block."""

import numpy as np
import pytest
import scipy.sparse as sp

from amlc.features.blocks import Terms
from amlc.features.text import topics as module
from amlc.features.text.topics import TopicsSettings, fit_topics, project


def terms(rows: int = 30, columns: int = 50) -> Terms:
    """Return random terms."""
    rng = np.random.default_rng(0)
    random = sp.random_array((rows, columns), density=0.2, rng=rng, dtype=np.float32)
    return Terms(sp.csr_array(random))


def test_topics_have_length_one_and_one_column_per_component() -> None:
    """The block has a column for each component, and its rows have length 1."""
    components = fit_topics(terms(), TopicsSettings(n_components=5, n_iter=4, max_rows=1000), 0)
    block = project(terms(), components)
    assert block.shape == (30, 5)
    assert block.names == ("0", "1", "2", "3", "4")
    np.testing.assert_allclose(np.linalg.norm(block.array, axis=1), 1, rtol=1e-5)


def test_components_span_the_leading_singular_vectors() -> None:
    """A full SVD spans the same space if the spectrum has a gap."""
    rng = np.random.default_rng(1)
    dense = rng.normal(size=(40, 3)) @ rng.normal(size=(3, 20)) + 1e-3 * rng.normal(size=(40, 20))
    settings = TopicsSettings(n_components=3, n_iter=7, max_rows=1000)
    identity = sp.eye_array(20, format="csr", dtype=np.float32)
    components = fit_topics(Terms(sp.csr_array(dense.astype(np.float32))), settings, 0)
    vectors = components.product(identity)
    exact = np.linalg.svd(dense)[2][:3]
    np.testing.assert_allclose(np.abs(np.linalg.svd(exact @ vectors)[1]), 1, atol=0.01)


def test_a_row_without_terms_stays_zero() -> None:
    """A row of zeros cannot be scaled to length 1."""
    components = fit_topics(terms(), TopicsSettings(n_components=3, n_iter=4, max_rows=1000), 0)
    assert not project(Terms(sp.csr_array(np.zeros((1, 50), np.float32))), components).array.any()


def test_few_rows_give_fewer_components() -> None:
    """Three rows give two components instead of five."""
    components = fit_topics(
        terms(rows=3), TopicsSettings(n_components=5, n_iter=4, max_rows=1000), 0
    )
    assert components.rows.shape == (50, 2)


def test_the_same_seed_gives_the_same_bytes() -> None:
    """The block is a function of terms, settings and seed."""
    settings = TopicsSettings(n_components=5, n_iter=4, max_rows=1000)
    first, second = (project(terms(), fit_topics(terms(), settings, 7)) for _ in range(2))
    assert first.array.tobytes() == second.array.tobytes()


@pytest.mark.parametrize("shape", [(1, 50), (20, 1), (20, 0)])
def test_too_few_rows_or_terms_give_a_topic_that_is_0(shape: tuple[int, int]) -> None:
    """There is nothing to reduce."""
    weights = Terms(sp.csr_array(np.ones(shape, np.float32)))
    components = fit_topics(weights, TopicsSettings(n_components=5, n_iter=4, max_rows=1000), 0)
    block = project(weights, components)
    assert block.shape == (shape[0], 1)
    assert not block.array.any()


def test_many_rows_are_sampled() -> None:
    """With fewer rows allowed than there are, the components are those of a sample of them."""
    settings = TopicsSettings(n_components=3, n_iter=4, max_rows=10)
    sample = np.sort(np.random.default_rng(0).permutation(terms().shape[0])[:10])
    np.testing.assert_array_equal(
        fit_topics(terms(), settings, 0).rows, fit_topics(terms().take(sample), settings, 0).rows
    )


def test_rows_are_projected_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row does not depend on the others."""
    components = fit_topics(terms(), TopicsSettings(n_components=3, n_iter=4, max_rows=1000), 0)
    whole = project(terms(), components).array
    monkeypatch.setattr(module, "CHUNK", 7)
    np.testing.assert_array_equal(project(terms(), components).array, whole)
