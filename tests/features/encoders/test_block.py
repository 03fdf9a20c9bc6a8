"""The blocks of the encoders, with an encoder that needs no PyTorch."""

import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from amlc.arrays import Floats32
from amlc.errors import DataError
from amlc.features.encoders import block
from amlc.features.encoders.block import encode_once, encode_pictures, encode_texts
from amlc.features.encoders.store import VectorStore
from amlc.images.fetch_result import FetchResult, Picture
from amlc.images.shards import write_shard


class Checksums:
    """An encoder whose vectors are checksums; it counts what it encodes."""

    width = 2

    def __init__(self) -> None:
        self.encoded: list[str | bytes] = []

    def encode(self, contents: Sequence[str | bytes]) -> Floats32:
        """Return two numbers from each content."""
        raw = [text.encode() if isinstance(text, str) else text for text in contents]
        self.encoded += contents
        numbers = [(zlib.crc32(each) % 997, len(each)) for each in raw]
        return np.array(numbers, np.float32).reshape(-1, 2)

    def batches(self, contents: Sequence[str | bytes]) -> Iterator[tuple[list[int], Floats32]]:
        """Yield batches of two from the end."""
        for end in range(len(contents), 0, -2):
            rows = list(range(max(end - 2, 0), end))
            yield rows, self.encode([contents[row] for row in rows])


@pytest.fixture
def store(tmp_path: Path) -> Iterator[VectorStore]:
    """Return an empty store."""
    with VectorStore(tmp_path / "encoders.sqlite", "checksums", 2) as vectors:
        yield vectors


def test_texts_keep_their_order(store: VectorStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever order they are encoded in, and also in several parts."""
    monkeypatch.setattr(block, "_TEXTS", 3)
    texts = [f"Item Name: Tea {number}" for number in range(8)]
    texts[4] = "nan"
    encoder = Checksums()
    array = encode_texts(texts, encoder, store, "name").array
    expected = encoder.encode([f"Tea {number}" for number in range(8)])
    assert np.flatnonzero(array[:, 0]).tolist() == [4]
    kept = [0, 1, 2, 3, 5, 6, 7]
    np.testing.assert_array_equal(array[kept, 1:], expected[kept])
    assert not array[4, 1:].any()


def test_equal_texts_are_encoded_once(store: VectorStore) -> None:
    """Also in a later run with the same store."""
    encoder = Checksums()
    texts = ["Item Name: Tea"] * 5 + ["Item Name:  Tea\n"]
    first = encode_texts(texts, encoder, store, "name").array
    again = encode_texts(texts, encoder, store, "name").array
    assert encoder.encoded == ["Tea"]
    np.testing.assert_array_equal(first, again)


def test_no_texts_give_an_empty_block(store: VectorStore) -> None:
    """The block keeps its columns."""
    assert encode_texts([], Checksums(), store, "name").array.shape == (0, 3)


def test_pictures_follow_their_links(store: VectorStore, tmp_path: Path) -> None:
    """A placeholder and an empty link have no vector."""
    results = [
        FetchResult("ok", "", 0, Picture(8, 8, b"one")),
        FetchResult("placeholder", "404", 1, None),
        FetchResult("ok", "", 0, Picture(8, 8, b"three")),
    ]
    write_shard(tmp_path, 0, ["a", "b", "c"], results, Picture(8, 8, b"grey"))
    links = ["c", "", "b", "a", "c"]
    encoder = Checksums()
    array = encode_pictures([[link] for link in links], tmp_path, encoder, store, "name").array
    assert array[:, 0].tolist() == [0, 1, 1, 0, 0]
    assert array[:, 2].tolist() == [5, 0, 0, 3, 5]
    with pytest.raises(DataError, match="no row for 1 links: d; run the stage images"):
        encode_pictures([["a"], ["d"]], tmp_path, encoder, store, "name")


def test_new_products_get_the_vectors_of_the_pipeline(store: VectorStore) -> None:
    """Without a store, and with the same flags."""
    encoder = Checksums()
    kept = encode_texts(["Item Name: Tea", ""], encoder, store, "name")
    new = encode_once(["Tea", ""], encoder)
    assert kept.names == new.names == ("missing", "0", "1")
    np.testing.assert_array_equal(kept.array, new.array)
    np.testing.assert_array_equal(encode_once([None, b"x"], encoder).array[:, 0], [1, 0])
