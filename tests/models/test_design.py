"""Feature blocks encoded as matrices."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from amlc.features.blocks import Blocks, Dense, Terms
from amlc.models import design as module
from amlc.models.design import Design, DesignEncoder, Kind
from tests.helpers.learning import Catalogue


@pytest.mark.parametrize("kind", ["linear", "tree"])
def test_new_rows_have_the_train_rows_columns(catalogue: Catalogue, kind: Kind) -> None:
    """Train and new rows have designs of the same width, with unchanged terms."""
    blocks, target, _ = catalogue
    encoder = DesignEncoder(kind, 5.0, [3], None)
    fitted = encoder.fit_transform(blocks, target.log_price, target.groups, seed=0)
    new = encoder.transform(blocks.take(np.arange(7)))
    assert new.dense.shape == (7, fitted.dense.shape[1])
    assert new.dense.dtype == np.float32
    assert blocks.terms is not None
    np.testing.assert_array_equal(new.terms.weights.toarray(), blocks.terms.weights[:7].toarray())


def test_linear_encoder_scales_and_one_hot_encodes(catalogue: Catalogue) -> None:
    """Numbers get mean 0 and deviation 1, categories one column each."""
    blocks, target, _ = catalogue
    only = blocks.select(["tabular"])
    encoder = DesignEncoder("linear", None, [3], None)
    dense = encoder.fit_transform(only, target.log_price, target.groups, seed=0).dense
    assert dense.shape[1] == 2 + 3
    np.testing.assert_allclose(dense[:, :2].mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(dense[:, :2].std(axis=0), 1, atol=1e-5)
    np.testing.assert_array_equal(dense[:, 2:].sum(axis=1), 1)


def test_tree_encoder_keeps_numbers_and_codes(catalogue: Catalogue) -> None:
    """For trees, numbers are unchanged and categories are codes."""
    blocks, target, _ = catalogue
    assert blocks.tabular is not None
    only = blocks.select(["tabular"])
    dense = (
        DesignEncoder("tree", None, [3], None)
        .fit_transform(only, target.log_price, target.groups, 0)
        .dense
    )
    np.testing.assert_array_equal(dense[:, 0], blocks.tabular.number("num_log_total"))
    np.testing.assert_array_equal(dense[:, 2], blocks.tabular.codes[:, 0])


def test_a_constant_column_stays_finite(catalogue: Catalogue) -> None:
    """A column without spread is not divided by 0."""
    blocks, target, _ = catalogue
    flat = Blocks(vision=Dense.numbered(np.full((len(blocks), 2), 3, np.float32)))
    dense = (
        DesignEncoder("linear", 5.0, [3], None)
        .fit_transform(flat, target.log_price, target.groups, 0)
        .dense
    )
    np.testing.assert_array_equal(dense, 0)


def test_no_column_depends_on_the_price_of_its_own_row(catalogue: Catalogue) -> None:
    """Changing a row's price does not change that row's features, but those of other rows."""
    blocks, target, _ = catalogue
    changed = target.log_price.copy()
    changed[11] += 50
    before = DesignEncoder("tree", 5.0, [3], None).fit_transform(
        blocks, target.log_price, target.groups, 0
    )
    after = DesignEncoder("tree", 5.0, [3], None).fit_transform(blocks, changed, target.groups, 0)
    np.testing.assert_array_equal(before.dense[11], after.dense[11])
    assert not np.array_equal(before.dense, after.dense)


@pytest.mark.parametrize("smoothing", [None, 5.0])
def test_saved_encoder_gives_the_same_design(
    catalogue: Catalogue, tmp_path: Path, smoothing: float | None
) -> None:
    """A saved encoder has all that it needs to transform rows."""
    blocks, target, _ = catalogue
    encoder = DesignEncoder("linear", smoothing, [3, 8], None)
    encoder.fit_transform(blocks, target.log_price, target.groups, seed=0)
    encoder.save(tmp_path)
    again = DesignEncoder.load(tmp_path).transform(blocks)
    np.testing.assert_array_equal(encoder.transform(blocks).dense, again.dense)


def test_columns_have_the_names_that_their_blocks_give_them(catalogue: Catalogue) -> None:
    """Numbers, encodings, neighbours, dense blocks in their order, categories."""
    blocks, target, _ = catalogue
    order = ["tabular", "neighbours", "vision", "topics"]
    encoder = DesignEncoder("linear", 5.0, [3], None)
    encoder.fit_transform(blocks.select(order), target.log_price, target.groups, 0)
    assert encoder.columns[:4] == [
        "tabular: log_total",
        "tabular: noise",
        "target encoding: brand",
        "neighbours: similarity of the nearest",
    ]
    assert encoder.columns[-14:] == [
        *("vision: red", "vision: green", "vision: blue"),
        *(f"topics: {number}" for number in range(8)),
        *("tabular: kind a", "tabular: kind b", "tabular: kind c"),
    ]


def test_a_further_dense_block_needs_no_code_of_its_own(catalogue: Catalogue) -> None:
    """The columns of any block, such as the vectors of an encoder, get its name."""
    vectors = Dense(np.eye(4, dtype=np.float32), ("a", "b", "c", "d"))
    blocks = catalogue[0].take(np.arange(4)).select(["vision"]).assign(clip=vectors)
    encoder = DesignEncoder("tree", None, [], None)
    assert encoder.names(blocks)[3:] == ["clip: a", "clip: b", "clip: c", "clip: d"]
    np.testing.assert_array_equal(encoder.transform(blocks).dense[:, 3:], vectors.array)


@pytest.mark.parametrize("norm", [0.5, 3.0])
def test_the_vectors_of_an_encoder_have_one_scale(catalogue: Catalogue, norm: float) -> None:
    """Centred, their lengths have the given root mean square; other columns keep deviation 1."""
    blocks, target, _ = catalogue
    rng = np.random.default_rng(1)
    array = rng.normal(1, np.arange(1, 9), (len(blocks), 8)).astype(np.float32)
    array[:, 0] = rng.random(len(blocks)) < 0.2
    vectors = {"encoders.a": Dense.numbered(array), "encoders.b": Dense.numbered(100 * array)}
    both = blocks.select(["vision"]).assign(**vectors)
    encoder = DesignEncoder("linear", None, [3], None, norm)
    dense = encoder.fit_transform(both, target.log_price, target.groups, seed=0).dense
    for first in (4, 12):
        np.testing.assert_allclose(dense[:, first - 1].std(), 1, rtol=1e-4)
        part = dense[:, first : first + 7]
        np.testing.assert_allclose(part.mean(axis=0), 0, atol=1e-4)
        assert np.sqrt(np.square(part).sum(axis=1).mean()) == pytest.approx(norm, rel=1e-4)
        # The columns keep their proportions.
        np.testing.assert_allclose(
            part.std(axis=0) / part[:, 0].std(), np.arange(2, 9) / 2, rtol=0.2
        )
    np.testing.assert_allclose(dense[:, :3].std(axis=0), 1, rtol=1e-4)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_terms_and_columns_are_joined_in_chunks(
    kind: type[np.floating[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The matrix has the parts, in the order of its columns, that stacking both at once gives."""
    monkeypatch.setattr(module, "CHUNK", 4)
    rng = np.random.default_rng(0)
    terms = sp.csr_array(sp.random_array((10, 6), density=0.4, rng=rng, dtype=np.float32))
    dense = rng.integers(0, 3, (10, 3)).astype(np.float32)
    joined = Design(dense, Terms(terms)).joined(kind)
    expected = sp.hstack([terms, sp.csr_array(dense)], format="csr").astype(kind)
    for part in ("data", "indices", "indptr"):
        ours, theirs = getattr(joined, part), getattr(expected, part)
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)
    assert joined.shape == expected.shape
