"""The topics block: truncated SVD of the terms (latent semantic analysis)."""

import numpy as np
from pydantic import Field

from amlc.features.blocks import Dense, Terms
from amlc.features.text.singular_vectors import right_singular_vectors
from amlc.features.text.weight_table import WeightTable
from amlc.params import Settings

# Rows that are projected at a time.
CHUNK = 16_384


class TopicsSettings(Settings):
    """Section `topics` of params.yaml."""

    n_components: int = Field(ge=1, le=2_000)
    n_iter: int = Field(ge=1, le=50)
    max_rows: int = Field(ge=1)


def fit_topics(
    terms: Terms, settings: TopicsSettings, seed: int, *, threads: int = 1
) -> WeightTable:
    """Return the leading right singular vectors of terms.

    Parameters
    ----------
    terms : Terms, shape (n, terms)
        Those of the train rows.
    settings : TopicsSettings
        The number of components is also limited by the numbers of rows and of terms. With fewer
        than two of either there is one component, which is 0. Of more rows than `max_rows`, a
        random sample of that many is used.
    seed : int
        Seed of the sample and of the randomised range finder.
    threads : int
        Threads for products of matrices, which do not depend on their number.

    Returns
    -------
    WeightTable, shape (terms, n_components)
        The vectors as columns, so that only the rows of a product's terms are read.
    """
    if terms.shape[0] > settings.max_rows:
        sample = np.random.default_rng(seed).permutation(terms.shape[0])[: settings.max_rows]
        terms = terms.take(np.sort(sample))
    count = min(settings.n_components, *(size - 1 for size in terms.shape))
    if count < 1:
        return WeightTable.quantize(np.zeros((terms.shape[1], 1), np.float32))
    # In double precision, last bits, which differ between processors, do not survive the rounding
    # to 8 bits.
    exact = terms.weights.astype(np.float64)
    vectors = right_singular_vectors(
        exact, count, n_iter=settings.n_iter, seed=seed, threads=threads
    )
    return WeightTable.quantize(vectors.T)


def project(terms: Terms, components: WeightTable) -> Dense:
    """Project terms onto the components, and scale each row to length 1.

    Parameters
    ----------
    terms : Terms, shape (n, terms)
        Those of any products.
    components : WeightTable, shape (terms, n_components)
        What `fit_topics` returned.

    Returns
    -------
    Dense
        The topics; 0 for a row without terms.
    """
    count = terms.shape[0]
    topics = np.empty((count, components.rows.shape[1]), np.float32)
    for start in range(0, count, CHUNK):
        part = topics[start : start + CHUNK]
        part[:] = components.product(terms.read_rows(start, min(start + CHUNK, count)))
        lengths = np.linalg.norm(part, axis=1, keepdims=True)
        np.divide(part, lengths, out=part, where=lengths > 0)
    return Dense.numbered(topics)
