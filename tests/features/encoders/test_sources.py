"""Where the weights of an encoder are."""

import hashlib
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from amlc.errors import MissingExtraError, ModelError
from amlc.features.encoders.sources import Source, find_source, read_model_json


def test_a_folder_is_used_as_it_is(tmp_path: Path) -> None:
    """A local folder has no revision, and its hash is that of its only file with weights."""
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    (tmp_path / "config.json").write_bytes(b"{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"not read")
    source = find_source(str(tmp_path), None)
    assert source == Source(tmp_path, None)
    assert source.sha256() == hashlib.sha256(b"weights").hexdigest()
    assert [path.name for path in source.files()] == ["config.json", "model.safetensors"]


def test_the_fingerprint_covers_every_file_that_is_read(tmp_path: Path) -> None:
    """Another tokenizer gives other vectors with the same weights."""
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    (tmp_path / "tokenizer.json").write_bytes(b"{}")
    source = Source(tmp_path, None)
    before = source.fingerprint(), source.sha256()
    (tmp_path / "tokenizer.json").write_bytes(b"[]")
    after = source.fingerprint(), source.sha256()
    assert before[0] != after[0]
    assert before[1] == after[1]


@pytest.mark.parametrize("model", ["/no/such/folder", "./missing", "~missing/model", "a/b/c"])
def test_a_missing_folder_is_not_looked_for_on_the_hub(model: str) -> None:
    """A path is never sent to the network."""
    with pytest.raises(ModelError, match="no such file or folder"):
        find_source(model, None)


def test_a_folder_has_no_revision(tmp_path: Path) -> None:
    """A revision that would be ignored is refused."""
    with pytest.raises(ModelError, match="has no revision"):
        find_source(str(tmp_path), "main")


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    """The error lists the suffixes."""
    path = tmp_path / "weights.onnx"
    path.touch()
    with pytest.raises(ModelError, match=r"\*.safetensors"):
        find_source(str(path), None)


def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    """The error names the folder."""
    with pytest.raises(ModelError, match="holds no weights"):
        Source(tmp_path, None).sha256()


def test_a_model_on_the_hub_needs_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the command that installs it."""
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingExtraError, match="make deep, or pip install"):
        find_source("sentence-transformers/all-MiniLM-L6-v2", None)


class FakeHub:
    """Stands for the package huggingface_hub; it records which calls would ask the network."""

    errors = SimpleNamespace(HfHubHTTPError=ConnectionError)

    def __init__(self, cached: Path | None, online: Path | None) -> None:
        self.folders = {True: cached, False: online}
        self.offline: list[bool] = []
        self.patterns: list[list[str]] = []

    def snapshot_download(
        self,
        model: str,
        *,
        revision: str | None,
        allow_patterns: list[str],
        local_files_only: bool,
    ) -> str:
        """Return the folder of a model, or fail as the real one does."""
        self.offline.append(local_files_only)
        self.patterns.append(allow_patterns)
        folder = self.folders[local_files_only]
        if folder is None:
            raise ConnectionError(f"no network for {model} {revision}")
        return str(folder)


@pytest.fixture
def snapshot(tmp_path: Path) -> Path:
    """Return a snapshot as in the hub's cache, named after its commit."""
    folder = tmp_path / ("0123456789" * 4)
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


def test_what_is_in_the_cache_is_not_asked_of_the_network(
    snapshot: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The revision is the commit."""
    hub = FakeHub(cached=snapshot, online=None)
    monkeypatch.setitem(sys.modules, "huggingface_hub", hub)
    assert find_source("a/b", "main") == Source(snapshot, "0123456789" * 4)
    assert hub.offline == [True]


def test_a_cache_without_weights_is_filled(
    snapshot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another program may have fetched only the configuration; no code and no pickle is fetched."""
    (tmp_path / "empty").mkdir()
    hub = FakeHub(cached=tmp_path / "empty", online=snapshot)
    monkeypatch.setitem(sys.modules, "huggingface_hub", hub)
    assert find_source("a/b", None).path == snapshot
    assert hub.offline == [True, False]
    assert not [pattern for pattern in hub.patterns[-1] if pattern.endswith((".py", ".bin"))]


def test_a_hub_that_cannot_be_reached_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what to do instead."""
    monkeypatch.setitem(sys.modules, "huggingface_hub", FakeHub(None, None))
    with pytest.raises(ModelError, match="no network for a/b None; set model to a local folder"):
        find_source("a/b", None)


@pytest.mark.parametrize("content", [b"{", b"\xff", b" " * (33 * 2**20)])
def test_a_broken_configuration_is_one_sentence(content: bytes, tmp_path: Path) -> None:
    """Neither its size nor its bytes matter."""
    path = tmp_path / "config.json"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"config\.json"):
        read_model_json(path)
