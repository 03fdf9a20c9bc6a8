"""Adversarial validation of train against test rows."""

import numpy as np
import pytest

from amlc.arrays import Ints32
from amlc.evaluation.drift import adversarial_validation
from amlc.evaluation.metrics_files import Drift
from amlc.features.blocks import Blocks, Tabular
from tests.helpers.learning import Catalogue, make_products

TRAIN, TEST = np.arange(300), np.arange(300, 600)


@pytest.fixture(scope="module")
def drifting_catalogue() -> Catalogue:
    """Return synthetic products, the second half of which are the test rows."""
    return make_products(600, seed=4)


def drift(train: Blocks, test: Blocks, groups: Ints32) -> Drift:
    """Run the adversarial validation, without blocks made of prices."""
    return adversarial_validation(
        train.select(["tabular", "topics", "vision"]),
        test.select(["tabular", "topics", "vision"]),
        groups,
        n_estimators=20,
        seed=1,
        threads=1,
    )


def test_rows_of_one_kind_cannot_be_separated(drifting_catalogue: Catalogue) -> None:
    """The AUC is near 0.5."""
    blocks, target, _ = drifting_catalogue
    result = drift(blocks.take(TRAIN), blocks.take(TEST), target.groups)
    assert abs(result.auc - 0.5) < 0.08


def test_a_shifted_column_is_named_first(drifting_catalogue: Catalogue) -> None:
    """A column with smaller values in the test rows is named as well."""
    blocks, target, _ = drifting_catalogue
    test = blocks.take(TEST)
    assert test.tabular is not None
    frame = test.tabular.to_frame()
    moved = Tabular.from_frame(
        frame.assign(num_noise=(frame["num_noise"] - 0.5).astype(np.float32))
    )
    result = drift(blocks.take(TRAIN), test.assign(tabular=moved), target.groups)
    assert result.auc > 0.8
    assert max(result.columns, key=lambda name: result.columns[name]) == "tabular: noise"


def test_products_in_both_splits_are_not_drift(drifting_catalogue: Catalogue) -> None:
    """Duplicates stay in one fold of the classifier, so it cannot memorise them."""
    blocks, target, _ = drifting_catalogue
    half = blocks.take(TRAIN)
    result = drift(half, half, np.tile(target.groups[TRAIN], 2))
    assert result.auc < 0.55
