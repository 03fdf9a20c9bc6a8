"""Where the weights of an encoder are."""

import hashlib
from pathlib import Path

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
    monkeypatch.setitem(__import__("sys").modules, "huggingface_hub", None)
    with pytest.raises(MissingExtraError, match="make deep, or pip install"):
        find_source("sentence-transformers/all-MiniLM-L6-v2", None)


@pytest.mark.parametrize("content", [b"{", b"\xff", b" " * (33 * 2**20)])
def test_a_broken_configuration_is_one_sentence(content: bytes, tmp_path: Path) -> None:
    """Neither its size nor its bytes matter."""
    path = tmp_path / "config.json"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"config\.json"):
        read_model_json(path)
