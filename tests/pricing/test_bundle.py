"""The content of a bundle, and folders that are refused as bundles."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from amlc.errors import AmlcError, ModelError
from amlc.pricing.bundle import Bundle, write_bundle
from amlc.pricing.manifest import MANIFEST, write_manifest
from amlc.pricing.pricer import BundlePricer
from tests.helpers.tiny import copied


def test_a_bundle_holds_no_pickle(pipeline: Path) -> None:
    """Every array loads with pickles forbidden, and no other file type could hold one."""
    suffixes = set()
    for path in (pipeline / "bundle").rglob("*.*"):
        suffixes.add(path.suffix)
        if path.suffix in {".npy", ".npz"}:
            np.load(path, allow_pickle=False)
    assert suffixes <= {".npy", ".npz", ".json", ".txt", ".arrow", ".bin", ".md"}


def test_files_that_another_version_left_are_not_bundled(pipeline: Path, tmp_path: Path) -> None:
    """The same results give the same bundle, regardless of other files beside them."""
    params = json.loads((pipeline / "bundle" / "params.json").read_text())
    data = Path(shutil.copytree(pipeline, tmp_path / "data"))
    (data / "encoders" / "topics.npy").write_bytes(b"left behind")
    (tmp_path / "again").mkdir()
    # The stage writes the model card.
    shutil.copy(pipeline / "bundle/README.md", tmp_path / "again")
    write_bundle(tmp_path, tmp_path / "again", params)
    manifest = (tmp_path / "again" / MANIFEST).read_bytes()
    assert manifest == (pipeline / "bundle" / MANIFEST).read_bytes()


def test_a_bundle_records_parameters_and_versions(pipeline: Path) -> None:
    """A bundle has its parameters in the order of the columns, and the libraries' versions."""
    params = json.loads((pipeline / "bundle" / "params.json").read_text())
    manifest = json.loads((pipeline / "bundle" / MANIFEST).read_text())
    assert list(params["terms"]["vectorizers"]) == ["title_words", "text_words", "title_chars"]
    assert params["train"]["mlp"]["epochs"] == 2
    assert {"numpy", "lightgbm", "scipy"} <= set(manifest["libraries"])


def test_a_bundle_holds_no_predictions(pipeline: Path) -> None:
    """Predictions for the rows of the pipeline stay outside the bundle."""
    assert not list((pipeline / "bundle").rglob("predictions.parquet"))


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [_cut, _empty, Path.unlink])
@pytest.mark.parametrize(
    "name",
    [
        "blend.json",
        "spread/booster.txt",
        "params.json",
        "encoders/tabular.json",
        "encoders/terms/text_words.txt",
        "encoders/terms/text_words.npy",
        "encoders/topics/rows.npy",
        "neighbours/postings_indices.npy",
        "products/products.arrow",
    ],
)
def test_a_file_that_cannot_be_loaded_is_an_error_of_amlc(
    name: str, damage: Callable[[Path], None], pipeline: Path, tmp_path: Path
) -> None:
    """A file that cannot be loaded raises an AmlcError even if the manifest lists it as it is."""
    bundle = copied(pipeline / "bundle", tmp_path)
    damage(bundle / name)
    (bundle / MANIFEST).unlink()
    write_manifest(bundle)
    with pytest.raises(AmlcError):
        Bundle.load(bundle)


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("neighbours/postings_indices.npy", 2**30),
        ("neighbours/rerank_indices.npy", 2**30),
        ("neighbours/rerank_indices.npy", -1),
        ("neighbours/rerank_indptr.npy", 2**30),
        ("neighbours/rerank_indptr.npy", 1),
    ],
)
def test_numbers_out_of_range_are_found_before_they_end_the_process(
    name: str, damage: int, pipeline: Path, tmp_path: Path
) -> None:
    """The libraries would read beyond their arrays."""
    bundle = copied(pipeline / "bundle", tmp_path)
    array = np.load(bundle / name)
    array[len(array) // 2] = damage
    np.save(bundle / name, array)
    (bundle / MANIFEST).unlink()
    write_manifest(bundle)
    with pytest.raises(AmlcError):
        Bundle.load(bundle)


def test_a_range_of_another_length_is_refused(pipeline: Path, tmp_path: Path) -> None:
    """A range for each column is needed."""
    bundle = copied(pipeline / "bundle", tmp_path)
    path = bundle / "encoders" / "tabular.json"
    state = json.loads(path.read_text())
    path.write_text(json.dumps({**state, "low": state["low"][1:]}))
    (bundle / MANIFEST).unlink()
    write_manifest(bundle)
    with pytest.raises(AmlcError):
        Bundle.load(bundle)


def test_a_damaged_bundle_is_refused_before_anything_is_read(
    pipeline: Path, tmp_path: Path
) -> None:
    """The hashes are checked before any file is loaded."""
    bundle = copied(pipeline / "bundle", tmp_path)
    _cut(bundle / "blend.json")
    with pytest.raises(ModelError, match=r"changed or damaged files: blend\.json"):
        BundlePricer.load(bundle)
