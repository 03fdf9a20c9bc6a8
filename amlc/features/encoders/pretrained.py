"""Load and save pretrained models by transformers: no remote code, no pickles, no silent gaps."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors import SafetensorError

from amlc.errors import ModelError, first_few

# A model without these is complete unless its own pooling is asked for.
_POOLER = "pooler."
_LOADING_ERRORS = (
    OSError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ImportError,
    RuntimeError,
    SafetensorError,
)


@contextmanager
def loading_errors(path: Path) -> Iterator[None]:
    """Turn what the libraries raise for a broken or unknown model into one sentence."""
    try:
        yield
    except _LOADING_ERRORS as error:
        reason = first_few(str(error).strip().splitlines() or [type(error).__name__], count=1)
        raise ModelError(f"{path}: cannot be loaded as an encoder: {reason}") from None


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence transformers' own bars and reports; what matters of them becomes an error."""
    log = transformers.utils.logging
    level, bars = log.get_verbosity(), log.is_progress_bar_enabled()
    log.set_verbosity_error()
    log.disable_progress_bar()
    # Its messages about a tokenizer come from the root of its loggers.
    logging.getLogger("transformers").setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.set_verbosity(level)
        if bars:
            log.enable_progress_bar()


def load_model(folder: Path, *, own_pooler: bool) -> Any:
    """Load the weights of a folder into the model that its config.json names, in float32.

    Parameters
    ----------
    folder : Path
        With config.json and weights.
    own_pooler : bool
        Whether the weights of the model's pooler are needed.

    Raises
    ------
    ModelError
        The folder cannot be read, its architecture is not known to transformers, or weights are
        missing in it.
    """
    with loading_errors(folder), _quiet():
        model, report = transformers.AutoModel.from_pretrained(
            folder,
            local_files_only=True,
            trust_remote_code=False,
            dtype=torch.float32,
            output_loading_info=True,
        )
    gaps = [*report["missing_keys"], *(key for key, *_ in report.get("mismatched_keys", ()))]
    missing = sorted(key for key in gaps if own_pooler or _POOLER not in key)
    if missing:
        raise ModelError(
            f"{folder}: {len(missing)} weights are missing in the model's files, or have another "
            f"shape: {first_few(missing)}; take another pooling, or another model"
        )
    return model.eval()


def load_tokenizer(folder: Path) -> Any:
    """Load the tokenizer of a folder.

    Raises
    ------
    ModelError
        There is none, or it is broken.
    """
    with loading_errors(folder), _quiet():
        tokenizer = transformers.AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
    if tokenizer.pad_token_id is None:
        raise ModelError(f"{folder}: its tokenizer has no token for padding")
    return tokenizer


def save_model(model: Any, folder: Path) -> None:
    """Write a model's config.json and its weights as safetensors; equal models give equal bytes."""
    with _quiet():
        model.save_pretrained(folder)


def copy_state(model: Any) -> dict[str, torch.Tensor]:
    """Return the state of a module, contiguous and on the CPU, as safetensors stores it."""
    return {key: value.detach().cpu().contiguous() for key, value in model.state_dict().items()}
