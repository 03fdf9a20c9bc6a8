"""Texts and pictures that workers encode, each with its own copy of the encoder."""

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np

from amlc.arrays import Floats32
from amlc.errors import ModelError
from amlc.execution.backend import THREADS, Backend, in_order, open_pool
from amlc.features.encoders.block import Encoder
from amlc.features.encoders.frozen import Content, FrozenEncoder
from amlc.features.encoders.runtime import use_threads
from amlc.features.encoders.settings import EncoderSettings

# Texts or pictures of a piece.
PIECE_CONTENTS = 256


class RemoteEncoder:
    """Has contents encoded by workers; it is used like `FrozenEncoder`.

    Parameters
    ----------
    encoder : FrozenEncoder
        The encoder of this process, whose files the workers have, too.
    backend : Backend
        The workers.
    """

    def __init__(self, encoder: FrozenEncoder, backend: Backend) -> None:
        self.width = encoder.width
        self._inputs = encoder.settings, encoder.key()
        self._backend = backend

    def encode(self, contents: Sequence[Content]) -> Floats32:
        """Return the vectors of texts or pictures, shape (n, width)."""
        vectors = np.zeros((len(contents), self.width), np.float32)
        for positions, batch in self.batches(contents):
            vectors[positions] = batch
        return vectors

    def batches(self, contents: Sequence[Content]) -> Iterator[tuple[list[int], Floats32]]:
        """Yield positions and vectors, piece by piece; the longest contents come first.

        Raises
        ------
        ModelError
            A worker has another encoder, or a vector is not finite.
        ExecutionError
            A piece could not be computed.
        """
        # Contents of similar lengths take the least padding.
        order = sorted(range(len(contents)), key=lambda position: -len(contents[position]))
        starts = range(0, len(order), PIECE_CONTENTS)
        pieces = [order[start : start + PIECE_CONTENTS] for start in starts]
        with open_pool(self._backend, self._inputs, at_once=None, unit="batch to encode") as pool:
            parts = ([contents[position] for position in piece] for piece in pieces)
            yield from zip(pieces, in_order(pool, encode_piece, parts), strict=True)


def encoder_on(backend: Backend, encoder: FrozenEncoder) -> Encoder:
    """Return what encodes with this encoder on a backend."""
    return encoder if backend is THREADS else RemoteEncoder(encoder, backend)


def encode_piece(inputs: tuple[EncoderSettings, str], contents: Sequence[Content]) -> Floats32:
    """Encode some contents on a worker.

    Parameters
    ----------
    inputs : (EncoderSettings, str)
        The encoder's section of params.yaml, and the key that it has to have.
    contents : sequence of str or bytes
        As for `FrozenEncoder.encode`.

    Raises
    ------
    ModelError
        The worker has other files, another PyTorch or another kind of device.
    """
    settings, key = inputs
    encoder = _loaded(settings)
    if encoder.key() != key:
        raise ModelError(
            f"{settings.model}: a worker has other files of it, another PyTorch, or a GPU where "
            "this machine has none, so its vectors would differ"
        )
    return encoder.encode(contents)


@lru_cache(maxsize=1)
def _loaded(settings: EncoderSettings) -> FrozenEncoder:
    return FrozenEncoder.load(settings, use_threads(1), 1)
