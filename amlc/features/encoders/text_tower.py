"""An encoder of texts: a pretrained transformer, its tokenizer and its pooling."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - PyTorch's own convention
from torch import Tensor, nn

from amlc.errors import ModelError
from amlc.features.encoders.pretrained import load_model, load_tokenizer, save_model
from amlc.features.encoders.sentence_modules import SentenceConfig, read_sentence_config
from amlc.features.encoders.settings import Pooling
from amlc.features.encoders.sources import Source

# A model without absolute positions reads texts of any length.
_MAX_TOKENS = 8192


class TextTower(nn.Module):
    """A transformer whose output is one vector per text.

    Parameters
    ----------
    model : nn.Module
        Any encoder of transformers.
    tokenizer : Any
        Its tokenizer.
    config : SentenceConfig
        Pooling, length and normalisation.

    Attributes
    ----------
    width : int
        Length of the vectors.
    tokens : int
        Texts are cut at so many tokens, special ones included.
    """

    def __init__(self, model: nn.Module, tokenizer: Any, config: SentenceConfig) -> None:
        super().__init__()
        self.model = model
        self.tokenizer = tokenizer
        self.config = config
        assert config.tokens is not None
        self.tokens = config.tokens
        with torch.no_grad():
            self.width = int(self(*self.pad(self.tokenize(["a"]))).shape[1])

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the tokens of texts, special ones included, cut at `tokens`."""
        if not texts:
            return []
        if self.config.lower_case:
            texts = [text.lower() for text in texts]
        encoded = self.tokenizer(
            list(texts), truncation=True, max_length=self.tokens, return_attention_mask=False
        )
        ids: list[list[int]] = encoded["input_ids"]
        return ids

    def pad(self, ids: Sequence[Sequence[int]], length: int | None = None) -> tuple[Tensor, Tensor]:
        """Return tokens as a rectangle.

        Parameters
        ----------
        ids : sequence of sequence of int, length n
            As `tokenize` returns them.
        length : int, optional
            The number of columns; by default that of the longest text.

        Returns
        -------
        input_ids, attention_mask : Tensor of int64, shape (n, length)
        """
        length = length or max(map(len, ids))
        tokens = torch.full((len(ids), length), int(self.tokenizer.pad_token_id))
        mask = torch.zeros((len(ids), length), dtype=torch.int64)
        for row, values in enumerate(ids):
            tokens[row, : len(values)] = torch.tensor(values)
            mask[row, : len(values)] = 1
        return tokens, mask

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return the pooled vectors.

        Parameters
        ----------
        input_ids, attention_mask : Tensor of int64, shape (n, length)
            As `pad` returns them.

        Returns
        -------
        Tensor of float32, shape (n, width)
        """
        output = self.model(input_ids=input_ids, attention_mask=attention_mask)
        if self.config.pooling == "model":
            pooled = output.pooler_output.float()
        elif self.config.pooling == "cls":
            pooled = output.last_hidden_state[:, 0].float()
        else:
            weights = attention_mask[:, :, None].float()
            total = (output.last_hidden_state.float() * weights).sum(dim=1)
            pooled = total / weights.sum(dim=1).clamp(min=1)
        return F.normalize(pooled, dim=1) if self.config.normalise else pooled

    def save(self, folder: Path) -> None:
        """Write weights as safetensors, with tokenizer and configuration.

        `load_text_tower` reads them with the same `pooling` and `tokens`; equal towers give equal
        bytes.
        """
        folder.mkdir(parents=True, exist_ok=True)
        save_model(self.model, folder)
        # The tokenizer keeps the length of its last call, which would then depend on what ran.
        self.tokenizer.backend_tokenizer.no_truncation()
        self.tokenizer.backend_tokenizer.no_padding()
        self.tokenizer.save_pretrained(folder)
        self.config.save(folder)


def load_text_tower(source: Source, pooling: Pooling, tokens: int | None) -> TextTower:
    """Load an encoder of texts.

    Parameters
    ----------
    source : Source
        Its folder: of transformers or of sentence-transformers.
    pooling : str
        "mean" or "cls" of the last layer's vectors, or "model": as sentence-transformers' modules
        say, else the model's own pooler.
    tokens : int, optional
        Where texts are cut; None: where the model cuts them.

    Raises
    ------
    ModelError
        The folder cannot be loaded, the model has no pooling of its own, or it reads fewer tokens.
    """
    given = read_sentence_config(source.path)
    folder = source.path / given.folder if given is not None else source.path
    if pooling != "model" or given is None:
        given = SentenceConfig(
            pooling, normalise=False, **(given.reading() if given is not None else {})
        )
    model = load_model(folder, own_pooler=given.pooling == "model")
    model = getattr(model, "text_model", model)
    tokenizer = load_tokenizer(folder)
    limit = _limit(model, tokenizer)
    own = min(given.tokens or limit, limit)
    if tokens is not None and tokens > limit:
        raise ModelError(f"{folder}: the model reads {limit} tokens, not {tokens}: lower `tokens`")
    if given.pooling == "model" and not _has_pooler(model):
        raise ModelError(f"{folder}: the model has no pooling of its own: take mean or cls")
    return TextTower(model, tokenizer, given.with_tokens(tokens or own))


def _limit(model: Any, tokenizer: Any) -> int:
    positions = getattr(model.config, "max_position_embeddings", None) or _MAX_TOKENS
    # RoBERTa and MPNet count positions from behind the one for padding.
    embeddings: Any = getattr(model, "embeddings", None)
    padding = getattr(getattr(embeddings, "position_embeddings", None), "padding_idx", None)
    if padding is not None:
        positions -= padding + 1
    # Tokenizers without a limit name a very large one.
    return int(min(positions, tokenizer.model_max_length, _MAX_TOKENS))


def _has_pooler(model: Any) -> bool:
    # CLIP's text model has no module of this name, but takes the vector of the last token.
    return getattr(model, "pooler", None) is not None or hasattr(model, "final_layer_norm")
