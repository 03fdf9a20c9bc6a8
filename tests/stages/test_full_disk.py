"""Every stage on a full disk: one sentence, and nothing is left behind."""

import shutil
import sys
from pathlib import Path
from types import ModuleType

import pytest

from amlc.errors import AmlcError
from stages import (
    blend,
    bundle,
    guards,
    images,
    neighbours,
    predict,
    prepare,
    synthetic,
    tabular,
    terms,
    topics,
    train,
    train_products,
    vision,
)
from tests.helpers.disks import full_disk

STAGES = [synthetic, prepare, images, tabular, terms, topics, neighbours, vision, train, blend,
          guards, predict, train_products, bundle]  # fmt: skip


@pytest.fixture(scope="module")
def workspace(pipeline: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of a folder in which every stage has run."""
    return Path(shutil.copytree(pipeline.parent, tmp_path_factory.mktemp("full") / "copy"))


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: str(stage.__name__))
def test_a_full_disk_is_one_sentence(
    stage: ModuleType, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names a file that cannot be written, and the results of the last run stay."""
    monkeypatch.chdir(workspace)
    monkeypatch.setenv("AMLC_STORE", str(workspace / "store"))
    monkeypatch.setattr(sys, "argv", ["stage", "ridge"] if stage is train else ["stage"])
    before = {path for path in workspace.rglob("*") if "store" not in path.parts}
    with full_disk(), pytest.raises(AmlcError, match=r"cannot (be written|write)"):
        stage.main()
    assert {path for path in workspace.rglob("*") if "store" not in path.parts} == before
