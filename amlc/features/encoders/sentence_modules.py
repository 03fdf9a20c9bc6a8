"""How sentence-transformers lays out a model in a folder: which modules, which pooling."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from amlc.errors import ModelError
from amlc.features.encoders.settings import Pooling
from amlc.features.encoders.sources import read_model_json
from amlc.files import write_json

_MODULES = "modules.json"
_READING = "sentence_bert_config.json"
_POOLING = "1_Pooling"
# The names that its releases gave to the poolings that are known here.
_MODES: dict[str, Pooling] = {
    "pooling_mode_mean_tokens": "mean",
    "mean": "mean",
    "pooling_mode_cls_token": "cls",
    "cls": "cls",
}


@dataclass(frozen=True)
class SentenceConfig:
    """What surrounds the transformer.

    Parameters
    ----------
    pooling : str
        "mean", "cls", or "model" for the transformer's own pooler.
    normalise : bool
        Whether vectors get the length 1.
    tokens : int or None
        Where texts are cut.
    lower_case : bool
        Whether texts become lower case before the tokenizer.
    folder : str
        Where the transformer is, relative to the folder.
    """

    pooling: Pooling
    normalise: bool
    tokens: int | None = None
    lower_case: bool = False
    folder: str = ""

    def with_tokens(self, tokens: int) -> Self:
        """Return the configuration with another length of texts."""
        return replace(self, tokens=tokens)

    def reading(self) -> dict[str, Any]:
        """Return what concerns how texts are read, not what becomes of their vectors."""
        return {"tokens": self.tokens, "lower_case": self.lower_case, "folder": self.folder}

    def save(self, folder: Path) -> None:
        """Write the configuration as sentence-transformers does; nothing for the model's own."""
        write_json(
            folder / _READING, {"max_seq_length": self.tokens, "do_lower_case": self.lower_case}
        )
        if self.pooling == "model":
            return
        names = ["Transformer", "Pooling", *(["Normalize"] if self.normalise else [])]
        paths = ["", _POOLING, "2_Normalize"]
        modules = [
            {
                "idx": index,
                "name": str(index),
                "path": paths[index],
                "type": f"sentence_transformers.models.{name}",
            }
            for index, name in enumerate(names)
        ]
        write_json(folder / _MODULES, modules)
        modes = {key: value == self.pooling for key, value in _MODES.items() if "_" in key}
        write_json(folder / _POOLING / "config.json", modes)


def read_sentence_config(folder: Path) -> SentenceConfig | None:
    """Read the modules of a folder; None if it has none, because it is transformers' own.

    Raises
    ------
    ModelError
        It has modules or a pooling that are not known here.
    """
    path = folder / _MODULES
    modules = read_model_json(path)
    if modules is None:
        return None
    try:
        paths = {str(module["type"]).rpartition(".")[2]: str(module["path"]) for module in modules}
    except (TypeError, KeyError):
        raise ModelError(f"{path}: not a list of modules") from None
    unknown = sorted(paths.keys() - {"Transformer", "Pooling", "Normalize"})
    if unknown or "Transformer" not in paths or "Pooling" not in paths:
        raise ModelError(
            f"{path}: expected the modules Transformer, Pooling and Normalize, got "
            f"{', '.join(paths)}; set pooling to mean or cls and remove the file"
        )
    if any(Path(part).is_absolute() or ".." in Path(part).parts for part in paths.values()):
        raise ModelError(f"{path}: names a folder outside of its own")
    reading = read_model_json(folder / paths["Transformer"] / _READING) or {}
    length = reading.get("max_seq_length")
    return SentenceConfig(
        _pooling(folder / paths["Pooling"] / "config.json"),
        normalise="Normalize" in paths,
        tokens=None if length is None else int(length),
        lower_case=bool(reading.get("do_lower_case", False)),
        folder=paths["Transformer"],
    )


def _pooling(path: Path) -> Pooling:
    content = read_model_json(path)
    if not isinstance(content, dict):
        raise ModelError(f"{path}: missing, or not a mapping")
    modes = [
        key for key, value in content.items() if key.startswith("pooling_mode_") and value is True
    ]
    if isinstance(content.get("pooling_mode"), str):
        modes.append(content["pooling_mode"])
    if len(modes) != 1 or modes[0] not in _MODES:
        raise ModelError(f"{path}: expected the pooling mean or cls, got {', '.join(modes)}")
    return _MODES[modes[0]]
