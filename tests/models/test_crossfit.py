"""Out-of-fold predictions and scores."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from amlc.errors import DataError
from amlc.features.blocks import Blocks
from amlc.metrics import smape
from amlc.models.base import Regressor
from amlc.models.crossfit import Crossfit, crossfit, fold_scores
from amlc.models.registry import regressor
from amlc.models.target import Target
from tests.helpers.learning import SECTIONS, Catalogue, with_test_rows

TEST = slice(200, 240)


class Recorder:
    """Make a model whose fits record their targets."""

    def __init__(self, name: str, **changes: Any) -> None:
        model = regressor(name)
        settings = model.settings_type.model_validate({**SECTIONS[name], **changes})
        self.make_model: Callable[[], Regressor] = lambda: model(settings)
        self.targets: list[Target] = []

    def __call__(self) -> Regressor:
        """Return a new model."""
        model = self.make_model()
        fit = model.fit

        def recorded(blocks: Blocks, target: Target, *, seed: int, threads: int) -> Regressor:
            self.targets.append(target)
            return fit(blocks, target, seed=seed, threads=threads)

        model.fit = recorded  # type: ignore[method-assign]  # a spy
        return model


def run(make: Recorder, catalogue: Catalogue, products: pd.DataFrame) -> Crossfit:
    """Cross-fit with a fixed seed."""
    return crossfit(make, catalogue[0], products, seed=2, threads=1)


def test_a_fold_is_predicted_without_its_prices(catalogue: Catalogue) -> None:
    """Changing a fold's prices does not change the predictions for that fold."""
    products = catalogue[2]
    changed = products.assign(price=products["price"].mask(products["fold"] == 1, 77.0))
    before = run(Recorder("ridge"), catalogue, products).log_price
    after = run(Recorder("ridge"), catalogue, changed).log_price
    held_out = (products["fold"] == 1).to_numpy()
    np.testing.assert_array_equal(before[held_out], after[held_out])
    assert not np.allclose(before[~held_out], after[~held_out])


def test_fits_use_train_rows_only(catalogue: Catalogue) -> None:
    """There is a fit without each fold, then one to all train rows, without missing prices."""
    make = Recorder("linear")
    products = with_test_rows(catalogue[2], TEST.start)
    run(make, catalogue, products)
    sizes = [200 - (products["fold"] == fold).sum() for fold in range(3)]
    assert [len(target.log_price) for target in make.targets] == [*sizes, 200]
    assert all(np.isfinite(target.log_price).all() for target in make.targets)


def test_test_rows_are_predicted_by_the_final_model(catalogue: Catalogue) -> None:
    """The model that is saved gives the predictions of the submission."""
    products = with_test_rows(catalogue[2], TEST.start)
    result = run(Recorder("ridge"), catalogue, products)
    again = result.model.predict(catalogue[0].take(np.arange(200, 240)))
    np.testing.assert_array_equal(result.log_price[TEST], again)


def test_scores_are_of_the_train_rows(catalogue: Catalogue) -> None:
    """SMAPE overall and by fold equals the metric on prices."""
    products = with_test_rows(catalogue[2], TEST.start)
    result = run(Recorder("linear"), catalogue, products)
    train = products["fold"] >= 0
    predicted = np.exp(result.log_price)
    assert result.smape == pytest.approx(smape(products["price"][train], predicted[train]))
    first = products["fold"] == 0
    assert result.fold_smape[0] == pytest.approx(smape(products["price"][first], predicted[first]))


def test_weights_reach_the_fit(catalogue: Catalogue) -> None:
    """Weights by price band are those of the rows that the model is fitted to."""
    weights = {"limits": [20.0], "weights": [1.0, 3.0], "column": None}
    make = Recorder("linear", weights=weights)
    run(make, catalogue, catalogue[2])
    target = make.targets[-1]
    cheap = target.log_price < np.log(20.0)
    assert target.weight is not None
    assert np.unique((target.weight / target.weight.min()).round(9)).tolist() == [1.0, 3.0]
    assert target.weight[cheap].max() < target.weight[~cheap].min()


def test_rows_that_do_not_match(catalogue: Catalogue) -> None:
    """Features of other products are refused."""
    with pytest.raises(DataError, match="240 rows of features for 239 products"):
        run(Recorder("linear"), catalogue, catalogue[2].iloc[:-1])


def test_one_fold_is_too_few(catalogue: Catalogue) -> None:
    """Out-of-fold predictions need two folds."""
    with pytest.raises(DataError, match="two or more"):
        run(Recorder("linear"), catalogue, catalogue[2].assign(fold=np.int8(0)))


def test_a_boosted_model_has_a_curve_of_held_out_scores(catalogue: Catalogue) -> None:
    """Its last point is the mean of the folds' scores; other models have no curve."""
    result = run(Recorder("lightgbm"), catalogue, catalogue[2])
    assert result.curve[-1][0] == SECTIONS["lightgbm"]["n_estimators"]
    assert result.curve[-1][1] == pytest.approx(np.mean(result.fold_smape))
    assert run(Recorder("linear"), catalogue, catalogue[2]).curve == []


def test_a_network_has_a_curve_by_epoch_in_a_file_of_its_own(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    """Epochs are no rounds, and are drawn on an axis of their own."""
    result = run(Recorder("mlp"), catalogue, catalogue[2])
    assert result.curve[-1][0] == SECTIONS["mlp"]["epochs"]
    assert result.curve[-1][1] == pytest.approx(np.mean(result.fold_smape), abs=0.5)
    result.save(tmp_path, catalogue[2])
    assert (tmp_path / "epochs.csv").read_text().startswith("epoch,smape\n")
    assert not (tmp_path / "curve.csv").exists()


def test_curve_and_importances_are_written_beside_the_predictions(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    """The report and the plots read these files."""
    _, _, products = catalogue
    run(Recorder("lightgbm"), catalogue, catalogue[2]).save(tmp_path, products)
    assert (tmp_path / "curve.csv").read_text().startswith("round,smape\n")
    shares = pd.read_csv(tmp_path / "importance.csv")["share"].tolist()
    assert shares == sorted(shares, reverse=True)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("name", ["ridge", "lightgbm"])
def test_the_fold_score_after_the_last_fold_is_that_of_training(
    catalogue: Catalogue, name: str, threads: int
) -> None:
    """It is equal to the last bit, so an experiment reproduces it."""
    blocks, _, products = catalogue
    model = regressor(name)
    settings = model.settings_type.model_validate(SECTIONS[name])
    scores = list(fold_scores(lambda: model(settings), blocks, products, seed=2, threads=threads))
    trained = crossfit(lambda: model(settings), blocks, products, seed=2, threads=threads)
    assert len(scores) == 3
    assert scores[-1] == trained.smape
    assert scores[0] == pytest.approx(trained.fold_smape[0], abs=1e-12)
