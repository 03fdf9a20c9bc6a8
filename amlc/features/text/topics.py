"""The topics block: truncated SVD of the terms (latent semantic analysis)."""

import numpy as np
import scipy.sparse as sp
from pydantic import Field

from amlc.arrays import Rows
from amlc.features.blocks import Dense
from amlc.features.text.weight_table import WeightTable
from amlc.params import Settings

# Rows of the block that are scaled at the same time.
CHUNK_ROWS = 4096


class TopicsSettings(Settings):
    """Section `topics` of params.yaml."""

    n_components: int = Field(ge=1, le=2_000)
    n_iter: int = Field(ge=1, le=50)
    max_rows: int = Field(ge=1)


def fit_topics(
    terms: sp.csr_array, settings: TopicsSettings, seed: int, *, rows: Rows | None = None
) -> WeightTable:
    """Return the leading right singular vectors of terms.

    Parameters
    ----------
    terms : csr_array of float32, shape (n, terms)
        TF-IDF.
    settings : TopicsSettings
        The number of components is also limited by the numbers of rows and of terms. With fewer
        than two of either there is one component, which is 0. Of more rows than `max_rows`, a
        random sample of that many is used.
    seed : int
        Seed of the sample and of the randomised range finder.
    rows : ndarray of int, shape (m,), optional
        Positions of the train rows; by default, all are.

    Returns
    -------
    WeightTable, shape (terms, n_components)
        The vectors as columns, so that only the rows of a product's terms are read.

    Notes
    -----
    Halko, Martinsson and Tropp, Finding structure with randomness, SIAM Review 53(2), 2011.
    """
    total = terms.shape[0] if rows is None else len(rows)
    if total > settings.max_rows:
        sample = np.sort(np.random.default_rng(seed).permutation(total)[: settings.max_rows])
        rows = sample if rows is None else rows[sample]
    if rows is not None:
        terms = terms[rows]
    count = min(settings.n_components, *(size - 1 for size in terms.shape))
    if count < 1:
        return WeightTable.quantize(np.zeros((terms.shape[1], 1), np.float32))
    # Slow to import, and only a fit needs it.
    from sklearn.decomposition import TruncatedSVD  # noqa: PLC0415 - see above

    svd = TruncatedSVD(count, n_iter=settings.n_iter, random_state=seed)
    # It divides by the variance of the terms, which may be 0, for a result that is not used.
    with np.errstate(divide="ignore", invalid="ignore"):
        # In double precision, last bits, which differ between processors, do not survive the
        # rounding to 8 bits.
        svd.fit(terms.astype(np.float64))
    return WeightTable.quantize(svd.components_.T)


def project(terms: sp.csr_array, components: WeightTable) -> Dense:
    """Project terms onto the components, and scale each row to length 1.

    Parameters
    ----------
    terms : csr_array of float32, shape (n, terms)
        TF-IDF.
    components : WeightTable, shape (terms, n_components)
        What `fit_topics` returned.

    Returns
    -------
    Dense
        The topics; 0 for a row without terms.
    """
    topics = components.product(terms)
    # Chunk by chunk, because the squares would be a second block of this size.
    for start in range(0, len(topics), CHUNK_ROWS):
        chunk = topics[start : start + CHUNK_ROWS]
        lengths = np.linalg.norm(chunk, axis=1, keepdims=True)
        np.divide(chunk, lengths, out=chunk, where=lengths > 0)
    return Dense.numbered(topics)
