"""Texts laid out in segments, tokenised once, joined batch by batch."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amlc.catalog.content import Content
from amlc.models.fusion.text import Tokens, Vocabulary, segments_of, text_batch

VOCABULARY = Vocabulary((2,), (3,), 0, 4)
SODA = Content("Soda, Pack of 6", ("Sweet.", "Cold"), "A  drink", 72.0, "Fl Oz")


def make_tokens(rows: list[list[tuple[list[int], bool]]]) -> Tokens:
    """Return the tokens of rows, each a list of segments with whether they are bullet points."""
    segments = [segment for row in rows for segment in row]
    ids = [token for tokens, _ in segments for token in tokens]
    return Tokens(
        np.array(ids, np.int32),
        np.array([token % 2 == 0 for token in ids], np.bool_),
        np.cumsum([0, *(len(tokens) for tokens, _ in segments)]),
        np.array([bullet for _, bullet in segments], np.bool_),
        np.cumsum([0, *map(len, rows)]),
    )


def test_the_parts_come_in_the_order_of_the_layout() -> None:
    """Each ends with one full stop; parts that a layout leaves out are left out."""
    layout: Any = ["quantity", "title", "bullets", "description", "pack"]
    texts = [text for text, _ in segments_of(SODA, layout, 1000)]
    assert texts == ["72 Fl Oz.", "Soda, Pack of 6.", "Sweet.", "Cold.", "A drink.", "Pack of 6."]
    assert segments_of(SODA, ["bullets"], 1000) == [("Sweet.", True), ("Cold.", True)]


def test_a_product_without_a_text_has_no_segments() -> None:
    """Its row is empty, and takes the learned vector."""
    assert segments_of(Content("", (), "", None, ""), ["title", "quantity", "bullets"], 100) == []


def test_long_texts_are_cut_before_they_are_tokenised() -> None:
    """The work for a text is bounded by the number of tokens that count."""
    long = Content("word " * 10_000, ("bullet " * 100,) * 50, "", None, "")
    segments = segments_of(long, ["title", "bullets"], 200)
    assert sum(len(text) for text, _ in segments) <= 2 * 200 + 2


def test_special_tokens_surround_the_segments_of_a_row() -> None:
    """Rows without a text are left out; shorter ones are padded, and masked."""
    tokens = make_tokens([[([10, 11], False), ([12], True)], [], [([14], False)]])
    batch = text_batch(tokens, np.array([0, 1, 2]), 8, VOCABULARY)
    assert batch.rows.tolist() == [0, 2]
    assert batch.ids.tolist() == [[2, 10, 11, 12, 3], [2, 14, 3, 0, 0]]
    assert batch.mask.tolist() == [[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]


@given(
    lengths=st.lists(st.lists(st.integers(1, 6), max_size=4), min_size=1, max_size=6),
    limit=st.integers(3, 12),
)
def test_no_text_is_longer_than_the_limit(lengths: list[list[int]], limit: int) -> None:
    """The first tokens of each row are kept, with both special tokens."""
    rows = [[(list(range(10, 10 + length)), False) for length in row] for row in lengths]
    batch = text_batch(make_tokens(rows), np.arange(len(rows)), limit, VOCABULARY)
    for ids, mask, row in zip(batch.ids, batch.mask, batch.rows, strict=True):
        joined = [token for tokens, _ in rows[row] for token in tokens]
        assert ids[mask == 1].tolist() == [2, *joined[: limit - 2], 3]


def test_dropped_bullets_make_room_for_what_follows() -> None:
    """Other segments are never dropped; a text of bullets only keeps them."""
    tokens = make_tokens([[([10], False), ([12], True), ([14], False)], [([16], True)]])
    rng = np.random.default_rng(0)
    batch = text_batch(tokens, np.arange(2), 8, VOCABULARY, (1.0, 0.0), rng)
    assert batch.ids.tolist() == [[2, 10, 14, 3], [2, 16, 3, 0]]


@pytest.mark.parametrize("seed", range(5))
def test_words_are_masked_as_a_whole(seed: int) -> None:
    """All tokens of a word become the mask, or none."""
    # Even tokens begin a word.
    tokens = make_tokens([[([10, 11, 13, 12, 14, 15], False)]])
    rng = np.random.default_rng(seed)
    batch = text_batch(tokens, np.array([0]), 12, VOCABULARY, (0.0, 0.5), rng)
    masked = (batch.ids[0, 1:-1] == 4).tolist()
    assert masked[0] == masked[1] == masked[2]
    assert masked[4] == masked[5]
