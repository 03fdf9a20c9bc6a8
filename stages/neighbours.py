"""Find, for each product, the train products with the most similar text."""

from pathlib import Path

import numpy as np

from amlc import params
from amlc.catalog.table import read_products, train_rows
from amlc.errors import run
from amlc.features.blocks import read_terms
from amlc.features.neighbours import NOBODY, Neighbours, write_neighbours
from amlc.features.term_index import NeighboursSettings, nearest


def main() -> None:
    """Search among the train rows, for all rows."""
    settings = params.load(NeighboursSettings, "neighbours")
    train = train_rows(read_products(Path("data/products.parquet"), ["split"]))
    terms = read_terms(Path("data/features/terms.npz"))
    own = np.full(terms.shape[0], NOBODY)
    own[train] = np.arange(len(train))
    found = nearest(terms, terms[train], settings, own, threads=params.threads())
    rows = np.where(found.rows == NOBODY, NOBODY, train[found.rows]).astype(np.int32)
    write_neighbours(
        Path("data/features/neighbours.npz"),
        Neighbours(rows, found.similarity, np.arange(len(rows), dtype=np.int32)),
    )
    first = float(found.similarity[:, 0].mean())
    print(f"neighbours: {len(rows)} rows, {rows.shape[1]} each, the nearest at {first:.2f}")


if __name__ == "__main__":
    run(main)
