"""The checks before a bundle is used."""

import json
import logging
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from amlc import __version__
from amlc.errors import ModelError
from amlc.pricing import manifest as module
from amlc.pricing.manifest import FORMAT, MANIFEST, verified, write_manifest

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
    with verified(folder) as identifier:
        return identifier


def changed(folder: Path, change: Change) -> None:
    """Change the content of a manifest."""
    content = json.loads((folder / MANIFEST).read_text())
    change(content)
    (folder / MANIFEST).write_text(json.dumps(content))


def test_a_whole_bundle_has_a_version(folder: Path) -> None:
    """The version of a bundle has twelve digits and is the same each time."""
    assert len(version(folder)) == 12
    assert version(folder) == version(folder)


def test_two_manifests_of_the_same_files_are_the_same(folder: Path) -> None:
    """A manifest holds neither a date nor a path."""
    before = (folder / MANIFEST).read_bytes()
    (folder / MANIFEST).unlink()
    write_manifest(folder)
    assert (folder / MANIFEST).read_bytes() == before


@pytest.mark.parametrize("content", [bytes(999) + b"1", bytes(1001), b""])
def test_a_changed_file_is_named(folder: Path, content: bytes) -> None:
    """A changed file is found by its length or by its hash."""
    (folder / "deep" / "b.npy").write_bytes(content)
    with pytest.raises(ModelError, match=r"changed or damaged files: deep/b\.npy: make it again"):
        version(folder)


def test_a_missing_file_is_named(folder: Path) -> None:
    """The message names a missing file and says what to do."""
    (folder / "a.json").unlink()
    with pytest.raises(ModelError, match=r"missing files: a\.json: .*dvc pull"):
        version(folder)


def test_an_additional_file_is_named(folder: Path) -> None:
    """A file that the manifest does not list is refused."""
    (folder / "deep" / "c.npy").write_text("x")
    with pytest.raises(ModelError, match=r"additional files: deep/c\.npy"):
        version(folder)


@pytest.mark.parametrize("target", ["a.json", "deep"])
def test_a_link_is_refused(folder: Path, target: str) -> None:
    """A link is refused, because its target may change."""
    (folder / "deep" / "link").symlink_to(folder / target)
    with pytest.raises(ModelError, match="holds links: deep/link"):
        version(folder)


def test_another_format_is_refused(folder: Path) -> None:
    """The message names both formats."""
    changed(folder, lambda content: content.update(format=FORMAT + 1))
    with pytest.raises(ModelError, match=rf"format {FORMAT + 1}; this is amlc .* format {FORMAT}"):
        version(folder)


def test_another_version_of_amlc_is_refused(folder: Path) -> None:
    """A bundle of another version is refused, because its features may differ."""
    changed(folder, lambda content: content.update(amlc="9.9"))
    with pytest.raises(ModelError, match=r"made by amlc 9\.9"):
        version(folder)


def test_another_major_version_of_a_model_library_is_refused(folder: Path) -> None:
    """A library of another major version may read a model file differently."""
    changed(folder, lambda content: content["libraries"].update(lightgbm="99.0.0"))
    with pytest.raises(ModelError, match=r"lightgbm 99\.0\.0 \(here .*install those"):
        version(folder)


def test_other_versions_are_a_warning(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Another version of a library that reads only arrays or JSON is a warning."""
    changed(folder, lambda content: content["libraries"].update(numpy="99.0.0"))
    with caplog.at_level(logging.WARNING):
        version(folder)
    assert "numpy 99.0.0" in caplog.text


def test_both_builds_of_xgboost_are_accepted(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The build for GPUs reads the files of the build for CPUs, with a warning."""
    monkeypatch.setattr(module, "versions", lambda _: {"xgboost": "3.9"})
    changed(folder, lambda content: content.update(libraries={"xgboost-cpu": "3.1"}))
    assert version(folder)
    assert "xgboost" in caplog.text


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"format": 1}', "[" * 100_000, '{"format": "1", "files": {}}']
)
def test_a_broken_manifest_is_refused(folder: Path, content: str) -> None:
    """A manifest with any other content is refused with the same message."""
    (folder / MANIFEST).write_text(content)
    with pytest.raises(ModelError, match="not a manifest"):
        version(folder)


@pytest.mark.parametrize(
    "value", ["null", "true", "-1", "1e999", "NaN", '"x"', "[]", "[null]", "{}", '{"x": []}']
)
@pytest.mark.parametrize("key", ["format", "amlc", "libraries", "files", "bytes", "sha256"])
def test_values_of_other_types_are_refused(folder: Path, key: str, value: str) -> None:
    """No value of a manifest, whatever its type, gives anything but an error that amlc raises."""
    content = json.loads((folder / MANIFEST).read_text())
    (content if key in content else content["files"]["a.json"])[key] = "VALUE"
    (folder / MANIFEST).write_text(json.dumps(content).replace('"VALUE"', value))
    with pytest.raises(ModelError):
        version(folder)


def test_a_huge_manifest_is_refused(folder: Path) -> None:
    """A manifest that is too long is refused without reading it to its end."""
    (folder / MANIFEST).write_bytes(b" " * (2**20 + 1))
    with pytest.raises(ModelError, match="longer than"):
        version(folder)


def test_a_folder_without_manifest_is_refused(tmp_path: Path) -> None:
    """The message says how to make a bundle."""
    with pytest.raises(ModelError, match=r"manifest\.json: No such file.*dvc repro bundle"):
        version(tmp_path)


def test_a_manifest_has_the_version_of_the_package(folder: Path) -> None:
    """The manifest and the distribution take the version from the package."""
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "amlc.__version__"}
    assert json.loads((folder / MANIFEST).read_text())["amlc"] == __version__
