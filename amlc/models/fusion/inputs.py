"""What a network computes with: dense columns, tokens and pictures of the same rows."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from amlc.arrays import Floats32, Ints64, Rows
from amlc.errors import ModelError
from amlc.models.design import Design
from amlc.models.fusion.settings import FusionSettings
from amlc.models.fusion.text import Tokens, Vocabulary, tokenize

# Batches that are sorted by length together: enough to save padding, few enough to stay random.
WINDOW = 32


@dataclass(frozen=True)
class Inputs:
    """The inputs of rows.

    Parameters
    ----------
    dense : ndarray of float32, shape (n, columns)
        Standardised.
    texts : tuple of Tokens
        One for each layout; none without a text tower.
    vocabulary : Vocabulary or None
        The special tokens.
    pictures : list of tuple of bytes or None
        JPEG files of each row, which may be none; None without an image tower.
    """

    dense: Floats32
    texts: tuple[Tokens, ...]
    vocabulary: Vocabulary | None
    pictures: Sequence[tuple[bytes, ...]] | None

    def __len__(self) -> int:
        return len(self.dense)

    def lengths(self, layout: int, limit: int) -> Ints64:
        """Return the number of tokens of each row, at most `limit`; 0 without a text tower."""
        if not self.texts:
            return np.zeros(len(self), np.int64)
        return np.minimum(self.texts[layout].lengths, limit)

    @property
    def picture_counts(self) -> Ints64:
        """The number of pictures of each row; 0 without an image tower."""
        if self.pictures is None:
            return np.zeros(len(self), np.int64)
        return np.fromiter(map(len, self.pictures), np.int64, len(self))

    def digest(self) -> str:
        """Return the SHA-256 of everything in them."""
        digest = hashlib.sha256(self.dense.tobytes())
        for tokens in self.texts:
            for array in (tokens.ids, tokens.word_start, tokens.segments, tokens.rows):
                digest.update(array.tobytes())
        digest.update(repr(self.vocabulary).encode())
        for files in self.pictures or ():
            digest.update(len(files).to_bytes(4, "little"))
            for body in files:
                digest.update(hashlib.sha256(body).digest())
        return digest.hexdigest()


def make_inputs(
    design: Design, settings: FusionSettings, tokenizer: Any, *, lower_case: bool = False
) -> Inputs:
    """Tokenise the texts and find the pictures of a design's rows.

    Parameters
    ----------
    design : Design
        With its content.
    settings : FusionSettings
        The towers.
    tokenizer : Any
        That of the text tower; not used without one.
    lower_case : bool
        Whether texts become lower case before the tokenizer.

    Raises
    ------
    ModelError
        The design has no content.
    """
    content = design.content
    if content is None:
        raise ModelError("the model fusion needs the block content: texts and pictures")
    texts: tuple[Tokens, ...] = ()
    if settings.text is not None:
        raw = [text.lower() for text in content.texts] if lower_case else content.texts.tolist()
        texts = tuple(
            tokenize(tokenizer, raw, layout, settings.text.tokens)
            for layout in settings.text.layouts
        )
    vocabulary = None if settings.text is None else Vocabulary.of(tokenizer)
    pictures = None if settings.image is None else content.jpegs()
    return Inputs(design.dense, texts, vocabulary, pictures)


def training_batches(lengths: Ints64, batch_size: int, rng: np.random.Generator) -> list[Rows]:
    """Return the rows of each batch of one epoch, in random order, similar lengths together.

    Parameters
    ----------
    lengths : ndarray of int64, shape (n,)
        Tokens of each row.
    batch_size : int
        Rows of each batch; the last one of all may have fewer.
    rng : Generator
        Draws the order.
    """
    order = rng.permutation(len(lengths))
    batches: list[Rows] = []
    for start in range(0, len(order), WINDOW * batch_size):
        window = order[start : start + WINDOW * batch_size]
        window = window[np.argsort(lengths[window], kind="stable")]
        batches += [window[at : at + batch_size] for at in range(0, len(window), batch_size)]
    return [batches[index] for index in rng.permutation(len(batches))]


def prediction_batches(lengths: Ints64, picture_counts: Ints64, batch_size: int) -> Iterator[Rows]:
    """Yield the rows of each batch, sorted by length, the longest first.

    Parameters
    ----------
    lengths, picture_counts : ndarray of int64, shape (n,)
        The number of tokens and of pictures of each row.
    batch_size : int
        The largest number of rows, and of pictures where there are more; rows with several
        pictures have batches of their own.
    """
    order = np.argsort(-lengths, kind="stable")
    has_several = picture_counts[order] > 1
    most = int(picture_counts.max(initial=1))
    for rows, size in (
        (order[~has_several], batch_size),
        (order[has_several], max(1, batch_size // most)),
    ):
        yield from (rows[start : start + size] for start in range(0, len(rows), size))
