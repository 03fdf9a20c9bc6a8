"""Settings and products for tests of the model fusion, with tiny towers."""

import copy
from pathlib import Path
from typing import Any

import numpy as np

from amlc.features.content import Content
from amlc.models.fusion.settings import FusionSettings
from tests.helpers.deep import WORDS, make_image_model, make_text_model
from tests.helpers.learning import COMMON, Catalogue, make_products
from tests.helpers.pictures import jpeg

SECTION: dict[str, Any] = {
    **COMMON,
    "blocks": ["tabular", "neighbours"],
    "encoder_norm": 1.0,
    "text": None,
    "image": None,
    "loss": "smape",
    "epochs": 3,
    "batch_size": 16,
    "accumulation": 1,
    "learning_rate": 1e-3,
    "layer_decay": 0.9,
    "head_learning_rate": 1e-2,
    "warm_up": 0.1,
    "schedule": "cosine",
    "weight_decay": 0.01,
    "max_norm": 1.0,
    "hidden_size": 16,
    "bins": 4,
    "dropout": 0.1,
    "precision": "float32",
    "weight_average": None,
    "lora_rank": None,
    "gradient_checkpointing": False,
    "early_stopping_epochs": 0,
    "networks": 1,
    "augment": {
        "drop_bullets": 0.0,
        "mask_words": 0.0,
        "crop": 0.0,
        "flip": 0.0,
        "colour": 0.0,
        "erase": 0.0,
    },
    "devices": ["cpu"],
    "accelerate": None,
    "checkpoints": {"seconds": 300.0, "days": 1.0, "count": 4},
}
LAYOUT = ["title", "quantity", "pack", "bullets", "description"]
# The words that name a product's brand.
BRANDS = WORDS[7:13]


def text_tower(folder: Path, name: str = "bert") -> dict[str, Any]:
    """Write a tiny text tower, and return the settings of its section."""
    model = str(make_text_model(folder, name))
    return {"model": model, "revision": None, "pooling": "mean", "tokens": 24, "layouts": [LAYOUT]}


def image_tower(folder: Path, name: str = "vit") -> dict[str, Any]:
    """Write a tiny image tower, and return the settings of its section."""
    model = str(make_image_model(folder, name))
    pooling = "model" if name == "resnet" else "mean"
    return {"model": model, "revision": None, "pooling": pooling, "architecture": None}


def settings(**changes: Any) -> FusionSettings:
    """Return settings with some changes; those in mappings are merged."""
    section = copy.deepcopy(SECTION)
    for key, value in changes.items():
        merged = key in {"augment", "checkpoints"}
        section[key] = {**section[key], **value} if merged else value
    return FusionSettings.model_validate(section)


def make_catalogue(rows: int, seed: int = 1) -> Catalogue:
    """Return products whose texts name their brand; some have no text, or no picture.

    The brand is not among the columns, and explains most of the price.
    """
    blocks, target, products = make_products(rows, seed)
    assert blocks.tabular is not None
    brands = [int(key.removeprefix("brand ")) for key in blocks.tabular.keys[:, 0]]
    frame = blocks.tabular.to_frame().assign(key_brand="")
    texts = [
        f"Item Name: {BRANDS[brand]} tea, pack of 6\nBullet Point 1: sweet\nBullet Point 2: black"
        if row % 10
        else ""
        for row, brand in enumerate(brands)
    ]
    pictures = [[jpeg(brand)] if row % 3 else [] for row, brand in enumerate(brands)]
    content = Content.of_files(texts, pictures)
    tabular = type(blocks.tabular).from_frame(frame)
    return blocks.assign(tabular=tabular, content=content), target, products


def first(count: int) -> np.ndarray[Any, Any]:
    """Return the positions of the first rows."""
    return np.arange(count)
