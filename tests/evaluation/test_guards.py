"""The checks against leaks find leaks, and only leaks."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from amlc.arrays import Floats
from amlc.errors import CheckError
from amlc.evaluation.guards import (
    GuardSettings,
    check_guards,
    check_leak,
    check_permutation,
    explained_variance,
)
from amlc.evaluation.metrics_files import Permutation
from amlc.features.blocks import Blocks, Tabular
from amlc.metrics import row_smape
from amlc.models.base import Regressor, ScaledSettings
from amlc.models.registry import regressor
from tests.helpers.learning import DENSE, SECTIONS, Catalogue, make_products, with_test_rows

LINEAR = ScaledSettings.model_validate({**SECTIONS["linear"], "blocks": DENSE})
SETTINGS = GuardSettings(
    permutation=LINEAR, max_explained_variance=0.9, rows=500, drift_n_estimators=5
)


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    """Return products whose features explain their price except for noise."""
    return make_products(400, seed=8)


def permutation_check(blocks: Blocks, products: pd.DataFrame) -> Permutation:
    """Run the permutation check with the linear model."""
    linear = regressor("linear")
    return check_permutation(lambda: linear(LINEAR), blocks, products, seed=3, threads=1)


def with_column(blocks: Blocks, name: str, column: Any) -> Blocks:
    """Return the blocks with one more number in the tabular block."""
    assert blocks.tabular is not None
    frame = blocks.tabular.to_frame().assign(**{name: np.float32(column)})
    return blocks.assign(tabular=Tabular.from_frame(frame))


def test_permuted_prices_cannot_be_predicted(catalogue: Catalogue) -> None:
    """A model without leaks is not better than the constant."""
    check = permutation_check(catalogue[0], catalogue[2])
    assert check.smape > check.constant - 2 * check.gap_se


def test_the_constant_is_that_of_the_other_folds(catalogue: Catalogue) -> None:
    """A loop over the folds gives the same score, and equal prices a score of 0."""
    blocks, _, products = catalogue
    permuted = np.random.default_rng(3).permutation(products["price"].to_numpy())
    scores = np.zeros(len(products))
    for fold in range(3):
        held_out = (products["fold"] == fold).to_numpy()
        median = np.full(held_out.sum(), np.median(permuted[~held_out]))
        scores[held_out] = row_smape(permuted[held_out], median)
    assert permutation_check(blocks, products).constant == pytest.approx(scores.mean())
    assert permutation_check(blocks, products.assign(price=5.0)).constant == 0


def test_a_model_that_knows_the_prices_is_found(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model that knows the permuted prices beats the constant by more than chance."""
    blocks, _, products = catalogue
    permuted = np.random.default_rng(3).permutation(products["price"].to_numpy())
    linear = regressor("linear")

    def leak(blocks: Blocks) -> Floats:
        assert blocks.neighbours is not None
        return np.asarray(np.log(permuted[blocks.neighbours.position]))

    def make() -> Regressor:
        model = linear(LINEAR)
        monkeypatch.setattr(model, "predict", leak)
        return model

    with pytest.raises(CheckError, match="a row's own price is among its features"):
        check_permutation(make, blocks, products, seed=3, threads=1)


def test_features_without_leaks_pass(catalogue: Catalogue) -> None:
    """The strongest feature explains only a part of the variance."""
    blocks, target, _ = catalogue
    check = check_leak(blocks, target.log_price, target.groups, SETTINGS, seed=1)
    assert 0.1 < check.share < 0.9


@pytest.mark.parametrize("scale", [np.asarray, np.log1p, np.log])
def test_price_by_amount_is_found(scale: Any, catalogue: Catalogue) -> None:
    """A price by amount is found plain or as a logarithm, beside the amount itself."""
    blocks, target, _ = catalogue
    amount = np.random.default_rng(5).lognormal(3, 1, len(target.log_price))
    planted = with_column(blocks, "num_amount", np.log1p(amount))
    planted = with_column(planted, "num_unit_price", scale(np.exp(target.log_price) / amount))
    with pytest.raises(CheckError, match=r"'tabular: (unit_price|amount)' with 'tabular: (?!\1)"):
        check_leak(planted, target.log_price, target.groups, SETTINGS, seed=1)


def test_the_price_itself_is_found(catalogue: Catalogue) -> None:
    """The price explains all of its variance without a partner."""
    blocks, target, _ = catalogue
    planted = with_column(blocks, "num_copy", np.exp(target.log_price))
    with pytest.raises(CheckError, match="'tabular: copy'"):
        check_leak(planted, target.log_price, target.groups, SETTINGS, seed=1)


def test_shares_equal_those_of_least_squares() -> None:
    """The shares of all pairs equal those of one regression for each pair."""
    rng = np.random.default_rng(0)
    columns, target = rng.normal(size=(50, 4)), rng.normal(size=50)
    shares = explained_variance(columns, target)
    above = columns - columns.min(axis=0)
    logs = np.log(np.maximum(above, np.maximum(np.quantile(above, 0.001, axis=0), 1e-6)))
    for column in range(4):
        for partner in range(5):
            extra = [columns[:, partner]] if partner < 4 else []
            design = np.column_stack([np.ones(50), columns[:, column], logs[:, column], *extra])
            residual = target - design @ np.linalg.lstsq(design, target, rcond=None)[0]
            assert shares[column, partner] == pytest.approx(
                1 - residual.var() / target.var(), abs=1e-5
            )


def test_a_constant_column_explains_nothing() -> None:
    """Its standard deviation of 0 causes no division by 0."""
    shares = explained_variance(np.ones((30, 2)), np.arange(30.0))
    np.testing.assert_allclose(shares, 0, atol=1e-12)


def test_the_metrics_have_one_key_for_each_check(catalogue: Catalogue) -> None:
    """The report reads these keys, and the message names the strongest feature."""
    blocks, _, products = catalogue
    products = with_test_rows(products, 300)
    guards = check_guards(blocks, products, SETTINGS, seed=1, threads=1)
    assert list(guards.model_dump()) == ["permutation", "leak", "drift"]
    assert guards.leak.feature in str(guards)
    assert guards.drift is not None
    assert len(guards.drift.columns) == 5
