"""What each network sees of the rows, batch by batch."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from amlc.features.blocks import Terms
from amlc.models.bins import Bins
from amlc.models.design import Design
from amlc.models.mlp import inputs as module
from amlc.models.mlp.inputs import NetworkInputs, binary_terms

RNG = np.random.default_rng(7)
TERMS = sp.csr_array(sp.random_array((40, 12), density=0.3, rng=RNG, dtype=np.float32))
DENSE = RNG.normal(size=(40, 3)).astype(np.float32)
INPUTS = NetworkInputs(Design(DENSE, Terms(TERMS)), binary=True, bins=Bins.fit(DENSE, 4))


def test_binary_rows_keep_their_length() -> None:
    """Equal values in place of TF-IDF; a row without terms stays empty."""
    terms = sp.csr_array(np.array([[0, 0.6, 0.8], [0, 0, 0], [2, 0, 0]], np.float32))
    level = np.sqrt(0.5)
    expected = [[0, level, level], [0, 0, 0], [2, 0, 0]]
    np.testing.assert_allclose(binary_terms(terms).toarray(), expected, rtol=1e-6)


def test_a_batch_has_what_all_rows_together_have() -> None:
    """Terms and bins of a row depend on no other row, to the last bit."""
    rows = np.array([31, 2, 2, 17])
    batch, whole = INPUTS.take(rows), INPUTS.take(np.arange(40))
    np.testing.assert_array_equal(batch.dense, whole.dense[rows])
    np.testing.assert_array_equal(batch.terms.toarray(), whole.terms.toarray()[rows])
    assert (batch.terms.shape[1], batch.dense.shape[1]) == INPUTS.widths


@pytest.mark.parametrize(("binary", "bins"), [(False, True), (True, False)])
def test_binary_terms_and_bins_can_be_left_out(binary: bool, bins: bool) -> None:  # noqa: FBT001 - a case of the test
    """Each network sees its own choice of both."""
    inputs = replace(INPUTS, binary=binary, bins=INPUTS.bins if bins else None)
    batch = inputs.take(np.arange(40))
    assert np.array_equal(batch.terms.data, TERMS.data) != binary
    assert (batch.dense.shape[1] > DENSE.shape[1]) == bins


def test_chunks_cover_all_rows_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last one is smaller."""
    monkeypatch.setattr(module, "CHUNK", 16)
    assert [len(rows) for rows in INPUTS.chunks()] == [16, 16, 8]
    np.testing.assert_array_equal(np.concatenate([*INPUTS.chunks()]), np.arange(40))
