"""Training of a network: what its updates depend on, and what they learn."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.helpers.deep import skip_without_deep
from tests.helpers.fusion import image_tower, make_catalogue, settings, text_tower
from tests.helpers.learning import Catalogue

skip_without_deep()

import torch

from amlc.errors import ModelError
from amlc.features.content import content_of
from amlc.models.fusion.network import set_training
from amlc.models.fusion.regressor import Fusion

FIT, NEW = np.arange(150), np.arange(150, 200)
CALM = {"dropout": 0.0, "epochs": 1}
# Few epochs are enough to learn from a text or a picture.
FAST: dict[str, Any] = {"epochs": 5, "learning_rate": 5e-3, "head_learning_rate": 2e-2}


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no test find the checkpoints of another."""
    monkeypatch.setenv("AMLC_STORE", str(tmp_path / "store"))


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    """Return 200 products whose brand only their texts name."""
    blocks, target, products = make_catalogue(200)
    return blocks.select(["tabular", "content"]), target, products


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the settings of a tiny text tower."""
    return text_tower(tmp_path_factory.mktemp("text"))


def fitted(catalogue: Catalogue, shift: int = 0, **changes: Any) -> Fusion:
    """Return a model fitted to the first products, their prices shifted by some rows."""
    blocks, target, _ = catalogue
    rows = np.roll(FIT, shift)
    model = Fusion(settings(blocks=["tabular"], **changes))
    model.watch(blocks.take(NEW))
    return model.fit(blocks.take(FIT), target.take(rows), seed=5, threads=1)


def predicted(catalogue: Catalogue, **changes: Any) -> Any:
    """Return a new model's log prices of the other products."""
    return fitted(catalogue, **changes).predict(catalogue[0].take(NEW))


def error(catalogue: Catalogue, **changes: Any) -> float:
    """Return a new model's mean error, relative to that of the median price."""
    actual = catalogue[1].log_price
    errors = np.abs(predicted(catalogue, **changes) - actual[NEW])
    return float(errors.mean() / np.abs(np.median(actual[FIT]) - actual[NEW]).mean())


def test_texts_explain_prices_unless_the_labels_are_shifted(
    catalogue: Catalogue, text: dict[str, Any]
) -> None:
    """With the price of the row above, nothing can be learned, and no price leaks in."""
    assert error(catalogue, text=text, batch_size=8, **FAST) < 0.6
    assert error(catalogue, text=text, batch_size=8, shift=1, **FAST) > 0.9


def test_accumulation_equals_one_large_batch(catalogue: Catalogue, text: dict[str, Any]) -> None:
    """Up to rounding, a batch in three parts gives the same updates."""
    whole = predicted(catalogue, text=text, **CALM)
    np.testing.assert_allclose(
        predicted(catalogue, text=text, accumulation=3, **CALM), whole, atol=2e-4
    )


def test_recomputed_activations_change_nothing(catalogue: Catalogue, text: dict[str, Any]) -> None:
    """Gradient checkpointing trades time for memory only."""
    whole = predicted(catalogue, text=text, epochs=1)
    again = predicted(catalogue, text=text, epochs=1, gradient_checkpointing=True)
    np.testing.assert_allclose(again, whole, atol=1e-5)


def test_the_curve_ends_with_the_predictions(catalogue: Catalogue, text: dict[str, Any]) -> None:
    """After each epoch, the held-out rows are predicted, with averaged weights if there are."""
    model = fitted(catalogue, text=text, weight_average=0.9, networks=2)
    new = catalogue[0].take(NEW)
    curve = list(model.staged_predict(new))
    assert [epoch for epoch, _ in curve] == [1, 2, 3]
    np.testing.assert_allclose(curve[-1][1], model.predict(new), atol=1e-5)
    assert list(model.staged_predict(new.take(np.arange(3)))) == []


def test_early_stopping_keeps_the_best_epoch(catalogue: Catalogue, text: dict[str, Any]) -> None:
    """With a rate that destroys the network, the first epochs are the best, and few are run."""
    model = fitted(
        catalogue,
        text=text,
        epochs=30,
        early_stopping_epochs=2,
        learning_rate=0.5,
        head_learning_rate=0.5,
        warm_up=1.0,
    )
    assert len(list(model.staged_predict(catalogue[0].take(NEW)))) < 30


def test_predictions_are_the_mean_over_layouts(catalogue: Catalogue, text: dict[str, Any]) -> None:
    """Each layout gives other tokens, so the mean differs from both."""
    orders = [["title", "bullets"], ["bullets", "title"]]
    model = fitted(catalogue, text={**text, "layouts": orders}, epochs=2)
    new, each = catalogue[0].take(NEW), []
    both = model.predict(new)
    for order in orders:
        model.settings = settings(blocks=["tabular"], text={**text, "layouts": [order]})
        each.append(model.predict(new))
    np.testing.assert_allclose(both, np.mean(each, axis=0), atol=1e-6)
    assert not np.array_equal(each[0], each[1])


def test_weights_of_rows_reach_the_loss(catalogue: Catalogue, text: dict[str, Any]) -> None:
    """Twice the weight changes the updates, equal weights do not."""
    blocks, target, products = catalogue
    even = type(target)(target.log_price, target.groups, np.ones(200))
    uneven = type(target)(target.log_price, target.groups, np.linspace(0.1, 1.9, 200))
    first, second, third = (
        predicted((blocks, each, products), text=text, epochs=1) for each in (target, even, uneven)
    )
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, third)


@pytest.mark.parametrize("step", ["first", "last"])
def test_a_loss_that_is_not_finite_stops_the_fit(
    step: str, catalogue: Catalogue, text: dict[str, Any]
) -> None:
    """The message names the settings to change, even if only the last update is to blame."""
    last: dict[str, Any] = {"epochs": 1, "batch_size": len(FIT), "weight_decay": 1e39}
    with pytest.raises(ModelError, match="not finite: lower learning_rate"):
        fitted(
            catalogue,
            text=text,
            loss="squared",
            learning_rate=1.0,
            head_learning_rate=1.0,
            max_norm=None,
            **(last if step == "last" else {"weight_decay": 1e6}),
        )


@pytest.mark.parametrize("name", ["vit", "resnet"])
def test_pictures_alone_can_be_learned_from(
    name: str, catalogue: Catalogue, tmp_path: Path
) -> None:
    """Products of a brand have the same picture; batch normalisation keeps its statistics."""
    blocks, target, _ = catalogue
    content = content_of(blocks)
    assert content is not None
    with_picture = np.flatnonzero([len(files) for files in content.jpegs()])
    tower = image_tower(tmp_path, name)
    model = fitted(catalogue, image=tower, **FAST)
    rows = np.intersect1d(with_picture, NEW)
    errors = np.abs(model.predict(blocks.take(rows)) - target.log_price[rows]).mean()
    assert errors < 0.8 * np.abs(np.median(target.log_price) - target.log_price[rows]).mean()
    set_training(model.networks[0], training=True)
    norms = [m for m in model.networks[0].modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert bool(norms) == (name == "resnet")
    assert not any(norm.training for norm in norms)


def test_missing_texts_and_pictures_take_a_learned_vector(
    catalogue: Catalogue, text: dict[str, Any], tmp_path: Path
) -> None:
    """It moves away from 0, and differs from what an empty text would give."""
    model = fitted(catalogue, text=text, image=image_tower(tmp_path), epochs=2)
    missing = model.networks[0].head.missing
    assert all(float(missing[name].detach().abs().max()) > 0 for name in ("text", "image"))
