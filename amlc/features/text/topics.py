"""The topics block: truncated SVD of the terms (latent semantic analysis)."""

from typing import Self

import numpy as np
import scipy.sparse as sp
from pydantic import Field

from amlc.arrays import Floats32
from amlc.errors import DataError
from amlc.features.text.weight_table import TermTable
from amlc.params import Settings


class TopicsSettings(Settings):
    """Section `topics` of params.yaml."""

    components: int = Field(ge=1, le=2_000)
    iterations: int = Field(ge=1, le=50)


class TopicFeatures:
    """Project terms on their leading right singular vectors.

    Parameters
    ----------
    settings : TopicsSettings
        With fewer train rows or terms than components, there are as many components as they allow.
    seed : int
        Of the randomised range finder.

    Attributes
    ----------
    components : TermTable, shape (terms, components)
        Right singular vectors in columns, so that a product touches only the rows of its terms.

    Notes
    -----
    Halko, Martinsson and Tropp, Finding structure with randomness, SIAM Review 53(2), 2011.
    """

    def __init__(self, settings: TopicsSettings, seed: int) -> None:
        self.settings = settings
        self.seed = seed
        self.components = TermTable.rounded(np.empty((0, 0), dtype=np.float32))

    def fit(self, terms: sp.csr_array) -> Self:
        """Learn the singular vectors from the train rows."""
        most = min(terms.shape) - 1
        if most < 1:
            raise DataError(f"topics need two rows and two terms at least, got {terms.shape}")
        # Slow to import, and nothing else here needs it.
        from sklearn.decomposition import TruncatedSVD  # noqa: PLC0415 - see above

        svd = TruncatedSVD(
            min(self.settings.components, most),
            n_iter=self.settings.iterations,
            random_state=self.seed,
        )
        self.components = TermTable.rounded(svd.fit(terms).components_.T)
        return self

    def transform(self, terms: sp.csr_array) -> Floats32:
        """Return the topics, scaled to rows of length 1 where a row has any term.

        Returns
        -------
        ndarray of float32, shape (n, components)
        """
        return project(terms, self.components)


def project(terms: sp.csr_array, components: TermTable) -> Floats32:
    """Return the topics of some terms; see `TopicFeatures.transform`."""
    topics = components.product(terms)
    lengths = np.linalg.norm(topics, axis=1, keepdims=True)
    np.divide(topics, lengths, out=topics, where=lengths > 0)
    return topics
