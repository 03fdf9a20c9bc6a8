"""The extra `deep`: what happens without it."""

from pathlib import Path

import pytest

from amlc.errors import MissingExtraError
from amlc.features.encoders import runtime
from stages import encode


def test_an_encoder_needs_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the key of params.yaml and the command that installs the extra."""
    section = "{kind: text, model: a, revision: null, pooling: cls, tokens: 9, batch_size: 1, "
    params = f"threads: 1\nencoders:\n  words: {section}precision: float32}}\n"
    (tmp_path / "params.yaml").write_text(params)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(runtime, "find_spec", lambda _: None)
    message = "encoders.words needs the extra 'deep': run make deep, or pip install"
    with pytest.raises(MissingExtraError, match=message):
        encode.main()
    assert not (tmp_path / "data").exists()


def test_an_installed_extra_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is imported for it."""
    monkeypatch.setattr(runtime, "find_spec", lambda _: object())
    runtime.require_deep("an encoder")
