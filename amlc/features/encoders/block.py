"""The blocks of the encoders: one row per product, of a flag and a vector."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from tqdm import tqdm

from amlc.arrays import Floats32
from amlc.catalog.content import parse_content
from amlc.errors import DataError, first_few
from amlc.features.block import in_chunks
from amlc.features.blocks import Dense
from amlc.features.encoders.product_text import product_text
from amlc.features.encoders.store import VectorStore
from amlc.features.pooling import pool
from amlc.images.fetch_result import OK
from amlc.images.shards import read_rows

# The first column is 1 for a product without the text or the picture, whose vector is 0.
MISSING = "missing"
# Texts or pictures in memory at a time; within them, texts are sorted by length.
_TEXTS, _PICTURES = 8192, 512
_STORED_AT_ONCE = 64


class Encoder(Protocol):
    """What turns texts or pictures into vectors: `amlc.features.encoders.frozen.FrozenEncoder`."""

    width: int

    def encode(self, contents: Sequence[str | bytes]) -> Floats32:
        """Return the vectors of texts or pictures, shape (n, width)."""

    def batches(self, contents: Sequence[str | bytes]) -> Iterator[tuple[list[int], Floats32]]:
        """Yield positions of contents, and their vectors."""


def encode_texts(texts: Sequence[str], encoder: Encoder, store: VectorStore, name: str) -> Dense:
    """Encode the texts of products.

    Parameters
    ----------
    texts : sequence of str, length n
        As in the column ``catalog_content``.
    encoder : Encoder
        An encoder of texts.
    store : VectorStore
        Where vectors are looked up first, and kept.
    name : str
        The encoder's name, for the progress bar.

    Returns
    -------
    Dense
        In the order of the texts.
    """
    laid_out = (product_text(parse_content(text)) or None for text in texts)
    with tqdm(desc=name, total=len(texts), unit="text", disable=None) as bar:
        tables = [_table(chunk, encoder, store, bar) for chunk in in_chunks(laid_out, _TEXTS)]
    return _dense(np.concatenate([_table([], encoder, store, None), *tables]))


def encode_pictures(
    links: Sequence[Sequence[str]], folder: Path, encoder: Encoder, store: VectorStore, name: str
) -> Dense:
    """Encode the pictures of products, read from the image shards.

    Parameters
    ----------
    links : sequence of sequence of str, length n
        The links to each product's pictures; an empty one if the product has none.
    folder : Path
        ``data/images``.
    encoder : Encoder
        An encoder of pictures.
    store, name
        As in `encode_texts`.

    Returns
    -------
    Dense
        In the order of the links.

    Raises
    ------
    DataError
        The shards cannot be read, or have no row for a link.
    """
    row_of_link: dict[str, int] = {"": 0}
    tables = [_table([None], encoder, store, None)]
    with tqdm(desc=name, unit="image", disable=None) as bar:
        for rows in in_chunks(read_rows(folder), _PICTURES):
            first = len(row_of_link)
            row_of_link.update((row.link, first + index) for index, row in enumerate(rows))
            pictures = [row.data if row.status == OK else None for row in rows]
            tables.append(_table(pictures, encoder, store, bar))
    missing = sorted({each for product in links for each in product if each not in row_of_link})
    if missing:
        raise DataError(
            f"{folder}: no row for {len(missing)} links: {first_few(missing)}; run the stage images"
        )
    rows_of_products = [[row_of_link[link] for link in product] for product in links]
    return _dense(pool(np.concatenate(tables), rows_of_products))


def encode_once(contents: Sequence[str | bytes | None], encoder: Encoder) -> Dense:
    """Encode the texts or pictures of some products without a store.

    Parameters
    ----------
    contents : sequence of str, bytes or None, length n
        Texts as `amlc.features.encoders.product_text` lays them out, or JPEG files; None or empty
        where there is none.
    encoder : Encoder
        An encoder of texts or of pictures.
    """
    table = np.zeros((len(contents), 1 + encoder.width), np.float32)
    table[:, 0] = 1
    present = [row for row, content in enumerate(contents) if content]
    table[present, 0] = 0
    table[present, 1:] = encoder.encode([content for content in contents if content])
    return _dense(table)


def _table(
    contents: Sequence[str | bytes | None],
    encoder: Encoder,
    store: VectorStore,
    bar: Any,
) -> Floats32:
    """Return flags and vectors; what is not stored is encoded and stored, batch by batch."""
    keys = [None if content is None else _sha256(content) for content in contents]
    by_key = {key: content for key, content in zip(keys, contents, strict=True) if key is not None}
    vectors = store.find(list(by_key))
    unknown = [key for key in by_key if key not in vectors]
    if bar is not None:
        new = set(unknown)
        bar.update(sum(key not in new for key in keys))
    wanted = [content for key in unknown if (content := by_key[key]) is not None]
    waiting: dict[bytes, Floats32] = {}
    for positions, batch in encoder.batches(wanted):
        waiting |= {unknown[place]: row for place, row in zip(positions, batch, strict=True)}
        # A killed run loses what is not stored yet.
        if len(waiting) >= _STORED_AT_ONCE:
            store.put(waiting)
            vectors |= waiting
            waiting = {}
        if bar is not None:
            bar.update(len(positions))
    store.put(waiting)
    vectors |= waiting
    table = np.zeros((len(contents), 1 + encoder.width), np.float32)
    for row, key in enumerate(keys):
        if key is None:
            table[row, 0] = 1
        else:
            table[row, 1:] = vectors[key]
    return table


def _dense(table: Floats32) -> Dense:
    return Dense(table, (MISSING, *map(str, range(table.shape[1] - 1))))


def _sha256(content: str | bytes) -> bytes:
    raw = content.encode(errors="surrogatepass") if isinstance(content, str) else content
    return hashlib.sha256(raw).digest()
