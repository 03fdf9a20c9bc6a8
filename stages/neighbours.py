"""Find, for each product, the train products with the most similar text."""

from amlc import layout, params
from amlc.catalog.products import read_products, train_rows
from amlc.errors import run
from amlc.features.blocks import read_terms, write_neighbours
from amlc.features.text.similarity import NeighboursSettings, train_neighbours


def main() -> None:
    """Search among the train rows, for all rows."""
    settings = params.load(NeighboursSettings, "neighbours")
    train = train_rows(read_products(layout.PRODUCTS, ["split"]))
    terms = read_terms(layout.TERMS)
    found = train_neighbours(terms, train, settings, threads=params.threads())
    write_neighbours(layout.NEIGHBOURS, found)
    first = float(found.similarity[:, 0].mean())
    rows, count = found.rows.shape
    print(f"neighbours: {rows} rows, {count} each, the nearest at {first:.2f}")


if __name__ == "__main__":
    run(main)
