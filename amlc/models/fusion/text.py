"""Texts as the text tower reads them: laid out in parts, tokenised once, joined batch by batch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from amlc.arrays import Bools, Ints32, Ints64, Rows
from amlc.catalog.content import Content, parse_content
from amlc.catalog.quantities import parse_quantity
from amlc.models.fusion.settings import Part

# Characters for each token that are tokenised: text beyond them cannot be among the first tokens.
CHARACTERS_PER_TOKEN = 24
# Texts that are tokenised together.
_TEXTS_AT_ONCE = 2048


@dataclass(frozen=True)
class Vocabulary:
    """The special tokens of a tokenizer.

    Parameters
    ----------
    prefix, suffix : tuple of int
        What stands before and after every text.
    padding, mask : int
        The token that fills up a row, and the one that hides a word; if a tokenizer has no mask,
        its unknown token, else its padding.
    """

    prefix: tuple[int, ...]
    suffix: tuple[int, ...]
    padding: int
    mask: int

    @classmethod
    def of(cls, tokenizer: Any) -> "Vocabulary":
        """Read the special tokens from a tokenizer of transformers."""
        whole = list(tokenizer("a")["input_ids"])
        word = list(tokenizer("a", add_special_tokens=False)["input_ids"])
        starts = range(len(whole) - len(word) + 1)
        start = next((at for at in starts if whole[at : at + len(word)] == word), 0)
        padding = tokenizer.pad_token_id
        padding = 0 if padding is None else padding
        candidates = (tokenizer.mask_token_id, tokenizer.unk_token_id, padding)
        mask = next(token for token in candidates if token is not None)
        return cls(tuple(whole[:start]), tuple(whole[start + len(word) :]), padding, mask)


@dataclass(frozen=True)
class Tokens:
    """The tokens of texts in one layout, without special tokens.

    Parameters
    ----------
    ids : ndarray of int32, shape (tokens,)
        The tokens of all segments, one after another.
    word_start : ndarray of bool, shape (tokens,)
        Whether a token begins a word.
    segments : ndarray of int64, shape (segments + 1,)
        Where each segment begins among the tokens.
    bullet : ndarray of bool, shape (segments,)
        Whether a segment is a bullet point.
    rows : ndarray of int64, shape (n + 1,)
        Where each row begins among the segments.
    """

    ids: Ints32
    word_start: Bools
    segments: Ints64
    bullet: Bools
    rows: Ints64

    def __len__(self) -> int:
        return len(self.rows) - 1

    @property
    def lengths(self) -> Ints64:
        """The number of tokens of each row; 0 for one without a text."""
        return np.diff(self.segments[self.rows])

    def take(self, row: int, keep: Bools | None = None) -> tuple[Ints32, Bools]:
        """Return the tokens of one row, and which of them begin a word.

        Parameters
        ----------
        row : int
            The row.
        keep : ndarray of bool, shape (segments of the row,), optional
            Which segments to keep; all by default.
        """
        first, last = self.rows[row], self.rows[row + 1]
        if keep is None or keep.all():
            inside = slice(self.segments[first], self.segments[last])
            return self.ids[inside], self.word_start[inside]
        kept = np.repeat(keep, np.diff(self.segments[first : last + 1]))
        inside = slice(self.segments[first], self.segments[last])
        return self.ids[inside][kept], self.word_start[inside][kept]


def segments_of(
    content: Content, layout: Sequence[Part], characters: int
) -> list[tuple[str, bool]]:
    """Return the parts of a product's text in a layout's order, each with whether it is a bullet.

    Parameters
    ----------
    content : Content
        The parsed fields.
    layout : sequence of str
        The parts, in their order.
    characters : int
        What lies beyond this many characters is left out.

    Examples
    --------
    >>> soda = Content("Soda, Pack of 6", ("Sweet",), "", 72.0, "Fl Oz")
    >>> segments_of(soda, ["quantity", "pack", "bullets"], 100)
    [('72 Fl Oz.', False), ('Pack of 6.', False), ('Sweet.', True)]
    """
    segments: list[tuple[str, bool]] = []
    for part in layout:
        for text in _texts_of(content, part):
            line = " ".join(text[:characters].split()).rstrip(".")
            if line and characters > 0:
                segments.append((f"{line}.", part == "bullets"))
                characters -= len(line)
    return segments


def _texts_of(content: Content, part: Part) -> tuple[str, ...]:
    if part == "title":
        return (content.title,)
    if part == "bullets":
        return content.bullets
    if part == "description":
        return (content.description,)
    if part == "quantity":
        return () if content.value is None else (f"{content.value:.6g} {content.unit}",)
    packs = parse_quantity(content.title).packs
    return (f"Pack of {packs:g}",) if packs > 1 else ()


def tokenize(tokenizer: Any, texts: Sequence[str], layout: Sequence[Part], tokens: int) -> Tokens:
    """Lay out and tokenise texts.

    Parameters
    ----------
    tokenizer : PreTrainedTokenizerFast
        A tokenizer of transformers.
    texts : sequence of str, length n
        The column ``catalog_content``.
    layout : sequence of str
        The parts of each text, in their order.
    tokens : int
        Maximum number of tokens of a segment.
    """
    limit = CHARACTERS_PER_TOKEN * tokens
    by_row = [segments_of(parse_content(text), layout, limit) for text in texts]
    flat = [text for segments in by_row for text, _ in segments]
    pieces = list(_tokenized(tokenizer, flat, tokens))
    return Tokens(
        np.concatenate([np.zeros(0, np.int32), *(ids for ids, _ in pieces)]),
        np.concatenate([np.zeros(0, np.bool_), *(starts for _, starts in pieces)]),
        _offsets([len(ids) for ids, _ in pieces]),
        np.array([bullet for segments in by_row for _, bullet in segments], np.bool_),
        _offsets([len(segments) for segments in by_row]),
    )


def _tokenized(tokenizer: Any, texts: Sequence[str], tokens: int) -> Iterator[tuple[Ints32, Bools]]:
    for start in range(0, len(texts), _TEXTS_AT_ONCE):
        encoded = tokenizer(
            list(texts[start : start + _TEXTS_AT_ONCE]),
            add_special_tokens=False,
            truncation=True,
            max_length=tokens,
            return_attention_mask=False,
            return_token_type_ids=False,
        )
        for index, ids in enumerate(encoded["input_ids"]):
            words = encoded.word_ids(index)
            starts = [at == 0 or word != words[at - 1] for at, word in enumerate(words)]
            yield np.array(ids, np.int32), np.array(starts, np.bool_)


def _offsets(lengths: Sequence[int]) -> Ints64:
    return np.fromiter(accumulate(lengths, initial=0), np.int64, len(lengths) + 1)


@dataclass(frozen=True)
class TextBatch:
    """The texts of a batch.

    Parameters
    ----------
    ids : ndarray of int64, shape (texts, longest)
        Tokens, padded; only of rows that have a text.
    mask : ndarray of int64, shape (texts, longest)
        1 for a token, 0 for padding.
    rows : ndarray of int, shape (texts,)
        The positions of these rows in the batch.
    """

    ids: NDArray[np.int64]
    mask: NDArray[np.int64]
    rows: Rows


def text_batch(
    tokens: Tokens,
    rows: Rows,
    limit: int,
    vocabulary: Vocabulary,
    augmented: tuple[float, float] | None = None,
    rng: np.random.Generator | None = None,
) -> TextBatch:
    """Join the segments of some rows, with special tokens, cut at a number of tokens.

    Parameters
    ----------
    tokens : Tokens
        The tokenised texts.
    rows : ndarray of int, shape (n,)
        The rows of the batch.
    limit : int
        Maximum number of tokens, special ones included.
    vocabulary : Vocabulary
        The special tokens.
    augmented : (float, float), optional
        The share of bullet points that are dropped, and of words that are masked.
    rng : Generator, optional
        Draws what is dropped and masked.
    """
    room = limit - len(vocabulary.prefix) - len(vocabulary.suffix)
    joined: list[list[int]] = []
    present = np.flatnonzero(tokens.lengths[rows] > 0)
    for row in rows[present]:
        if augmented is None or rng is None:
            ids, _ = tokens.take(row)
            ids = ids[:room]
        else:
            ids = _augmented(tokens, row, room, vocabulary.mask, augmented, rng)
        joined.append([*vocabulary.prefix, *ids.tolist(), *vocabulary.suffix])
    longest = max(map(len, joined), default=0)
    padded = np.full((len(joined), longest), vocabulary.padding, np.int64)
    mask = np.zeros_like(padded)
    for index, ids_of_row in enumerate(joined):
        padded[index, : len(ids_of_row)] = ids_of_row
        mask[index, : len(ids_of_row)] = 1
    return TextBatch(padded, mask, present)


def _augmented(
    tokens: Tokens,
    row: int,
    room: int,
    mask: int,
    augmented: tuple[float, float],
    rng: np.random.Generator,
) -> Ints32:
    dropped, masked = augmented
    bullet = tokens.bullet[tokens.rows[row] : tokens.rows[row + 1]]
    keep = ~bullet | (rng.random(len(bullet)) >= dropped)
    ids, starts = tokens.take(row, keep if keep.any() else None)
    ids, starts = ids[:room], starts[:room]
    hidden = rng.random(int(starts.sum())) < masked
    # The first token of a cut text begins a word, so each token belongs to one.
    return np.where(hidden[np.cumsum(starts) - 1], np.int32(mask), ids)
