"""Frozen encoders: texts and pictures as vectors, each of which depends on its content alone."""

import hashlib
import io
import json
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Self

import numpy as np
import torch
import transformers
from PIL import Image

from amlc.arrays import Floats32
from amlc.errors import ModelError
from amlc.features.encoders.image_tower import ImageTower, load_image_tower
from amlc.features.encoders.runtime import memory_errors
from amlc.features.encoders.settings import EncoderSettings, ImageEncoderSettings
from amlc.features.encoders.sources import Source, find_source
from amlc.features.encoders.text_tower import TextTower, load_text_tower

# Texts are padded to a multiple of this many tokens, whatever else is in their batch: the rounding
# of a vector depends on the length of the input.
_LENGTH_STEP = 8
# Incremented whenever the same weights and settings would give other vectors.
_VERSION = 1
_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}

# What an encoder reads: a text, or the file of a picture.
Content = str | bytes
# Positions of some contents, and their vectors.
Batch = tuple[list[int], Floats32]
# Positions of some contents, and what computes their vectors.
Job = tuple[list[int], Callable[[], Floats32]]


class FrozenEncoder:
    """An encoder whose weights do not change.

    Parameters
    ----------
    settings : EncoderSettings
        Its section of params.yaml.
    source : Source
        Where its files are.
    device : torch.device
        Where to compute.
    threads : int
        Batches to encode at once on a CPU; no result depends on it.

    Attributes
    ----------
    source : Source
        Where its files are.
    width : int
        Length of its vectors.

    Raises
    ------
    ModelError
        The files cannot be loaded, or do not fit the settings.
    """

    def __init__(
        self, settings: EncoderSettings, source: Source, device: torch.device, threads: int
    ) -> None:
        self.settings = settings
        self.source = source
        self.tower = _load_tower(settings, source)
        self.width = self.tower.width
        self._device = device
        # Batches side by side are faster on a CPU than several threads for each.
        self._workers = threads if device.type == "cpu" else 1
        self._pool = ThreadPoolExecutor(self._workers, "encoder", _use_one_thread)
        self.tower.to(device, _DTYPES[settings.precision])

    @classmethod
    def load(cls, settings: EncoderSettings, device: torch.device, threads: int) -> Self:
        """Find and load an encoder."""
        return cls(settings, find_source(settings.model, settings.revision), device, threads)

    def key(self) -> str:
        """Return the SHA-256 of all that its vectors depend on, besides the content."""
        content = {
            "version": _VERSION,
            "files": self.source.fingerprint(),
            # Where the files are, and how many rows go through them at once, does not matter.
            "settings": self.settings.model_dump(exclude={"model", "revision", "batch_size"}),
            "device": self._device.type,
            "torch": torch.__version__,
            "transformers": transformers.__version__,
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def encode(self, contents: Sequence[Content]) -> Floats32:
        """Return the vectors of texts or pictures.

        Parameters
        ----------
        contents : sequence of str or bytes, length n
            Texts for an encoder of texts, else JPEG files.

        Returns
        -------
        ndarray of float32, shape (n, width)
            In the order of the contents.
        """
        vectors = np.zeros((len(contents), self.width), np.float32)
        for positions, batch in self.batches(contents):
            vectors[positions] = batch
        return vectors

    def batches(self, contents: Sequence[Content]) -> Iterator[Batch]:
        """Yield positions and vectors, batch by batch; long texts come first.

        Raises
        ------
        ModelError
            A vector is not finite.
        """
        if isinstance(self.tower, TextTower):
            jobs = self._text_jobs(self.tower, contents)
        else:
            jobs = self._image_jobs(self.tower, contents)
        waiting: deque[tuple[list[int], Future[Floats32]]] = deque()
        for positions, job in jobs:
            waiting.append((positions, self._pool.submit(job)))
            if len(waiting) > 2 * self._workers:
                yield self._finished(*waiting.popleft())
        while waiting:
            yield self._finished(*waiting.popleft())

    def _finished(self, positions: list[int], vectors: Future[Floats32]) -> Batch:
        with memory_errors(
            f"{self.settings.model}: the GPU's memory is too small for a batch: lower batch_size"
        ):
            batch = vectors.result()
        if not np.isfinite(batch).all():
            raise ModelError(
                f"{self.settings.model}: gives vectors that are not finite in "
                f"{self.settings.precision}: set precision to float32"
            )
        return positions, batch

    def _text_jobs(self, tower: TextTower, texts: Sequence[Content]) -> Iterator[Job]:
        ids = tower.tokenize([str(text) for text in texts])
        by_length: dict[int, list[int]] = {}
        for position, row in enumerate(ids):
            length = min(len(row) + -len(row) % _LENGTH_STEP, tower.tokens)
            by_length.setdefault(length, []).append(position)
        size = self.settings.batch_size
        for length in sorted(by_length, reverse=True):
            same = by_length[length]
            for positions in (same[start : start + size] for start in range(0, len(same), size)):
                rows = [ids[position] for position in positions]
                yield positions, partial(self._encode_texts, tower, rows, length)

    def _image_jobs(self, tower: ImageTower, files: Sequence[Content]) -> Iterator[Job]:
        # On a CPU, convolutions of one picture are up to three times as fast as those of several,
        # and are rounded in the same way whatever else is to be encoded.
        size = 1 if self._device.type == "cpu" else self.settings.batch_size
        for start in range(0, len(files), size):
            batch = files[start : start + size]
            positions = list(range(start, start + len(batch)))
            yield positions, partial(self._encode_images, tower, batch)

    def _encode_texts(self, tower: TextTower, ids: list[list[int]], length: int) -> Floats32:
        with torch.inference_mode():
            tokens, mask = tower.pad(ids, length)
            return _array(tower(tokens.to(self._device), mask.to(self._device)))

    def _encode_images(self, tower: ImageTower, files: Sequence[Content]) -> Floats32:
        pixels = torch.from_numpy(np.stack([_pixels(tower, file) for file in files]))
        with torch.inference_mode():
            return _array(tower(pixels.to(self._device, _DTYPES[self.settings.precision])))


def _use_one_thread() -> None:
    """Let PyTorch compute on the calling thread alone: it rounds by the number of threads."""
    torch.set_num_threads(1)


def _load_tower(settings: EncoderSettings, source: Source) -> TextTower | ImageTower:
    if isinstance(settings, ImageEncoderSettings):
        return load_image_tower(source, settings.pooling, settings.architecture)
    return load_text_tower(source, settings.pooling, settings.tokens)


def _array(vectors: torch.Tensor) -> Floats32:
    array: Floats32 = vectors.float().cpu().numpy()
    return array


def _pixels(tower: ImageTower, file: Content) -> Floats32:
    assert isinstance(file, bytes)
    with Image.open(io.BytesIO(file), formats=("JPEG", "PNG")) as image:
        return tower.preprocessing(image)


def save_encoder(encoder: FrozenEncoder, folder: Path) -> None:
    """Write an encoder's weights, tokenizer and configuration, as a bundle needs them."""
    tower = encoder.tower
    if encoder.settings.precision != "float32":
        # In the precision of its files.
        tower = _load_tower(encoder.settings, encoder.source)
    tower.save(folder)
