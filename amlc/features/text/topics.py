"""The topics block: truncated SVD of the terms (latent semantic analysis)."""

import numpy as np
import scipy.sparse as sp
from pydantic import Field

from amlc.errors import DataError
from amlc.features.blocks import Dense
from amlc.features.text.weight_table import WeightTable
from amlc.params import Settings


class TopicsSettings(Settings):
    """Section `topics` of params.yaml."""

    n_components: int = Field(ge=1, le=2_000)
    n_iter: int = Field(ge=1, le=50)


def fit_topics(terms: sp.csr_array, settings: TopicsSettings, seed: int) -> WeightTable:
    """Return the leading right singular vectors of terms.

    Parameters
    ----------
    terms : csr_array of float32, shape (n, terms)
        TF-IDF of the train rows.
    settings : TopicsSettings
        The number of components is also limited by the numbers of rows and of terms.
    seed : int
        Seed of the randomised range finder.

    Returns
    -------
    WeightTable, shape (terms, n_components)
        The vectors as columns, so that only the rows of a product's terms are read.

    Raises
    ------
    DataError
        There are fewer than two rows or two terms.

    Notes
    -----
    Halko, Martinsson and Tropp, Finding structure with randomness, SIAM Review 53(2), 2011.
    """
    limit = min(terms.shape) - 1
    if limit < 1:
        raise DataError(f"topics need at least two rows and two terms, got {terms.shape}")
    # Slow to import, and only a fit needs it.
    from sklearn.decomposition import TruncatedSVD  # noqa: PLC0415 - see above

    count = min(settings.n_components, limit)
    svd = TruncatedSVD(count, n_iter=settings.n_iter, random_state=seed)
    # In double precision, last bits, which differ between processors, do not survive the rounding
    # to 8 bits.
    return WeightTable.quantize(svd.fit(terms.astype(np.float64)).components_.T)


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
    lengths = np.linalg.norm(topics, axis=1, keepdims=True)
    np.divide(topics, lengths, out=topics, where=lengths > 0)
    return Dense.numbered(topics)
