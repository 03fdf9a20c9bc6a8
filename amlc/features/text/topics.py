"""The topics block: truncated SVD of the terms (latent semantic analysis)."""

from typing import Self

import numpy as np
import scipy.sparse as sp
from pydantic import Field

from amlc.arrays import Floats32
from amlc.errors import DataError
from amlc.features.text.weight_table import WeightTable
from amlc.params import Settings


class TopicsSettings(Settings):
    """Section `topics` of params.yaml."""

    n_components: int = Field(ge=1, le=2_000)
    n_iter: int = Field(ge=1, le=50)


class TopicFeatures:
    """Project terms onto their leading right singular vectors.

    Parameters
    ----------
    settings : TopicsSettings
        The number of components is also limited by the numbers of train rows and of terms.
    seed : int
        Seed of the randomised range finder.

    Attributes
    ----------
    components : WeightTable, shape (terms, n_components)
        The right singular vectors as columns, so that only the rows of a product's terms are read.

    Notes
    -----
    Halko, Martinsson and Tropp, Finding structure with randomness, SIAM Review 53(2), 2011.
    """

    def __init__(self, settings: TopicsSettings, seed: int) -> None:
        self.settings = settings
        self.seed = seed
        self.components = WeightTable.quantize(np.empty((0, 0), dtype=np.float32))

    def fit(self, terms: sp.csr_array) -> Self:
        """Learn the singular vectors from the train rows.

        Parameters
        ----------
        terms : csr_array of float32, shape (n, terms)
            TF-IDF of the train rows.

        Raises
        ------
        DataError
            There are fewer than two rows or two terms.
        """
        limit = min(terms.shape) - 1
        if limit < 1:
            raise DataError(f"topics need at least two rows and two terms, got {terms.shape}")
        # Slow to import, and only a fit needs it.
        from sklearn.decomposition import TruncatedSVD  # noqa: PLC0415 - see above

        svd = TruncatedSVD(
            min(self.settings.n_components, limit),
            n_iter=self.settings.n_iter,
            random_state=self.seed,
        )
        # In double precision, last bits, which differ between processors, do not survive the
        # rounding to 8 bits.
        self.components = WeightTable.quantize(svd.fit(terms.astype(np.float64)).components_.T)
        return self

    def transform(self, terms: sp.csr_array) -> Floats32:
        """Return the topics of products, float32, shape (n, n_components)."""
        return project(terms, self.components)


def project(terms: sp.csr_array, components: WeightTable) -> Floats32:
    """Project terms onto the components, and scale each row to length 1.

    Parameters
    ----------
    terms : csr_array of float32, shape (n, terms)
        TF-IDF.
    components : WeightTable, shape (terms, n_components)
        The right singular vectors as columns.

    Returns
    -------
    ndarray of float32, shape (n, n_components)
        The topics; 0 for a row without terms.
    """
    topics = components.product(terms)
    lengths = np.linalg.norm(topics, axis=1, keepdims=True)
    np.divide(topics, lengths, out=topics, where=lengths > 0)
    return topics
