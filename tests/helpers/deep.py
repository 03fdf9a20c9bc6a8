"""Tiny pretrained models with random weights, for tests that need the extra `deep`."""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from amlc.features.encoders.runtime import PACKAGES

WORDS = (
    *("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", ","),
    *("green", "black", "tea", "bags", "soda", "pack", "of", "oz", "count", "sweet", "20", "6"),
)
_SMALL: dict[str, Any] = {
    "vocab_size": len(WORDS),
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 40,
}
_VISION: dict[str, Any] = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "image_size": 32,
    "patch_size": 16,
}
# The name of each model's configuration and class in transformers, and its sizes.
TEXT_MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "bert": ("Bert", _SMALL),
    "mpnet": ("MPNet", _SMALL),
    "deberta-v2": ("DebertaV2", {**_SMALL, "relative_attention": True, "pos_att_type": ["c2p"]}),
}
IMAGE_MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "vit": ("ViT", _VISION),
    "clip": (
        "CLIP",
        {"text_config": {**_SMALL, "eos_token_id": 3}, "vision_config": _VISION},
    ),
    "clip-vision": ("CLIPVision", _VISION),
    "siglip": ("SiglipVision", _VISION),
    "dinov2": ("Dinov2", _VISION),
    "resnet": (
        "ResNet",
        {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "layer_type": "basic"},
    ),
    "convnext": ("ConvNext", {"hidden_sizes": [8, 16], "depths": [1, 1], "num_stages": 2}),
}
PREPROCESSING: dict[str, Any] = {
    "do_resize": True,
    "size": {"shortest_edge": 36},
    "do_center_crop": True,
    "crop_size": {"height": 32, "width": 32},
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
}


def skip_without_deep() -> None:
    """Skip the test, or the module that calls this at its top, where the extra is missing."""
    if any(find_spec(name) is None for name in PACKAGES):
        pytest.skip("the extra deep is not installed: run make deep", allow_module_level=True)


def make_text_model(folder: Path, name: str = "bert", *, pooling: str | None = None) -> Path:
    """Write a tiny model of texts with a tokenizer of words.

    With a pooling, the folder is one of sentence-transformers, whose vectors have the length 1.
    """
    _save_random(folder, *TEXT_MODELS[name])
    _save_tokenizer(folder)
    if pooling is not None:
        names = {"": "Transformer", "1_Pooling": "Pooling", "2_Normalize": "Normalize"}
        modules = [
            {"path": path, "type": f"sentence_transformers.models.{kind}"}
            for path, kind in names.items()
        ]
        _write(folder / "modules.json", modules)
        _write(folder / "1_Pooling" / "config.json", {f"pooling_mode_{pooling}": True})
        _write(folder / "sentence_bert_config.json", {"max_seq_length": 24})
    return folder


def make_image_model(folder: Path, name: str = "vit") -> Path:
    """Write a tiny model of pictures with its preprocessing."""
    _save_random(folder, *IMAGE_MODELS[name])
    _write(folder / "preprocessor_config.json", PREPROCESSING)
    return folder


def _save_random(folder: Path, name: str, sizes: dict[str, Any]) -> None:
    import torch  # noqa: PLC0415 - may not be installed
    import transformers  # noqa: PLC0415 - may not be installed

    config = getattr(transformers, f"{name}Config")(**sizes)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = getattr(transformers, f"{name}Model")(config)
    model.save_pretrained(folder)


def _save_tokenizer(folder: Path) -> None:
    import transformers  # noqa: PLC0415 - may not be installed
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors  # noqa: PLC0415 - may not be installed

    tokenizer = Tokenizer(models.WordLevel({word: row for row, word in enumerate(WORDS)}, "[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_max_length=40,
    ).save_pretrained(folder)


def _write(path: Path, content: Any) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content))
