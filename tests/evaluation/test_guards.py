"""Guards against self-deception catch what they are made for."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from amlc.errors import CheckError
from amlc.evaluation.guards import (
    Drift,
    GuardSettings,
    Shuffled,
    adversarial_validation,
    explained,
    most_explained,
    shuffled_prices,
)
from amlc.features.blocks import Blocks, Tabular
from amlc.models.base import ModelSettings, Regressor
from amlc.models.registry import regressor
from tests.helpers.learning import DENSE, SECTIONS, Catalogue, make_products

SHUFFLED = ModelSettings.model_validate({**SECTIONS["linear"], "blocks": DENSE})
SETTINGS = GuardSettings(shuffled=SHUFFLED, most_explained=0.9, rows=500, drift_rounds=5)


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    """Return products whose features explain their price as far as the noise allows."""
    return make_products(400, seed=8)


def shuffled(blocks: Blocks, products: pd.DataFrame) -> Shuffled:
    """Run the guard with the linear model."""
    linear = regressor("linear")
    return shuffled_prices(lambda: linear(SHUFFLED), blocks, products, seed=3, threads=1)


def with_column(blocks: Blocks, name: str, column: Any) -> Blocks:
    """Return the blocks with one more number in the tabular block."""
    assert blocks.tabular is not None
    frame = blocks.tabular.to_frame().assign(**{name: np.float32(column)})
    return replace(blocks, tabular=Tabular.from_frame(frame))


def test_shuffled_prices_teach_nothing(catalogue: Catalogue) -> None:
    """An honest model is no better than the constant."""
    found = shuffled(catalogue[0], catalogue[2])
    assert found.smape > found.constant - 2 * found.error


def test_the_constant_is_that_of_the_other_folds(catalogue: Catalogue) -> None:
    """A naive loop over the folds gives the same score."""
    products = catalogue[2].assign(price=5.0)
    assert shuffled(catalogue[0], products).constant == 0


def test_a_model_that_peeks_is_caught(catalogue: Catalogue) -> None:
    """One that knows the dealt prices beats the constant, which cannot be luck."""
    blocks, _, products = catalogue
    dealt = np.random.default_rng(3).permutation(products["price"].to_numpy())
    linear = regressor("linear")

    def make() -> Regressor:
        model = linear(SHUFFLED)
        model.predict = lambda some: np.log(dealt[some.neighbours.position])  # type: ignore[method-assign, union-attr]  # a cheat
        return model

    with pytest.raises(CheckError, match="a row's own price is among its features"):
        shuffled_prices(make, blocks, products, seed=3, threads=1)


def test_honest_features_pass(catalogue: Catalogue) -> None:
    """The strongest one is named."""
    blocks, target, _ = catalogue
    found = most_explained(blocks, target.log_price, target.groups, SETTINGS, seed=1)
    assert 0.1 < found.share < 0.9


@pytest.mark.parametrize("scale", [np.asarray, np.log1p, np.log])
def test_price_by_amount_is_caught(scale: Any, catalogue: Catalogue) -> None:
    """Planted plain, or as the block writes amounts, beside the amount that it was divided by."""
    blocks, target, _ = catalogue
    amount = np.random.default_rng(5).lognormal(3, 1, len(target.log_price))
    planted = with_column(blocks, "num_amount", np.log1p(amount))
    planted = with_column(planted, "num_unit_price", scale(np.exp(target.log_price) / amount))
    with pytest.raises(CheckError, match=r"'tabular: (unit_price|amount)' with 'tabular: (?!\1)"):
        most_explained(planted, target.log_price, target.groups, SETTINGS, seed=1)


def test_the_price_itself_is_caught(catalogue: Catalogue) -> None:
    """Alone it explains everything."""
    blocks, target, _ = catalogue
    planted = with_column(blocks, "num_copy", np.exp(target.log_price))
    with pytest.raises(CheckError, match="'tabular: copy'"):
        most_explained(planted, target.log_price, target.groups, SETTINGS, seed=1)


def test_shares_equal_those_of_least_squares() -> None:
    """All pairs at once give what one regression for each gives."""
    rng = np.random.default_rng(0)
    columns, target = rng.normal(size=(50, 4)), rng.normal(size=50)
    found = explained(columns, target)
    above = columns - columns.min(axis=0)
    logs = np.log(np.maximum(above, np.maximum(np.quantile(above, 0.001, axis=0), 1e-6)))
    for column in range(4):
        for partner in range(5):
            others = [columns[:, partner]] if partner < 4 else []
            design = np.column_stack([np.ones(50), columns[:, column], logs[:, column], *others])
            residual = target - design @ np.linalg.lstsq(design, target, rcond=None)[0]
            assert found[column, partner] == pytest.approx(
                1 - residual.var() / target.var(), abs=1e-5
            )


def test_a_constant_column_explains_nothing() -> None:
    """No division by its deviation of 0."""
    found = explained(np.ones((30, 2)), np.arange(30.0))
    np.testing.assert_allclose(found, 0, atol=1e-12)


TRAIN, TEST = np.arange(300), np.arange(300, 600)


@pytest.fixture(scope="module")
def drifting_catalogue() -> Catalogue:
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


def test_rows_of_one_kind_cannot_be_told_apart(drifting_catalogue: Catalogue) -> None:
    """The AUC is about that of tossing a coin."""
    blocks, target, _ = drifting_catalogue
    found = drift(blocks.take(TRAIN), blocks.take(TEST), target.groups)
    assert abs(found.auc - 0.5) < 0.08


def test_a_shifted_column_is_named_first(drifting_catalogue: Catalogue) -> None:
    """In whichever direction it moved."""
    blocks, target, _ = drifting_catalogue
    test = blocks.take(TEST)
    assert test.tabular is not None
    frame = test.tabular.to_frame()
    moved = Tabular.from_frame(
        frame.assign(num_noise=(frame["num_noise"] - 0.5).astype(np.float32))
    )
    found = drift(blocks.take(TRAIN), replace(test, tabular=moved), target.groups)
    assert found.auc > 0.8
    assert max(found.columns, key=lambda name: found.columns[name]) == "tabular: noise"


def test_products_in_both_splits_are_no_drift(drifting_catalogue: Catalogue) -> None:
    """Twins stay on one side of the classifier's folds, so it cannot learn them by heart."""
    blocks, target, _ = drifting_catalogue
    half = blocks.take(TRAIN)
    found = drift(half, half, np.tile(target.groups[TRAIN], 2))
    assert found.auc < 0.55
