"""Find, for each product, the train products with the most similar text."""

from amlc import layout, params
from amlc.catalog.products import read_products, train_rows
from amlc.errors import run
from amlc.execution.executor import open_backend
from amlc.execution.settings import ExecutorSettings
from amlc.features.blocks import Terms
from amlc.features.neighbour_block import NeighbourBlock, Neighbours
from amlc.features.text.neighbour_index import NeighboursSettings
from amlc.features.text.neighbours import search_train_products


def main() -> None:
    """Find the neighbours of all products; write data/features/neighbours.npz."""
    settings = params.load(NeighboursSettings, "neighbours")
    train = train_rows(read_products(layout.PRODUCTS, ["split"]))
    terms = Terms.read(layout.TERMS).weights
    threads = params.threads()
    with open_backend(params.load(ExecutorSettings, "executor")) as backend:
        parts = search_train_products(terms, train, settings, threads=threads, backend=backend)
        Neighbours.write_parts(layout.NEIGHBOURS, parts)
    block = NeighbourBlock.read(layout.NEIGHBOURS)
    similarity = float(block.table.similarity[:, 0].mean())
    print(
        f"neighbours: {block.shape[0]} rows, {block.shape[1]} neighbours each, "
        f"mean similarity of the nearest {similarity:.2f}"
    )


if __name__ == "__main__":
    run(main)
