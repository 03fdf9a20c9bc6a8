"""The published recipes run, and none uses a price that it has to predict."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from peer_recipes import NAMES, mercari, quantities, svd_boosting
from peer_recipes.recipe import Features, Options, Recipe, out_of_fold
from peers import load

from amlc.arrays import Floats

OPTIONS = Options(seed=1, threads=1, seconds=5)
# AutoGluon needs an environment of its own.
HERE = [name for name in NAMES if name != "autogluon"]


def make_products(count: int) -> tuple[list[str], Floats, np.ndarray]:
    """Return texts, prices and folds of products whose size and kind explain the price."""
    rng = np.random.default_rng(4)
    kinds, brands = ["green tea", "olive oil", "sea salt"], ["Northwind", "Harbor", "Sunny Field"]
    texts, prices = [], []
    for _ in range(count):
        kind, brand = rng.integers(0, 3, 2)
        size, packs = int(rng.integers(4, 40)), int(rng.integers(1, 9))
        texts.append(
            f"Item Name: {brands[brand]} {kinds[kind]}, {size} oz (Pack of {packs})\n"
            f"Bullet Point 1: fine {kinds[kind]} for every day\nValue: {size}.0\nUnit: Ounce\n"
        )
        prices.append(float((1 + kind) * size**0.5 * packs * rng.uniform(0.8, 1.2)))
    return texts, np.array(prices), np.arange(count) % 3


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_has_its_own_code_and_names_its_source(name: str) -> None:
    """No recipe imports amlc, and AutoGluon's can be loaded without AutoGluon."""
    recipe = load(name)
    code = Path(sys.modules[f"peer_recipes.{name}"].__file__ or "").read_text(encoding="utf-8")
    assert recipe.source
    assert not re.search(r"^\s*(from|import) amlc", code, re.MULTILINE)


@pytest.mark.parametrize("name", HERE)
def test_a_recipe_predicts_every_row_from_the_other_folds(name: str) -> None:
    """Changing a fold's prices changes predictions of other folds only."""
    texts, prices, folds = make_products(60)
    predicted = out_of_fold(load(name), texts, prices, folds, OPTIONS)
    planted = np.where(folds == 0, prices[::-1] * 50, prices)
    again = out_of_fold(load(name), texts, planted, folds, OPTIONS)
    assert np.isfinite(predicted).all()
    assert (predicted > 0).all()
    np.testing.assert_array_equal(again[folds == 0], predicted[folds == 0])
    assert (again[folds != 0] != predicted[folds != 0]).any()


def test_a_fold_is_predicted_from_the_rows_outside_it() -> None:
    """A recipe that predicts the mean train price shows which rows it was fitted to."""
    recipe = Recipe(
        "mean",
        "-",
        lambda texts, _: Features(np.zeros((len(texts), 1))),
        lambda train, prices, others, _: np.full(
            len(others.matrix), prices.mean() * len(train.matrix)
        ),
    )
    prices, folds = np.array([1.0, 2.0, 4.0, 8.0]), np.array([0, 1, 1, 2])
    predicted = out_of_fold(recipe, [""] * 4, prices, folds, OPTIONS)
    assert predicted.tolist() == [14.0, 9.0, 9.0, 7.0]


def test_no_price_is_below_the_minimum() -> None:
    """Negative predictions, whose SMAPE would be 200, are raised to the minimum."""
    recipe = Recipe(
        "bad",
        "-",
        lambda texts, _: Features(np.zeros((len(texts), 1))),
        lambda _, __, others, ___: np.full(len(others.matrix), -3.0),
    )
    predicted = out_of_fold(recipe, ["", ""], np.ones(2), np.array([0, 1]), OPTIONS)
    assert predicted.tolist() == [0.01, 0.01]


def test_quantities_are_read_from_the_title() -> None:
    """Amounts are in grams and millilitres, with packs, value and unit."""
    text = "Item Name: Oil, 1.5 L Bottle 12 oz (Pack of 6)\nValue: 48.0\nUnit: Fl Oz\n"
    assert quantities.packs(text) == 6
    assert quantities.contents(text) == pytest.approx((340.194, 1500.0))
    assert quantities.value(text, 1.0) == 48.0
    assert quantities.unit(text) == "fl oz"


def test_a_train_rows_encoding_does_not_depend_on_its_own_price() -> None:
    """With keys that occur once, each encoding is the mean of the other inner folds."""
    texts, _, __ = make_products(10)
    keys = svd_boosting.features(texts, OPTIONS).frame
    assert keys is not None
    alone = keys.assign(first=[str(row) for row in range(10)])
    target = np.arange(10.0)
    before = svd_boosting.encoded_out_of_fold(alone, target, 1)[:, 1]
    target[3] += 100
    after = svd_boosting.encoded_out_of_fold(alone, target, 1)[:, 1]
    assert after[3] == before[3]


def test_the_networks_gradient_is_that_of_the_loss() -> None:
    """It agrees with finite differences of the mean Huber loss in each array."""
    rng = np.random.default_rng(2)
    matrix = sp.csr_array(rng.random((6, 5)).round() * rng.random((6, 5)))
    target = rng.normal(0, 2, 6)
    arrays = [rng.normal(size=shape) for shape in ((5, 4), (4,), (4, 1), (1,))]

    def loss() -> float:
        gap = np.abs(mercari.forward(matrix, arrays)[-1][:, 0] - target)
        return float(np.where(gap <= 1, gap**2 / 2, gap - 0.5).mean())

    slopes, touched = mercari.slopes(mercari.forward(matrix, arrays), arrays, target)
    for number, array in enumerate(arrays):
        place = (int(touched[0]) if number == 0 else 0,) + (0,) * (array.ndim - 1)
        array[place] += 1e-6
        above = loss()
        array[place] -= 2e-6
        slope = (above - loss()) / 2e-6
        array[place] += 1e-6
        assert slopes[number][(0,) * array.ndim] == pytest.approx(slope, abs=1e-6)
