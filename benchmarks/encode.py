"""Encode product texts with a frozen encoder and with sentence-transformers, in turns.

`AMLC_COMPETITION=FOLDER python benchmarks/encode.py MODEL` prints, for each round, the texts per
second of both by the clock and by the processor's time, and how far their vectors are apart. MODEL
is a folder of sentence-transformers, or its name on the Hugging Face hub. Needs the extra deep and
sentence-transformers (`pip install sentence-transformers`).
"""

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import checkout  # noqa: F401 - makes amlc importable
import numpy as np
import pandas as pd

from amlc.arrays import Floats32
from amlc.catalog.content import parse_content
from amlc.catalog.products import TEXT
from amlc.errors import DataError, run
from amlc.features.encoders.product_text import product_text
from amlc.features.encoders.runtime import require_deep, use_threads
from amlc.features.encoders.settings import TextEncoderSettings


def main() -> None:
    """Measure the model that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--rows", type=int, default=1024)
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    texts = read_texts(options.rows)
    require_deep("a pretrained encoder")
    # After the command line is read: they take seconds to import, and may not be installed.
    try:
        from sentence_transformers import SentenceTransformer  # noqa: PLC0415 - see above
    except ModuleNotFoundError:
        raise DataError(
            "sentence-transformers is not installed: pip install sentence-transformers"
        ) from None
    import torch  # noqa: PLC0415 - see above

    from amlc.features.encoders.frozen import FrozenEncoder  # noqa: PLC0415 - see above

    settings = TextEncoderSettings(
        kind="text",
        model=options.model,
        revision=None,
        pooling="model",
        tokens=options.tokens,
        batch_size=options.batch_size,
        precision="float32",
    )
    device = use_threads(options.threads)
    ours = FrozenEncoder.load(settings, device, options.threads)
    theirs = SentenceTransformer(options.model, device=str(device))
    theirs.max_seq_length = options.tokens

    def encode_theirs() -> Floats32:
        torch.set_num_threads(options.threads)
        vectors: Any = theirs.encode(texts, batch_size=options.batch_size)
        return np.asarray(vectors, dtype=np.float32)

    contestants: dict[str, Callable[[], Floats32]] = {
        "amlc": lambda: ours.encode(texts),
        "sentence-transformers": encode_theirs,
    }
    # The first call of each also allocates memory.
    ours.encode(texts[:64])
    theirs.encode(texts[:64])
    print(f"{len(texts)} texts, {options.tokens} tokens, {options.threads} threads")
    rates: dict[str, list[tuple[float, float]]] = {name: [] for name in contestants}
    vectors = {}
    for _ in range(options.rounds):
        for name, encode in contestants.items():
            clock, processor = time.perf_counter(), time.process_time()
            vectors[name] = encode()
            spent = time.perf_counter() - clock, time.process_time() - processor
            rates[name].append((len(texts) / spent[0], len(texts) / spent[1]))
            print(f"{name:22}  {rates[name][-1][0]:7.1f}/s  {rates[name][-1][1]:7.1f}/CPU s")
    show(rates)
    first, second = vectors.values()
    print(f"largest difference of two vectors' elements: {np.abs(first - second).max():.1e}")


def read_texts(rows: int) -> list[str]:
    """Return the texts of the first train products, laid out for an encoder."""
    folder = os.environ.get("AMLC_COMPETITION")
    if not folder:
        raise DataError("AMLC_COMPETITION names no folder with the competition's files")
    table = pd.read_csv(Path(folder) / "train.csv", nrows=rows, usecols=[TEXT], dtype=str)
    return [product_text(parse_content(text)) for text in table[TEXT].fillna("")]


def show(rates: dict[str, list[tuple[float, float]]]) -> None:
    """Print the medians, and the first contestant's as a share of the second's."""
    medians = [np.median(values, axis=0) for values in rates.values()]
    clock, processor = medians[0] / medians[1]
    print(f"amlc / sentence-transformers: {clock:.2f} by the clock, {processor:.2f} by CPU time")


if __name__ == "__main__":
    run(main)
