"""Reduce the terms to topics by truncated SVD."""

from amlc import layout, params
from amlc.catalog.products import read_products, train_rows
from amlc.errors import run
from amlc.features.blocks import Terms
from amlc.features.text.topics import TopicsSettings, fit_topics, project


def main() -> None:
    """Fit on the train rows and transform all rows; write the block and its encoder."""
    settings = params.load(TopicsSettings, "topics")
    products = read_products(layout.PRODUCTS, ["split"])
    terms = Terms.read(layout.TERMS)
    train = terms.take(train_rows(products))
    components = fit_topics(train, settings, params.seed(), threads=params.threads())
    block = project(terms, components)
    block.write(layout.TOPICS)
    components.save(layout.ENCODERS / "topics")
    print(f"topics: {block.shape[0]} rows, {block.shape[1]} components")


if __name__ == "__main__":
    run(main)
