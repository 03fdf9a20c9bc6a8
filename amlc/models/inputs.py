"""The features that each model sees: DVC fits a model again when one of them changes."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from amlc import layout, params
from amlc.catalog.products import ID, PRICE, TEXT, read_links, read_products
from amlc.errors import DataError
from amlc.features.block_names import ENCODERS, BlockName, expand
from amlc.features.blocks import Blocks, block_path
from amlc.features.content import Content
from amlc.files import replacing_folder, write_text
from amlc.images.shards import shard_paths
from amlc.import_closure import checksums


class _Section(params.Settings, extra="ignore"):
    """The keys that say what a model sees."""

    blocks: list[BlockName]
    image: dict[str, Any] | None = None


def block_names(model: str, section: dict[str, Any]) -> list[BlockName]:
    """Return the blocks that a model's section of params.yaml names.

    Raises
    ------
    ParamsError
        The section has no list of known blocks.
    """
    return params.check(_Section, section, f"train.{model}", params.PATH).blocks


def reads_pictures(model: str, section: dict[str, Any]) -> bool:
    """Return whether a model's section of params.yaml has an image tower, which reads pictures."""
    return params.check(_Section, section, f"train.{model}", params.PATH).image is not None


def read_inputs(
    names: Iterable[BlockName], *, with_content: bool = False
) -> tuple[pd.DataFrame, Blocks]:
    """Read the product table and the blocks that a model sees, in the current repository.

    Parameters
    ----------
    names : iterable of str
        The blocks that its settings name.
    with_content : bool
        Whether the model reads texts and pictures as well.

    Raises
    ------
    DataError
        A file is missing or malformed.
    """
    columns = [ID, PRICE, "split", "group", "fold", *([TEXT] if with_content else [])]
    products = read_products(layout.PRODUCTS, columns)
    blocks = Blocks.read(layout.FEATURES, names)
    if with_content:
        links = read_links(layout.PRODUCTS)
        blocks = blocks.assign(content=Content.of_links(products[TEXT], links, layout.IMAGES))
    return products, blocks


def write_input_lists(
    features: Path,
    folder: Path,
    blocks: Mapping[str, Iterable[BlockName]],
    images: Mapping[str, Path] | None = None,
) -> None:
    """Write, for each model, a list of the files of its blocks with their hashes.

    Parameters
    ----------
    features : Path
        The folder of the blocks.
    folder : Path
        The folder of the lists; it is replaced as a whole.
    blocks : mapping of str to iterable of str
        The blocks of each model.
    images : mapping of str to Path, optional
        The folder of the image shards, for each model that reads pictures.

    Raises
    ------
    DataError
        A block has no file.
    """
    blocks = {model: expand(features, names) for model, names in blocks.items()}
    hashes: dict[str, str] = {}
    for name in sorted({name for names in blocks.values() for name in names}):
        path = block_path(features, name)
        if not path.is_file():
            stage = "encode" if name.startswith(ENCODERS) else name
            raise DataError(f"{path}: no such file; run the stage {stage}")
        hashes[name] = checksums(Path(), [path])
    with replacing_folder(folder) as temporary:
        for model, names in blocks.items():
            lines = "".join(hashes[name] for name in sorted(names))
            if images is not None and model in images:
                lines += checksums(Path(), shard_paths(images[model]))
            write_text(temporary / f"{model}.txt", lines)
