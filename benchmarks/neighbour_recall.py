"""How many of the nearest products the search finds, and what that takes, by `max_postings`.

`python benchmarks/neighbour_recall.py --work /tmp/scale --rows 75000 300000` reads the terms that
`benchmarks/scale.py` left in its working folder, searches for the neighbours of some train products
with different settings of `neighbours.max_postings`, and compares them to those of a full search
over all train products. Recall is the share of the k nearest that are found; of equally similar
products, any counts. Processor time is that without the comparison of neighbours to each other,
which does not depend on the setting. The last column is the SMAPE of a product's price if it were
the mean log price of its 32 nearest in other folds, weighted by squared similarity, and how much
that differs from the first setting, with its standard error over the products.
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from scale import WORK
from tqdm import tqdm

from amlc import layout, params
from amlc.arrays import Floats, Floats32, Ints32, Rows
from amlc.catalog.products import PRICE, read_products, train_rows
from amlc.errors import run
from amlc.features.blocks import Terms
from amlc.features.neighbour_block import NO_NEIGHBOUR
from amlc.features.text.neighbour_index import NeighbourIndex, NeighboursSettings
from amlc.metrics import row_smape

# The numbers of nearest products for which recall is told.
NEAREST = (8, 32, 64, 128)
# Products whose similarity to all others is in memory at the same time.
CHUNK_ROWS = 16
# Neighbours whose mean price is looked at.
PRICED_BY = 32
# Sums of the same weights in another order differ in their last bits.
TOLERANCE = 1e-5


@dataclass(frozen=True)
class Found:
    """What one setting finds.

    Parameters
    ----------
    rows, max_postings : int
        Products of the catalogue, and the setting.
    postings : float
        Entries of the index that are read for a product.
    milliseconds : float
        Processor time for a product.
    recall : tuple of float
        For each number in `NEAREST`.
    smape : ndarray of float64, shape (priced products,)
        Of the mean price of neighbours, in percent.
    """

    rows: int
    max_postings: int
    postings: float
    milliseconds: float
    recall: tuple[float, ...]
    smape: Floats


def similarity_to_all(
    weights: sp.csr_array, queries: sp.csr_array, own: Rows
) -> Iterator[Floats32]:
    """Yield the similarities of each query to the nearest train products but itself, sorted.

    Parameters
    ----------
    weights : csr_array of float32, shape (m, terms)
        TF-IDF of the train products.
    queries : csr_array of float32, shape (n, terms)
        Some of their rows.
    own : ndarray of int, shape (n,)
        Which rows these are.
    """
    for start in range(0, queries.shape[0], CHUNK_ROWS):
        chunk = slice(start, start + CHUNK_ROWS)
        similarity = weights @ queries[chunk].T.toarray()
        for scores, row in zip(similarity.T, own[chunk], strict=True):
            scores[row] = 0
            yield np.sort(scores)[::-1][: max(NEAREST)]


def recall(found: Floats32, exact: Floats32) -> tuple[float, ...]:
    """Return the share of the nearest that were found, for each number in `NEAREST`.

    Parameters
    ----------
    found, exact : ndarray of float32, shape (n, k)
        Similarities of the nearest products, the largest first, by the search and in truth.
    """
    shares = []
    for count in NEAREST:
        last = exact[:, min(count, exact.shape[1]) - 1, None] * (1 - TOLERANCE)
        shares.append(float((found[:, :count] >= last).mean()))
    return tuple(shares)


def smape_of_mean(
    rows: Ints32, similarity: Floats32, fold: Rows, log_price: Floats, own: Rows
) -> Floats:
    """Return the SMAPE of each product if its price were the mean of its nearest in other folds.

    Parameters
    ----------
    rows : ndarray of int32, shape (n, k)
        Neighbours among the train products, the nearest first.
    similarity : ndarray of float32, shape (n, k)
        To these neighbours.
    fold, log_price : ndarray of shape (m,)
        Of the train products.
    own : ndarray of int, shape (n,)
        Which train products these are.
    """
    usable = (rows != NO_NEIGHBOUR) & (fold[rows] != fold[own, None])
    usable &= np.cumsum(usable, axis=1) <= PRICED_BY
    weight = np.where(usable, np.square(similarity, dtype=np.float64), 0)
    total = weight.sum(axis=1)
    mean = np.full(len(own), np.median(log_price))
    np.divide((weight * log_price[rows]).sum(axis=1), total, out=mean, where=total > 0)
    return row_smape(np.exp(log_price[own]), np.exp(mean))


def measure(
    folder: Path, limits: list[int], queries: int, priced: int, seed: int
) -> Iterator[Found]:
    """Yield what each setting finds in one catalogue."""
    terms = Terms.read(folder / layout.TERMS).weights
    products = read_products(folder / layout.PRODUCTS, ["split", "fold", PRICE])
    rows = train_rows(products)
    train, fold = terms[rows], products["fold"].to_numpy()[rows]
    log_price = np.log(products[PRICE].to_numpy(dtype=np.float64)[rows])
    settings = params.load(NeighboursSettings, "neighbours")
    settings = settings.model_copy(update={"n_neighbors": max(NEAREST), "n_compared": 0})
    shuffled = np.random.default_rng(seed).permutation(len(rows))
    own, others = np.sort(shuffled[:queries]), np.sort(shuffled[:priced])
    exact: Floats32 | None = None
    for limit in limits:
        index = NeighbourIndex.build(train, settings.model_copy(update={"max_postings": limit}))
        if exact is None:
            all_of_them = similarity_to_all(index.weights, train[own], own)
            bar = tqdm(all_of_them, desc="full search", total=len(own), unit="row", disable=None)
            exact = np.stack(list(bar))
        started = time.process_time()
        found = index.nearest(train[own], max(NEAREST), own)
        seconds = time.process_time() - started
        near = index.nearest(train[others], max(NEAREST), others)
        postings = np.diff(index.postings.indptr)[train[own].indices].sum()
        yield Found(
            len(products),
            limit,
            postings / len(own),
            1000 * seconds / len(own),
            recall(found.similarity, exact),
            smape_of_mean(near.rows, near.similarity, fold, log_price, others),
        )


def table(results: list[Found]) -> str:
    """Return a Markdown table."""
    header = ["products", "max_postings", "postings read", "CPU ms"]
    header += [*(f"recall of {count}" for count in NEAREST), "SMAPE of the mean price"]
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    for result in results:
        cells = [f"{result.rows:,}", f"{result.max_postings:,}", f"{result.postings:,.0f}"]
        cells += [f"{result.milliseconds:.2f}", *(f"{share:.1%}" for share in result.recall)]
        first = next(each for each in results if each.rows == result.rows)
        change = result.smape - first.smape
        error = change.std() / np.sqrt(len(change))
        cells += [f"{result.smape.mean():.2f} ({change.mean():+.2f} ± {error:.2f})"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=WORK, help="of scale.py")
    parser.add_argument("--rows", type=int, nargs="+", default=[75_000])
    parser.add_argument("--max-postings", type=int, nargs="+", default=[1_250, 2_500, 5_000])
    parser.add_argument("--queries", type=int, default=256, help="products searched for in full")
    parser.add_argument("--priced", type=int, default=4096, help="products that get a mean price")
    return parser.parse_args()


def main() -> None:
    """Measure and print."""
    arguments = _arguments()
    results = [
        found
        for rows in arguments.rows
        for found in measure(
            arguments.work / str(rows),
            arguments.max_postings,
            arguments.queries,
            arguments.priced,
            params.seed(),
        )
    ]
    print("## Nearest products that the search finds\n")
    print(table(results))


if __name__ == "__main__":
    run(main)
