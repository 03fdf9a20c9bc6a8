"""The lists of the features that each model sees."""

import hashlib
from pathlib import Path

import pytest

from amlc.catalog.products import write_products
from amlc.errors import DataError, ParamsError
from amlc.features.content import content_of
from amlc.models.inputs import block_names, read_inputs, reads_pictures, write_input_lists
from tests.helpers.learning import make_products


@pytest.fixture
def features(tmp_path: Path) -> Path:
    """Return a folder with two blocks."""
    folder = tmp_path / "features"
    folder.mkdir()
    (folder / "terms.npz").write_bytes(b"terms")
    (folder / "vision.npy").write_bytes(b"vision")
    return folder


def lists(features: Path) -> dict[str, str]:
    """Write the lists of two models and return them by name."""
    folder = features.parent / "inputs"
    write_input_lists(features, folder, {"one": ["terms"], "two": ["vision", "terms"]})
    return {path.stem: path.read_text() for path in folder.iterdir()}


def test_a_list_has_the_hashes_of_the_blocks_that_the_model_sees(features: Path) -> None:
    """In the format of sha256sum."""
    digest = hashlib.sha256(b"terms").hexdigest()
    assert lists(features)["one"] == f"{digest}  {features}/terms.npz\n"


def test_a_changed_block_changes_the_lists_of_the_models_that_see_it(features: Path) -> None:
    """The other models are not fitted again."""
    before = lists(features)
    (features / "vision.npy").write_bytes(b"other")
    after = lists(features)
    assert {name for name in before if before[name] != after[name]} == {"two"}


def test_the_order_of_blocks_is_left_to_the_parameter(features: Path) -> None:
    """The list has the order of names."""
    paths = [Path(line).name for line in lists(features)["two"].splitlines()]
    assert paths == ["terms.npz", "vision.npy"]


def test_a_missing_block_is_named_with_its_stage(features: Path) -> None:
    """The message says what to run."""
    (features / "terms.npz").unlink()
    with pytest.raises(DataError, match=r"terms\.npz: no such file; run the stage terms"):
        lists(features)


@pytest.mark.parametrize("section", [{}, {"blocks": "terms"}, {"blocks": ["picture"]}])
def test_an_unknown_block_is_refused(section: dict[str, object]) -> None:
    """The message names the section."""
    with pytest.raises(ParamsError, match=r"train\.ridge\.blocks"):
        block_names("ridge", section)


def test_encoders_stand_for_all_that_are_there(features: Path) -> None:
    """A model that takes every encoder is fitted again when there is another one."""
    (features / "encoders").mkdir()
    for name in ("words", "pixels"):
        (features / "encoders" / f"{name}.npy").write_bytes(name.encode())
    folder = features.parent / "inputs"
    write_input_lists(features, folder, {"all": ["encoders"], "one": ["encoders.words"]})
    listed = {path.stem: path.read_text().splitlines() for path in folder.iterdir()}
    names = {model: [Path(line).name for line in lines] for model, lines in listed.items()}
    assert names == {"all": ["pixels.npy", "words.npy"], "one": ["words.npy"]}


def test_a_model_that_reads_pictures_is_fitted_again_when_they_change(features: Path) -> None:
    """The list of the other model does not name the shards."""
    images, folder = features.parent / "images", features.parent / "inputs"
    images.mkdir()
    (images / "shard-00000.parquet").write_bytes(b"pictures")
    write_input_lists(features, folder, {"one": ["terms"], "two": ["terms"]}, {"two": images})
    digest = hashlib.sha256(b"pictures").hexdigest()
    assert f"{digest}  {images}/shard-00000.parquet\n" in (folder / "two.txt").read_text()
    assert digest not in (folder / "one.txt").read_text()


@pytest.mark.parametrize(("image", "reads"), [(None, False), ({"model": "m"}, True)])
def test_an_image_tower_reads_pictures(image: object, *, reads: bool) -> None:
    """Other models have no such key."""
    assert reads_pictures("fusion", {"blocks": ["tabular"], "image": image}) is reads
    assert not reads_pictures("linear", {"blocks": ["tabular"]})


def test_a_model_that_reads_products_itself_gets_their_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other models' columns of the product table do not hold the texts."""
    blocks, _, products = make_products(30, seed=1)
    assert blocks.tabular is not None
    products = products.assign(
        catalog_content="text", image_link="first", further_links="second\nthird"
    )
    write_products(tmp_path / "data/products.parquet", products)
    (tmp_path / "data/features").mkdir()
    blocks.tabular.write(tmp_path / "data/features/tabular.parquet")
    monkeypatch.chdir(tmp_path)
    table, plain = read_inputs(["tabular"])
    assert "catalog_content" not in table
    assert content_of(plain) is None
    _, whole = read_inputs(["tabular"], with_content=True)
    content = content_of(whole)
    assert content is not None
    assert set(content.texts) == {"text"}
    assert set(content.pictures) == {("first", "second", "third")}
