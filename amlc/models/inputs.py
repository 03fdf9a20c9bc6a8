"""The features that each model sees: DVC fits a model again when one of them changes."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from amlc import params
from amlc.errors import DataError
from amlc.features.blocks import BlockName, block_path
from amlc.files import replacing_folder, write_text
from amlc.import_closure import checksums


class _Section(params.Settings, extra="ignore"):
    """The key that says what a model sees."""

    blocks: list[BlockName]


def block_names(model: str, section: dict[str, Any]) -> list[BlockName]:
    """Return the blocks that a model's section of params.yaml names.

    Raises
    ------
    ParamsError
        The section has no list of known blocks.
    """
    return params.check(_Section, section, f"train.{model}", params.PATH).blocks


def write_input_lists(
    features: Path, folder: Path, blocks: Mapping[str, Iterable[BlockName]]
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

    Raises
    ------
    DataError
        A block has no file.
    """
    hashes: dict[str, str] = {}
    for name in sorted({name for names in blocks.values() for name in names}):
        path = block_path(features, name)
        if not path.is_file():
            raise DataError(f"{path}: no such file; run the stage {name}")
        hashes[name] = checksums(Path(), [path])
    with replacing_folder(folder) as temporary:
        for model, names in blocks.items():
            write_text(temporary / f"{model}.txt", "".join(hashes[name] for name in sorted(names)))
