"""A synthetic catalogue in the competition's format, whose best possible SMAPE is known.

The price of a product is the product of factors for its category, brand, words, size, number of
pieces and label, times log-normal noise. As the noise cannot be predicted, the best possible
prediction is the median price of each row; its SMAPE is the noise floor.
"""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field
from tqdm import tqdm

from amlc.arrays import Bools, Floats, Ints64
from amlc.catalog.products import TEST_COLUMNS, TRAIN_COLUMNS
from amlc.files import replacing_folder
from amlc.metrics import smape
from amlc.params import Settings
from amlc.synthetic.assortment import make_products
from amlc.synthetic.draws import Draws
from amlc.synthetic.packshots import Packshot, make_packshots
from amlc.synthetic.texts import make_texts

Share = Annotated[float, Field(ge=0, le=0.5)]
RowCount = Annotated[int, Field(ge=1, le=100_000_000)]

# Rows in memory at a time; the catalogue does not depend on it.
CHUNK_ROWS = 4096

# A prime p. As 5 does not divide p - 1, no two numbers from 1 to p - 1 have the same fifth power
# modulo p.
ID_PRIME = 2**31 - 1


class SyntheticSettings(Settings):
    """Section ``synthetic`` of params.yaml."""

    rows: RowCount
    test_rows: RowCount
    test_prices: bool
    images: bool
    missing_images: Share
    repeated_links: Share
    repeated_titles: Share
    noise: Annotated[float, Field(ge=0, le=3)]


@dataclass(frozen=True)
class SyntheticRows:
    """Rows of the synthetic catalogue.

    Parameters
    ----------
    ids : ndarray of int64, shape (n,)
        Each row's ``sample_id``.
    texts : list of str
        Each row's ``catalog_content``.
    packshots : list of Packshot
        The picture of each row's link.
    missing : ndarray of bool, shape (n,)
        Whether there is no picture for the row's link.
    medians, prices : ndarray of float64, shape (n,)
        Price without and with noise.
    """

    ids: Ints64
    texts: list[str]
    packshots: list[Packshot]
    missing: Bools
    medians: Floats
    prices: Floats


def make_rows(seed: int, settings: SyntheticSettings, keys: Ints64) -> SyntheticRows:
    """Return the rows of keys; each depends on the seed, the settings and its key alone.

    Parameters
    ----------
    seed : int
        Not negative.
    settings : SyntheticSettings
        Shares and noise; the numbers of rows are ignored.
    keys : ndarray of int64, shape (n,)
        As `train_keys` or `test_keys` return them.
    """
    products = make_products(
        seed,
        keys,
        noise=settings.noise,
        repeated_titles=settings.repeated_titles,
        repeated_links=settings.repeated_links,
    )
    return SyntheticRows(
        ids=sample_ids(seed, keys),
        texts=make_texts(seed, products),
        packshots=make_packshots(seed, products),
        # Rows that share a picture all have it or all lack it.
        missing=Draws(seed, products.shot).uniform("missing") < settings.missing_images,
        medians=products.median,
        prices=products.price,
    )


def train_keys(start: int, stop: int) -> Ints64:
    """Return the keys of the train rows from `start` to before `stop`: odd numbers."""
    return 2 * np.arange(start, stop, dtype=np.int64) + 1


def test_keys(start: int, stop: int) -> Ints64:
    """Return the keys of the test rows from `start` to before `stop`: even numbers."""
    return 2 * np.arange(start, stop, dtype=np.int64) + 2


def sample_ids(seed: int, keys: Ints64) -> Ints64:
    """Return a distinct id below 2**31 for each key below 2**28, in an order that looks random."""
    factor = int(Draws(seed, np.zeros(1, dtype=np.int64)).bits("ids")[0]) % (ID_PRIME - 1) + 1
    fourth = (keys * keys % ID_PRIME) ** 2 % ID_PRIME
    return fourth * keys % ID_PRIME * factor % ID_PRIME


def write_catalogue(folder: Path, seed: int, settings: SyntheticSettings) -> dict[str, float | int]:
    """Write train.csv, test.csv and images/ into a folder.

    Parameters
    ----------
    folder : Path
        The folder; it is replaced as a whole.
    seed : int
        The same seed and settings give the same bytes.
    settings : SyntheticSettings
        Numbers of rows, shares and noise.

    Returns
    -------
    dict
        ``rows``, ``test_rows``, ``smape_floor`` (SMAPE in percent of predicting each train row's
        median price: the best possible, but for chance) and ``smape_constant`` (SMAPE in percent of
        predicting the median of all train prices for every row).
    """
    with replacing_folder(folder) as temporary:
        images = temporary / "images"
        images.mkdir()
        train = _train_chunks(seed, settings)
        medians, prices = _write_train(
            temporary / "train.csv", _with_packshots(train, images, settings)
        )
        test = _test_chunks(seed, settings)
        _write_test(temporary / "test.csv", _with_packshots(test, images, settings), settings)
    return {
        "rows": settings.rows,
        "test_rows": settings.test_rows,
        "smape_floor": round(smape(prices, medians), 4),
        "smape_constant": round(smape(prices, np.full_like(prices, np.median(prices))), 4),
    }


def _train_chunks(seed: int, settings: SyntheticSettings) -> Iterator[SyntheticRows]:
    for start, stop in _spans(settings.rows):
        yield make_rows(seed, settings, train_keys(start, stop))


def _test_chunks(seed: int, settings: SyntheticSettings) -> Iterator[SyntheticRows]:
    for start, stop in _spans(settings.test_rows):
        yield make_rows(seed, settings, test_keys(start, stop))


def _spans(rows: int) -> Iterable[tuple[int, int]]:
    starts = tqdm(range(0, rows, CHUNK_ROWS), desc="synthetic", unit="chunk", disable=None)
    return ((start, min(start + CHUNK_ROWS, rows)) for start in starts)


def _with_packshots(
    chunks: Iterator[SyntheticRows], folder: Path, settings: SyntheticSettings
) -> Iterator[SyntheticRows]:
    """Yield the chunks unchanged; write their pictures if the settings ask for them."""
    for chunk in chunks:
        if settings.images:
            _write_packshots(folder, chunk)
        yield chunk


def _write_packshots(folder: Path, chunk: SyntheticRows) -> None:
    for packshot, missing in zip(chunk.packshots, chunk.missing, strict=True):
        path = folder / packshot.link().rsplit("/", 1)[1]
        if not missing and not path.exists():
            path.write_bytes(packshot.encode())


def _write_train(path: Path, chunks: Iterator[SyntheticRows]) -> tuple[Floats, Floats]:
    """Write train.csv; return the rows' medians and prices."""
    medians: list[Floats] = []
    prices: list[Floats] = []
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(TRAIN_COLUMNS)
        for chunk in chunks:
            writer.writerows((*row, price) for row, price in _rows(chunk))
            medians.append(chunk.medians)
            prices.append(chunk.prices)
    return np.concatenate(medians), np.concatenate(prices)


def _write_test(path: Path, chunks: Iterator[SyntheticRows], settings: SyntheticSettings) -> None:
    """Write test.csv, with prices if the settings ask for them."""
    with_prices = settings.test_prices
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(TRAIN_COLUMNS if with_prices else TEST_COLUMNS)
        for chunk in chunks:
            writer.writerows((*row, price) if with_prices else row for row, price in _rows(chunk))


def _rows(chunk: SyntheticRows) -> Iterator[tuple[tuple[int, str, str], float]]:
    links = (packshot.link() for packshot in chunk.packshots)
    rows = zip(chunk.ids.tolist(), chunk.texts, links, strict=True)
    return zip(rows, chunk.prices.tolist(), strict=True)
