"""The pretrained encoders of a bundle: which ones its models need, and their vectors."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from amlc.catalog.content import Content
from amlc.features.block import Block
from amlc.features.block_names import ENCODERS
from amlc.features.encoders.block import Encoder, encode_once
from amlc.features.encoders.product_text import product_text
from amlc.features.encoders.runtime import require_deep, use_threads
from amlc.features.encoders.settings import check_encoders

# The folder of the weights in a bundle.
FOLDER = Path(ENCODERS) / "pretrained"
# What the time that an encoder takes is measured on.
TYPICAL_TEXT = "Green Tea with Jasmine, Pack of 6. 120 Count. " * 12


def used_encoders(params: Mapping[str, Any], models: Iterable[str]) -> list[str]:
    """Return the names of the encoders that models see, sorted.

    Parameters
    ----------
    params : mapping
        The content of params.yaml.
    models : iterable of str
        Names of models.
    """
    blocks = {block for name in models for block in params["train"][name]["blocks"]}
    every = params.get(ENCODERS, {})
    return sorted(name for name in every if ENCODERS in blocks or f"{ENCODERS}.{name}" in blocks)


@dataclass(frozen=True)
class BundleEncoders:
    """Loaded encoders.

    Parameters
    ----------
    of_texts, of_pictures : dict of str to Encoder
        By name.
    """

    of_texts: dict[str, Encoder]
    of_pictures: dict[str, Encoder]

    @classmethod
    def load(
        cls, folder: Path, params: Mapping[str, Any], models: Iterable[str], threads: int
    ) -> Self:
        """Load the encoders that the models of a bundle see.

        Parameters
        ----------
        folder : Path
            The bundle.
        params : mapping
            Its parameters.
        models : iterable of str
            Its models.
        threads : int
            Threads for numerical work.

        Raises
        ------
        MissingExtraError
            There are some, and the extra `deep` is not installed.
        ModelError
            The files of one cannot be loaded.
        """
        names = used_encoders(params, models)
        if not names:
            return cls({}, {})
        require_deep(f"the bundle {folder}, which has the encoder {', '.join(names)},")
        # PyTorch takes seconds to import, and may not be installed.
        from amlc.features.encoders.frozen import FrozenEncoder  # noqa: PLC0415
        from amlc.features.encoders.sources import Source  # noqa: PLC0415

        settings = check_encoders(params[ENCODERS], folder / "params.json")
        device = use_threads(threads)
        loaded: dict[str, dict[str, Encoder]] = {"text": {}, "image": {}}
        for name in names:
            source = Source(folder / FOLDER / name, None)
            encoder = FrozenEncoder(settings[name], source, device, threads)
            loaded[settings[name].kind][name] = encoder
        return cls(loaded["text"], loaded["image"])

    def text_blocks(self, contents: Sequence[Content]) -> dict[str, Block]:
        """Return the blocks of the encoders of texts, of the parsed texts of products."""
        texts = [product_text(content) for content in contents] if self.of_texts else []
        return {
            f"{ENCODERS}.{name}": encode_once(texts, each) for name, each in self.of_texts.items()
        }

    def picture_blocks(self, pictures: Sequence[bytes | None]) -> dict[str, Block]:
        """Return the blocks of the encoders of pictures, of JPEG files."""
        return {
            f"{ENCODERS}.{name}": encode_once(pictures, each)
            for name, each in self.of_pictures.items()
        }

    def seconds(self, picture: bytes) -> dict[str, float]:
        """Return how long each encoder takes for one product, measured now.

        Parameters
        ----------
        picture : bytes
            A JPEG file.
        """
        durations = {name: _seconds(each, TYPICAL_TEXT) for name, each in self.of_texts.items()}
        return durations | {
            name: _seconds(each, picture) for name, each in self.of_pictures.items()
        }


def _seconds(encoder: Encoder, content: str | bytes) -> float:
    # The first call also allocates memory.
    encoder.encode([content])
    started = time.perf_counter()
    encoder.encode([content])
    return time.perf_counter() - started
