"""Adversarial validation."""

from dataclasses import replace

import numpy as np
import pytest
from learning import Catalogue, make_products

from amlc.features.blocks import Blocks
from amlc.features.columns import Tabular
from amlc.report.drift import Drift, adversarial_validation

TRAIN, TEST = np.arange(300), np.arange(300, 600)


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    """Return made-up products, the second half of which stands for test rows."""
    return make_products(600, seed=4)


def drift(train: Blocks, test: Blocks, groups: np.ndarray) -> Drift:
    """Tell them apart, without what is made of prices."""
    return adversarial_validation(
        replace(train, neighbours=None, terms=None),
        replace(test, neighbours=None, terms=None),
        groups,
        rounds=20,
        seed=1,
        threads=1,
    )


def test_rows_of_one_kind_cannot_be_told_apart(catalogue: Catalogue) -> None:
    """The AUC is about that of tossing a coin."""
    blocks, target, _ = catalogue
    found = drift(blocks.take(TRAIN), blocks.take(TEST), target.groups)
    assert abs(found.auc - 0.5) < 0.08


def test_a_shifted_column_is_named_first(catalogue: Catalogue) -> None:
    """In whichever direction it moved."""
    blocks, target, _ = catalogue
    test = blocks.take(TEST)
    assert test.tabular is not None
    frame = test.tabular.frame()
    moved = Tabular.of(frame.assign(num_noise=(frame["num_noise"] - 0.5).astype(np.float32)))
    found = drift(blocks.take(TRAIN), replace(test, tabular=moved), target.groups)
    assert found.auc > 0.8
    assert max(found.columns, key=lambda name: found.columns[name]) == "tabular: noise"


def test_products_in_both_splits_are_no_drift(catalogue: Catalogue) -> None:
    """Twins stay on one side of the classifier's folds, so it cannot learn them by heart."""
    blocks, target, _ = catalogue
    half = blocks.take(TRAIN)
    found = drift(half, half, np.tile(target.groups[TRAIN], 2))
    assert found.auc < 0.55
