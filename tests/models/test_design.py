"""Blocks as matrices."""

from pathlib import Path

import numpy as np
import pytest

from amlc.features.blocks import Blocks
from amlc.models.design import DesignEncoder, Kind
from tests.helpers.learning import Catalogue


@pytest.mark.parametrize("kind", ["linear", "tree"])
def test_new_rows_have_the_train_rows_columns(catalogue: Catalogue, kind: Kind) -> None:
    """Train and new rows get designs of one width, with the terms as they are."""
    blocks, target, _ = catalogue
    view = DesignEncoder(kind, 5.0, [3])
    fitted = view.fit_transform(blocks, target.log_price, target.groups, seed=0)
    new = view.transform(blocks.take(np.arange(7)))
    assert new.dense.shape == (7, fitted.dense.shape[1])
    assert new.dense.dtype == np.float32
    assert (new.terms != blocks.terms[:7]).nnz == 0


def test_linear_view_scales_and_one_hot_encodes(catalogue: Catalogue) -> None:
    """Numbers get mean 0 and deviation 1, categories one column each."""
    blocks, target, _ = catalogue
    only = Blocks(tabular=blocks.tabular)
    view = DesignEncoder("linear", None, [3])
    dense = view.fit_transform(only, target.log_price, target.groups, seed=0).dense
    assert dense.shape[1] == 2 + 3
    np.testing.assert_allclose(dense[:, :2].mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(dense[:, :2].std(axis=0), 1, atol=1e-5)
    np.testing.assert_array_equal(dense[:, 2:].sum(axis=1), 1)


def test_tree_view_keeps_numbers_and_codes(catalogue: Catalogue) -> None:
    """Trees see numbers as they are and categories as their codes."""
    blocks, target, _ = catalogue
    only = Blocks(tabular=blocks.tabular)
    dense = (
        DesignEncoder("tree", None, [3])
        .fit_transform(only, target.log_price, target.groups, 0)
        .dense
    )
    np.testing.assert_array_equal(dense[:, 0], blocks.tabular.number("num_log_total"))
    np.testing.assert_array_equal(dense[:, 2], blocks.tabular.codes[:, 0])


def test_a_constant_column_stays_finite(catalogue: Catalogue) -> None:
    """A column without spread is not divided by 0."""
    blocks, target, _ = catalogue
    flat = Blocks(vision=np.full((len(blocks), 2), 3, np.float32))
    dense = (
        DesignEncoder("linear", 5.0, [3])
        .fit_transform(flat, target.log_price, target.groups, 0)
        .dense
    )
    np.testing.assert_array_equal(dense, 0)


def test_own_price_is_in_no_column_of_its_row(catalogue: Catalogue) -> None:
    """Changing one row's price leaves that row's features of other kinds of columns alone."""
    blocks, target, _ = catalogue
    changed = target.log_price.copy()
    changed[11] += 50
    before = DesignEncoder("tree", 5.0, [3]).fit_transform(
        blocks, target.log_price, target.groups, 0
    )
    after = DesignEncoder("tree", 5.0, [3]).fit_transform(blocks, changed, target.groups, 0)
    np.testing.assert_array_equal(before.dense[11], after.dense[11])
    assert not np.array_equal(before.dense, after.dense)


@pytest.mark.parametrize("smoothing", [None, 5.0])
def test_saved_view_gives_the_same_design(
    catalogue: Catalogue, tmp_path: Path, smoothing: float | None
) -> None:
    """Nothing is lost on disk."""
    blocks, target, _ = catalogue
    view = DesignEncoder("linear", smoothing, [3, 8])
    view.fit_transform(blocks, target.log_price, target.groups, seed=0)
    view.save(tmp_path)
    again = DesignEncoder.load(tmp_path).transform(blocks)
    np.testing.assert_array_equal(view.transform(blocks).dense, again.dense)
