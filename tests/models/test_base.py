"""Behaviour that every model has."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from amlc.errors import ModelError, ParamsError
from amlc.features.block_names import BLOCKS
from amlc.features.blocks import Blocks, Tabular, Terms
from amlc.models.base import Regressor
from amlc.models.registry import regressor
from amlc.params import check
from tests.helpers.learning import DENSE, MODELS, SECTIONS, Catalogue, make_products

FIT, NEW = np.arange(180), np.arange(180, 240)


def make(name: str, **changes: Any) -> Regressor:
    """Return an unfitted model, its settings changed."""
    model = regressor(name)
    section = {**SECTIONS[name], **changes}
    return model(check(model.settings_type, section, f"train.{name}", Path("params.yaml")))


def fitted(name: str, catalogue: Catalogue, **changes: Any) -> Regressor:
    """Return a model fitted to the first 180 products."""
    blocks, target, _ = catalogue
    return make(name, **changes).fit(blocks.take(FIT), target.take(FIT), seed=5, threads=1)


def files(folder: Path) -> dict[str, bytes]:
    """Return the content of each file in a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in all_files(folder)}


def all_files(folder: Path) -> list[Path]:
    """Return the files in a folder and its subfolders."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("name", MODELS)
def test_beats_the_median_on_new_products(name: str, catalogue: Catalogue) -> None:
    """A model learns from the features."""
    blocks, target, _ = catalogue
    actual = target.log_price[NEW]
    error = np.abs(fitted(name, catalogue).predict(blocks.take(NEW)) - actual).mean()
    assert error < 0.6 * np.abs(np.median(target.log_price[FIT]) - actual).mean()


@pytest.mark.parametrize("name", MODELS)
def test_loaded_model_predicts_the_same(name: str, catalogue: Catalogue, tmp_path: Path) -> None:
    """A saved model has all that its predictions need."""
    new = catalogue[0].take(NEW)
    model = fitted(name, catalogue)
    model.save(tmp_path)
    again = regressor(name).load(tmp_path)
    np.testing.assert_array_equal(model.predict(new), again.predict(new))
    assert again.settings == model.settings


@pytest.mark.parametrize("name", MODELS)
def test_two_fits_give_the_same_bytes(name: str, catalogue: Catalogue, tmp_path: Path) -> None:
    """Equal inputs and seed give equal files, regardless of earlier fits."""
    blocks, target, _ = catalogue
    model = fitted(name, catalogue)
    model.save(tmp_path / "first")
    model.fit(blocks.take(NEW), target.take(NEW), seed=1, threads=1)
    model.fit(blocks.take(FIT), target.take(FIT), seed=5, threads=1)
    model.save(tmp_path / "second")
    assert files(tmp_path / "first") == files(tmp_path / "second")


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("rows", [3, 20, 50, 99])
@pytest.mark.parametrize("equal", [True, False])
def test_few_rows_and_equal_prices_are_enough(
    name: str, rows: int, *, equal: bool, tmp_path: Path
) -> None:
    """A model that has nothing to learn predicts the price that all products have."""
    blocks, target, _ = make_products(rows, seed=rows)
    # Two groups are the fewest that can be split.
    groups = np.arange(rows, dtype=np.int32) // 2
    price = np.full(rows, 2.5) if equal else target.log_price
    changes = {"min_child_samples": 40} if name == "lightgbm" else {}
    model = make(name, **changes)
    model.fit(blocks, replace(target, log_price=price, groups=groups), seed=5, threads=1)
    predicted = model.predict(blocks)
    if equal:
        # A network starts from that price with random weights.
        np.testing.assert_allclose(predicted, 2.5, atol=0.2 if name == "mlp" else 0.01)
    model.save(tmp_path)
    np.testing.assert_array_equal(regressor(name).load(tmp_path).predict(blocks), predicted)


@pytest.mark.parametrize("name", ["ridge", "mlp"])
def test_terms_may_have_no_columns(name: str, catalogue: Catalogue) -> None:
    """In a catalogue without texts there is no term."""
    blocks, target, _ = catalogue
    no_terms = Terms(sp.csr_array(np.empty((240, 0), np.float32)))
    assert blocks.tabular is not None
    assert blocks.neighbours is not None
    without = Blocks(tabular=blocks.tabular, terms=no_terms, neighbours=blocks.neighbours)
    model = make(name).fit(without, target, seed=5, threads=1)
    assert np.ptp(model.predict(without)) > 0


@pytest.mark.parametrize("name", MODELS)
def test_nothing_is_pickled(name: str, catalogue: Catalogue, tmp_path: Path) -> None:
    """A saved model consists of text, JSON and plain arrays."""
    fitted(name, catalogue).save(tmp_path)
    assert {path.suffix for path in all_files(tmp_path)} <= {".json", ".npy", ".npz", ".txt"}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("block", DENSE)
def test_any_dense_block_alone_is_enough(name: str, block: str, catalogue: Catalogue) -> None:
    """Ablations may leave any block out."""
    blocks, target, _ = catalogue
    few = np.arange(60)
    only = blocks.select([block])
    model = make(name, blocks=[block])
    model.fit(only.take(few), target.take(few), seed=0, threads=1)
    assert np.isfinite(model.predict(only.take(NEW))).all()


@pytest.mark.parametrize("name", ["linear", "ridge", "mlp"])
def test_terms_alone_are_enough(name: str, catalogue: Catalogue) -> None:
    """Models of sparse terms need no dense column."""
    only = catalogue[0].select(["terms"])
    model = fitted(name, (only, *catalogue[1:]), blocks=["terms"])
    assert np.isfinite(model.predict(only.take(NEW))).all()


@pytest.mark.parametrize("name", ["forest", "lightgbm", "xgboost"])
def test_trees_refuse_terms(name: str) -> None:
    """The error names the setting and the block to use instead."""
    with pytest.raises(ParamsError, match=rf"train\.{name}\.blocks.*trees take topics"):
        make(name, blocks=["tabular", "terms"])


def test_a_block_given_twice_is_refused() -> None:
    """Its columns would silently count twice."""
    with pytest.raises(ParamsError, match="each block once"):
        make("linear", blocks=["tabular", "tabular"])


@pytest.mark.parametrize("name", MODELS)
def test_weights_change_the_fit(name: str, catalogue: Catalogue) -> None:
    """Every model uses the weights of rows."""
    blocks, target, _ = catalogue
    weight = np.where(target.log_price > np.median(target.log_price), 1.9, 0.1)
    heavy = replace(target, weight=weight)
    model = make(name).fit(blocks.take(FIT), heavy.take(FIT), seed=5, threads=1)
    even = fitted(name, catalogue)
    assert not np.array_equal(model.predict(blocks.take(NEW)), even.predict(blocks.take(NEW)))


def test_a_missing_block_is_named(catalogue: Catalogue) -> None:
    """The error names the block that is missing."""
    model = fitted("ridge", catalogue)
    with pytest.raises(ModelError, match="needs the blocks terms"):
        model.predict(catalogue[0].select(DENSE))


def test_other_blocks_are_ignored(catalogue: Catalogue) -> None:
    """A model uses only the blocks of its settings."""
    model = fitted("linear", catalogue)
    only = catalogue[0].select(["tabular"])
    np.testing.assert_array_equal(model.predict(catalogue[0]), model.predict(only))


def test_no_rows_to_predict(catalogue: Catalogue) -> None:
    """An empty test file gives no predictions."""
    no_rows = catalogue[0].take(np.arange(0))
    assert fitted("linear", catalogue).predict(no_rows).shape == (0,)


def test_rows_that_do_not_match(catalogue: Catalogue) -> None:
    """Features and prices of different products are refused."""
    blocks, target, _ = catalogue
    with pytest.raises(ModelError, match="180 rows of features for 240 prices"):
        make("linear").fit(blocks.take(FIT), target, seed=0, threads=1)


def test_infinite_predictions_are_refused(catalogue: Catalogue) -> None:
    """The predictions of a model that diverged do not reach the blend."""
    blocks = catalogue[0]
    assert blocks.tabular is not None
    model = fitted("linear", catalogue)
    broken = Tabular.from_frame(blocks.tabular.to_frame().assign(num_noise=np.float32(np.inf)))
    with pytest.raises(ModelError, match="240 of 240 predictions are not finite"):
        model.predict(blocks.assign(tabular=broken))


@pytest.mark.parametrize("name", MODELS)
def test_missing_file_is_named(name: str, catalogue: Catalogue, tmp_path: Path) -> None:
    """A model with any file missing is not loaded, and the error names the file."""
    fitted(name, catalogue).save(tmp_path)
    for path in all_files(tmp_path):
        content = path.read_bytes()
        path.unlink()
        with pytest.raises(ModelError, match=r"no saved .*: .*" + path.name):
            regressor(name).load(tmp_path)
        path.write_bytes(content)


@pytest.mark.parametrize("name", MODELS)
def test_model_of_a_changed_section_is_refused(name: str, tmp_path: Path) -> None:
    """A folder with other content is not a model."""
    (tmp_path / "settings.json").write_text('{"blocks": 3}')
    with pytest.raises(ModelError, match=r"settings\.blocks"):
        regressor(name).load(tmp_path)


def test_dense_is_every_block_but_terms() -> None:
    """The tests that try each dense block leave none out."""
    assert sorted([*DENSE, "terms"]) == sorted(BLOCKS)


@pytest.mark.parametrize("name", ["linear", "forest", "lightgbm", "xgboost"])
def test_importances_name_what_explains_the_price(
    name: str, catalogue: Catalogue, tmp_path: Path
) -> None:
    """They sum to 1, noise has less than amount and brand, and a loaded model has them."""
    model = fitted(name, catalogue, blocks=["tabular"])
    model.save(tmp_path)
    shares = model.feature_importances()
    assert regressor(name).load(tmp_path).feature_importances() == shares
    assert sum(shares.values()) == pytest.approx(1)
    strong = ("target encoding: brand", "tabular: log_total")
    assert shares["tabular: noise"] < min(shares[column] for column in strong)


def test_every_dense_column_has_a_name(catalogue: Catalogue) -> None:
    """All blocks name their columns, for categories as codes and as one-hot columns."""
    blocks, target, _ = catalogue
    for name in ("forest", "ridge"):
        model = make(name, blocks=DENSE)
        design = model.encoder.fit_transform(blocks, target.log_price, target.groups, seed=1)
        columns = model.encoder.columns
        assert len(set(columns)) == len(columns) == design.dense.shape[1]
