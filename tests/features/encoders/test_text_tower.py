"""Encoders of texts: loading, pooling, saving."""

from pathlib import Path

import pytest

from tests.helpers.deep import TEXT_MODELS, make_text_model, skip_without_deep

skip_without_deep()

import torch
from safetensors.torch import load_file, save_file

from amlc.errors import ModelError
from amlc.features.encoders.settings import Pooling
from amlc.features.encoders.sources import find_source
from amlc.features.encoders.text_tower import TextTower, load_text_tower

TEXTS = ["Green tea, 20 bags", "Soda", "", "black tea " * 30]


def load(folder: Path, pooling: Pooling = "mean", tokens: int | None = 16) -> TextTower:
    """Load a tower from a folder."""
    return load_text_tower(find_source(str(folder), None), pooling, tokens)


def vectors(tower: TextTower, texts: list[str] = TEXTS) -> torch.Tensor:
    """Return the vectors of texts, computed together."""
    with torch.inference_mode():
        pooled: torch.Tensor = tower(*tower.pad(tower.tokenize(texts)))
    return pooled


@pytest.mark.parametrize("name", TEXT_MODELS)
@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_every_architecture_gives_one_vector_per_text(
    name: str, pooling: Pooling, tmp_path: Path
) -> None:
    """The vectors are finite, differ, and have the width of the tower."""
    tower = load(make_text_model(tmp_path, name), pooling)
    pooled = vectors(tower)
    assert pooled.shape == (4, tower.width) == (4, 16)
    assert pooled.isfinite().all()
    assert (pooled[0] - pooled[1]).abs().max() > 1e-3


@pytest.mark.parametrize("name", TEXT_MODELS)
def test_padding_does_not_change_a_vector(name: str, tmp_path: Path) -> None:
    """A text alone has the vector that it has beside longer ones."""
    tower = load(make_text_model(tmp_path, name))
    together = vectors(tower)
    alone = torch.cat([vectors(tower, [text]) for text in TEXTS])
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-6)


def test_texts_are_cut_at_tokens(tmp_path: Path) -> None:
    """The special tokens at both ends count and are kept."""
    tower = load(make_text_model(tmp_path), tokens=6)
    ids = tower.tokenize(["green tea black tea soda pack of"])
    assert [len(row) for row in ids] == [6]
    assert (ids[0][0], ids[0][-1]) == (2, 3)


def test_more_tokens_than_the_model_reads_are_refused(tmp_path: Path) -> None:
    """The error names the model's limit."""
    folder = make_text_model(tmp_path)
    with pytest.raises(ModelError, match="reads 40 tokens, not 41"):
        load(folder, tokens=41)


@pytest.mark.parametrize(("mode", "pooling"), [("mean_tokens", "mean"), ("cls_token", "cls")])
def test_modules_of_sentence_transformers_are_followed(
    mode: str, pooling: Pooling, tmp_path: Path
) -> None:
    """Its pooling, length and normalisation count where pooling is the model's own."""
    folder = make_text_model(tmp_path, pooling=mode)
    own, plain = load(folder, "model", None), load(folder, pooling, None)
    assert own.tokens == plain.tokens == 24
    expected = torch.nn.functional.normalize(vectors(plain), dim=1)
    torch.testing.assert_close(vectors(own), expected)


def test_unknown_modules_are_refused(tmp_path: Path) -> None:
    """A module that would be left out silently stops loading."""
    folder = make_text_model(tmp_path, pooling="mean_tokens")
    (folder / "modules.json").write_text(
        '[{"path": "", "type": "a.Transformer"}, {"path": "1", "type": "a.Dense"}]'
    )
    with pytest.raises(ModelError, match="got Transformer, Dense"):
        load(folder)


def test_weights_missing_in_the_files_are_refused(tmp_path: Path) -> None:
    """Transformers would fill them with random numbers."""
    folder = make_text_model(tmp_path)
    state = load_file(folder / "model.safetensors")
    del state["encoder.layer.1.output.dense.weight"]
    save_file(state, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelError, match="1 weights are missing"):
        load(folder)


def test_a_model_without_its_own_pooling_says_so(tmp_path: Path) -> None:
    """The error names the poolings that there are."""
    folder = make_text_model(tmp_path, "deberta-v2")
    with pytest.raises(ModelError, match="take mean or cls"):
        load(folder, "model")


def test_remote_code_is_never_run(tmp_path: Path) -> None:
    """A configuration that asks for it is refused."""
    folder = make_text_model(tmp_path)
    (folder / "config.json").write_text(
        '{"model_type": "strange", "auto_map": {"AutoModel": "code.Model", "AutoConfig": "code.C"}}'
    )
    (folder / "code.py").write_text("raise SystemExit('run')")
    with pytest.raises(ModelError, match="cannot be loaded as an encoder"):
        load(folder)


@pytest.mark.parametrize("pooling", [None, "mean_tokens"])
def test_a_saved_tower_gives_the_same_vectors(pooling: str | None, tmp_path: Path) -> None:
    """Saving it again gives the same bytes, whatever was tokenized before."""
    folder = make_text_model(tmp_path / "made", pooling=pooling)
    tower = load(folder, "model")
    expected = vectors(tower)
    tower.save(tmp_path / "saved")
    again = load(tmp_path / "saved", "model")
    assert torch.equal(vectors(again), expected)
    again.save(tmp_path / "again")
    for path in sorted((tmp_path / "saved").rglob("*.*")):
        other = tmp_path / "again" / path.relative_to(tmp_path / "saved")
        assert path.is_dir() or path.read_bytes() == other.read_bytes(), path.name
