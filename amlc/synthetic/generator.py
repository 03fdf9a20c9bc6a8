"""A made-up catalogue in the competition's format, whose best possible SMAPE is known.

A product's price is the product of what its category, brand, words, size, number of pieces and
label are worth, times log-normal noise. Nobody can predict the noise, so predicting each row's
median price is the best that any model can do; its SMAPE is the noise floor.
"""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field
from tqdm import tqdm

from amlc.arrays import Floats, Ints64
from amlc.catalog.products import TEST_COLUMNS, TRAIN_COLUMNS
from amlc.files import replacing_folder
from amlc.metrics import smape
from amlc.params import Settings
from amlc.synthetic.assortment import make_products
from amlc.synthetic.draws import Draws
from amlc.synthetic.packshots import Picture, make_pictures
from amlc.synthetic.texts import make_texts

Share = Annotated[float, Field(ge=0, le=0.5)]
Count = Annotated[int, Field(ge=1, le=100_000_000)]

# Rows held in memory at a time; no content depends on it.
CHUNK_ROWS = 4096

# A prime p: x to the fifth, times a constant, permutes 1 to p - 1, as 5 does not divide p - 1.
IDS = 2**31 - 1


class SyntheticSettings(Settings):
    """Section `sample` of params.yaml.

    Parameters
    ----------
    rows, test_rows : int
        Number of rows of train.csv and test.csv.
    test_prices : bool
        Give test.csv a price column; the competition's has none.
    images : bool
        Draw the pictures; without them, every link is one without a picture.
    missing_images : float
        Share of links without a picture.
    repeated_links, repeated_titles : float
        Share of rows that show an earlier row's picture, or bear its title.
    noise : float
        Standard deviation of log price around what the product is worth.
    """

    rows: Count
    test_rows: Count
    test_prices: bool
    images: bool
    missing_images: Share
    repeated_links: Share
    repeated_titles: Share
    noise: Annotated[float, Field(ge=0, le=3)]


@dataclass(frozen=True)
class Chunk:
    """Some rows of the sample.

    Parameters
    ----------
    ids : ndarray of int64, shape (n,)
        Each row's ``sample_id``.
    texts : list of str
        Each row's ``catalog_content``.
    pictures : list of Picture
        What each row's link shows.
    missing : ndarray of bool, shape (n,)
        Rows whose link has no picture.
    medians, prices : ndarray of float64, shape (n,)
        Price without and with noise.
    """

    ids: Ints64
    texts: list[str]
    pictures: list[Picture]
    missing: np.ndarray[tuple[int], np.dtype[np.bool_]]
    medians: Floats
    prices: Floats


def make_rows(seed: int, settings: SyntheticSettings, keys: Ints64) -> Chunk:
    """Make up the rows of some keys; a row depends on the seed, the settings and its key.

    Parameters
    ----------
    seed : int
        Not negative.
    settings : SyntheticSettings
        Shares and noise; the numbers of rows do not matter here.
    keys : ndarray of int64, shape (n,)
        From `keys_of_train` or `keys_of_test`.
    """
    products = make_products(
        seed,
        keys,
        noise=settings.noise,
        repeated_titles=settings.repeated_titles,
        repeated_links=settings.repeated_links,
    )
    return Chunk(
        ids=_ids(seed, keys),
        texts=make_texts(seed, products),
        pictures=make_pictures(seed, products),
        # Rows that share a picture share its absence.
        missing=Draws(seed, products.shot).uniform("missing") < settings.missing_images,
        medians=products.median,
        prices=products.price,
    )


def keys_of_train(start: int, stop: int) -> Ints64:
    """Return the keys of the train rows from `start` to before `stop`: odd numbers."""
    return 2 * np.arange(start, stop, dtype=np.int64) + 1


def keys_of_test(start: int, stop: int) -> Ints64:
    """Return the keys of the test rows from `start` to before `stop`: even numbers."""
    return 2 * np.arange(start, stop, dtype=np.int64) + 2


def write_catalogue(folder: Path, seed: int, settings: SyntheticSettings) -> dict[str, float | int]:
    """Write train.csv, test.csv and images/ into a folder.

    Parameters
    ----------
    folder : Path
        Replaced as a whole.
    seed : int
        Same seed and settings, same bytes.
    settings : SyntheticSettings
        How much of what.

    Returns
    -------
    dict
        ``rows``, ``test_rows``, ``smape_floor`` (percent: of predicting each train row's median
        price, which nothing beats but luck) and ``smape_constant`` (percent: of predicting the
        median of all train prices).
    """
    with replacing_folder(folder) as temporary:
        images = temporary / "images"
        images.mkdir()
        train = _train_chunks(seed, settings)
        medians, prices = _write_train(temporary / "train.csv", _drawn(train, images, settings))
        test = _test_chunks(seed, settings)
        _write_test(temporary / "test.csv", _drawn(test, images, settings), settings)
    return {
        "rows": settings.rows,
        "test_rows": settings.test_rows,
        "smape_floor": round(smape(prices, medians), 4),
        "smape_constant": round(smape(prices, np.full_like(prices, np.median(prices))), 4),
    }


def _train_chunks(seed: int, settings: SyntheticSettings) -> Iterator[Chunk]:
    for start, stop in _spans(settings.rows):
        yield make_rows(seed, settings, keys_of_train(start, stop))


def _test_chunks(seed: int, settings: SyntheticSettings) -> Iterator[Chunk]:
    for start, stop in _spans(settings.test_rows):
        yield make_rows(seed, settings, keys_of_test(start, stop))


def _spans(rows: int) -> Iterable[tuple[int, int]]:
    starts = tqdm(range(0, rows, CHUNK_ROWS), desc="sample", unit="chunk", disable=None)
    return ((start, min(start + CHUNK_ROWS, rows)) for start in starts)


def _drawn(chunks: Iterator[Chunk], folder: Path, settings: SyntheticSettings) -> Iterator[Chunk]:
    """Pass the chunks on and write their pictures, where pictures are wanted."""
    for chunk in chunks:
        if settings.images:
            _write_pictures(folder, chunk)
        yield chunk


def _write_pictures(folder: Path, chunk: Chunk) -> None:
    for picture, missing in zip(chunk.pictures, chunk.missing, strict=True):
        path = folder / picture.link().rsplit("/", 1)[1]
        if not missing and not path.exists():
            path.write_bytes(picture.encode())


def _write_train(path: Path, chunks: Iterator[Chunk]) -> tuple[Floats, Floats]:
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


def _write_test(path: Path, chunks: Iterator[Chunk], settings: SyntheticSettings) -> None:
    """Write test.csv."""
    prices = settings.test_prices
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(TRAIN_COLUMNS if prices else TEST_COLUMNS)
        for chunk in chunks:
            writer.writerows((*row, price) if prices else row for row, price in _rows(chunk))


def _rows(chunk: Chunk) -> Iterator[tuple[tuple[int, str, str], float]]:
    links = (picture.link() for picture in chunk.pictures)
    rows = zip(chunk.ids.tolist(), chunk.texts, links, strict=True)
    return zip(rows, chunk.prices.tolist(), strict=True)


def _ids(seed: int, keys: Ints64) -> Ints64:
    """Permute the keys, all below 2**28, so that they look like a shop's numbers."""
    factor = int(Draws(seed, np.zeros(1, dtype=np.int64)).bits("ids")[0]) % (IDS - 1) + 1
    fourth = (keys * keys % IDS) ** 2 % IDS
    return fourth * keys % IDS * factor % IDS
