"""The lists of the features that each model sees."""

import hashlib
from pathlib import Path

import pytest

from amlc.errors import DataError, ParamsError
from amlc.models.inputs import block_names, write_input_lists


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
