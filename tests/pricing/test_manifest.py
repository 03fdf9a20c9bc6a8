"""Whether a bundle may be used."""

import json
import logging
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from amlc.errors import ModelError
from amlc.pricing import manifest as module
from amlc.pricing.manifest import AMLC, FORMAT, MANIFEST, verified, write_manifest

Change = Callable[[dict[str, Any]], object]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of two files and their manifest."""
    bundle = tmp_path / "bundle"
    (bundle / "deep").mkdir(parents=True)
    (bundle / "a.json").write_text("{}")
    (bundle / "deep" / "b.npy").write_bytes(bytes(1000))
    write_manifest(bundle)
    return bundle


def version(folder: Path) -> str:
    """Verify a bundle; return its version."""
    with verified(folder) as found:
        return found


def changed(folder: Path, change: Change) -> None:
    """Change the content of a manifest."""
    content = json.loads((folder / MANIFEST).read_text())
    change(content)
    (folder / MANIFEST).write_text(json.dumps(content))


def test_a_whole_bundle_has_a_version(folder: Path) -> None:
    """Twelve digits that are the same each time."""
    assert len(version(folder)) == 12
    assert version(folder) == version(folder)


def test_two_manifests_of_the_same_files_are_the_same(folder: Path) -> None:
    """No date and no path is in it."""
    before = (folder / MANIFEST).read_bytes()
    (folder / MANIFEST).unlink()
    write_manifest(folder)
    assert (folder / MANIFEST).read_bytes() == before


@pytest.mark.parametrize("content", [bytes(999) + b"1", bytes(1001), b""])
def test_a_changed_file_is_named(folder: Path, content: bytes) -> None:
    """Whether its length gives it away or only its hash."""
    (folder / "deep" / "b.npy").write_bytes(content)
    with pytest.raises(ModelError, match=r"changed or damaged files: deep/b\.npy: make it again"):
        version(folder)


def test_a_missing_file_is_named(folder: Path) -> None:
    """The sentence says what to do."""
    (folder / "a.json").unlink()
    with pytest.raises(ModelError, match=r"missing files: a\.json: .*dvc pull"):
        version(folder)


def test_an_additional_file_is_named(folder: Path) -> None:
    """What nobody vouches for is not loaded."""
    (folder / "deep" / "c.npy").write_text("x")
    with pytest.raises(ModelError, match=r"additional files: deep/c\.npy"):
        version(folder)


@pytest.mark.parametrize("target", ["a.json", "deep"])
def test_a_link_is_refused(folder: Path, target: str) -> None:
    """A link may point anywhere, tomorrow elsewhere."""
    (folder / "deep" / "link").symlink_to(folder / target)
    with pytest.raises(ModelError, match="holds links: deep/link"):
        version(folder)


def test_another_format_is_refused(folder: Path) -> None:
    """The sentence names both versions."""
    changed(folder, lambda content: content.update(format=FORMAT + 1))
    with pytest.raises(ModelError, match=rf"format {FORMAT + 1}; this is amlc .* format {FORMAT}"):
        version(folder)


def test_another_version_of_amlc_is_refused(folder: Path) -> None:
    """Its features may be others."""
    changed(folder, lambda content: content.update(amlc="9.9"))
    with pytest.raises(ModelError, match=r"made by amlc 9\.9"):
        version(folder)


def test_another_major_version_of_a_model_library_is_refused(folder: Path) -> None:
    """It may read something else into its file."""
    changed(folder, lambda content: content["libraries"].update(lightgbm="99.0.0"))
    with pytest.raises(ModelError, match=r"lightgbm 99\.0\.0 \(here .*install those"):
        version(folder)


def test_other_versions_are_only_told(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Arrays and JSON are read the same; last digits may differ."""
    changed(folder, lambda content: content["libraries"].update(numpy="99.0.0"))
    with caplog.at_level(logging.WARNING):
        version(folder)
    assert "numpy 99.0.0" in caplog.text


def test_either_build_of_xgboost_will_do(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The one for GPUs reads what the one without them has written."""
    monkeypatch.setattr(module, "versions", lambda: {"xgboost": "3.9"})
    changed(folder, lambda content: content.update(libraries={"xgboost-cpu": "3.1"}))
    assert version(folder)
    assert "xgboost" in caplog.text


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"format": 1}', "[" * 100_000, '{"format": "1", "files": {}}']
)
def test_what_is_no_manifest_is_refused(folder: Path, content: str) -> None:
    """Whatever stands in it, the answer is one sentence."""
    (folder / MANIFEST).write_text(content)
    with pytest.raises(ModelError, match="is no manifest"):
        version(folder)


def test_a_huge_manifest_is_refused(folder: Path) -> None:
    """It is not even read to its end."""
    (folder / MANIFEST).write_bytes(b" " * (2**20 + 1))
    with pytest.raises(ModelError, match="longer than"):
        version(folder)


def test_a_folder_without_manifest_is_no_bundle(tmp_path: Path) -> None:
    """The sentence says how to make one."""
    with pytest.raises(ModelError, match=r"manifest\.json: No such file.*dvc repro bundle"):
        version(tmp_path)


def test_the_version_of_amlc_is_that_of_the_project() -> None:
    """Two places say it; they say the same."""
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    assert project["project"]["version"] == AMLC
