"""Reduce the terms to topics by truncated SVD."""

from amlc import layout, params
from amlc.catalog.products import read_products, train_rows
from amlc.errors import run
from amlc.features.blocks import read_terms
from amlc.features.text.topics import TopicFeatures, TopicsSettings
from amlc.files import write_array


def main() -> None:
    """Fit on the train rows and transform all rows; write the block and its encoder."""
    settings = params.load(TopicsSettings, "topics")
    products = read_products(layout.PRODUCTS, ["split"])
    terms = read_terms(layout.TERMS)
    features = TopicFeatures(settings, params.seed()).fit(terms[train_rows(products)])
    block = features.transform(terms)
    write_array(layout.TOPICS, block)
    features.components.save(layout.ENCODERS / "topics")
    print(f"topics: {block.shape[0]} rows, {block.shape[1]} components")


if __name__ == "__main__":
    run(main)
