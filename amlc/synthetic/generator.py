"""A synthetic catalogue in the competition's format, whose best possible SMAPE is known.

The price of a product is the product of factors for its category, brand, words, size, number of
pieces and label, times log-normal noise. As the noise cannot be predicted, the best possible
prediction is the median price of each row; its SMAPE is the noise floor.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
from pydantic import Field
from tqdm import tqdm

from amlc.arrays import Floats, Ints64
from amlc.catalog.products import ID, LINK, PRICE, TEST_COLUMNS, TEXT, TRAIN_COLUMNS
from amlc.files import replacing_folder
from amlc.metrics import smape
from amlc.params import Settings
from amlc.synthetic.assortment import make_products
from amlc.synthetic.draws import Draws
from amlc.synthetic.packshots import make_packshots
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


def make_rows(seed: int, settings: SyntheticSettings, keys: Ints64) -> pd.DataFrame:
    """Return the rows of keys; each depends on the seed, the settings and its key alone.

    Parameters
    ----------
    seed : int
        Not negative.
    settings : SyntheticSettings
        Shares and noise; the numbers of rows are ignored.
    keys : ndarray of int64, shape (n,)
        Positive; odd for train rows and even for test rows.

    Returns
    -------
    DataFrame
        The competition's columns, ``median`` (the price without noise), ``packshot`` (the picture
        of the link) and ``missing`` (whether there is no picture for the link).
    """
    products = make_products(
        seed,
        keys,
        noise=settings.noise,
        repeated_titles=settings.repeated_titles,
        repeated_links=settings.repeated_links,
    )
    packshots = make_packshots(seed, products)
    # Rows that share a picture all have it or all lack it.
    missing = Draws(seed, products.shot).uniform("missing") < settings.missing_images
    return pd.DataFrame(
        {
            ID: sample_ids(seed, keys),
            TEXT: make_texts(seed, products),
            LINK: [packshot.link() for packshot in packshots],
            PRICE: products.price,
            "median": products.median,
            "packshot": packshots,
            "missing": missing,
        }
    )


def sample_ids(seed: int, keys: Ints64) -> Ints64:
    """Return a distinct id below 2**31 for each key below 2**28, in an order that looks random."""
    factor = int(Draws(seed, np.zeros(1, dtype=np.int64)).bits("ids")[0]) % (ID_PRIME - 1) + 1
    fourth = (keys * keys % ID_PRIME) ** 2 % ID_PRIME
    return fourth * keys % ID_PRIME * factor % ID_PRIME


def write_catalogue(
    folder: Path, images: Path, seed: int, settings: SyntheticSettings
) -> dict[str, float | int]:
    """Write train.csv and test.csv into a folder, and their pictures into another one.

    Parameters
    ----------
    folder, images : Path
        The folders; each is replaced as a whole.
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
    with replacing_folder(images) as pictures, replacing_folder(folder) as temporary:
        train = _chunks(seed, settings, settings.rows, first_key=1)
        prices, medians = _write_split(temporary / "train.csv", TRAIN_COLUMNS, train, pictures)
        test = _chunks(seed, settings, settings.test_rows, first_key=2)
        columns = TRAIN_COLUMNS if settings.test_prices else TEST_COLUMNS
        _write_split(temporary / "test.csv", columns, test, pictures)
    return {
        "rows": settings.rows,
        "test_rows": settings.test_rows,
        "smape_floor": round(smape(prices, medians), 4),
        "smape_constant": round(smape(prices, np.full_like(prices, np.median(prices))), 4),
    }


def _chunks(
    seed: int, settings: SyntheticSettings, rows: int, *, first_key: int
) -> Iterator[pd.DataFrame]:
    """Yield the rows of a split; where no pictures are wanted, all are missing."""
    for start in tqdm(range(0, rows, CHUNK_ROWS), desc="synthetic", unit="chunk", disable=None):
        stop = min(start + CHUNK_ROWS, rows)
        chunk = make_rows(seed, settings, first_key + 2 * np.arange(start, stop, dtype=np.int64))
        yield chunk if settings.images else chunk.assign(missing=True)


def _write_split(
    path: Path, columns: Sequence[str], chunks: Iterator[pd.DataFrame], images: Path
) -> tuple[Floats, Floats]:
    """Write a CSV file and the pictures of its links; return the rows' prices and medians."""
    numbers: list[Floats] = []
    with path.open("w", encoding="utf-8", newline="") as stream:
        for chunk in chunks:
            rows = chunk[list(columns)]
            rows.to_csv(stream, header=not numbers, index=False, lineterminator="\n")
            numbers.append(chunk[[PRICE, "median"]].to_numpy())
            for packshot in chunk.loc[~chunk["missing"], "packshot"]:
                picture = images / packshot.link().rsplit("/", 1)[1]
                if not picture.exists():
                    picture.write_bytes(packshot.encode())
    prices, medians = np.concatenate(numbers).T
    return prices, medians
