"""Reduce the terms to topics."""

from pathlib import Path

from amlc import params
from amlc.catalog.table import read_products, train_rows
from amlc.errors import run
from amlc.features.blocks import read_terms
from amlc.features.topics import TopicFeatures, TopicsSettings
from amlc.files import write_array


def main() -> None:
    """Fit on the train rows, transform all rows."""
    settings = params.load(TopicsSettings, "topics")
    products = read_products(Path("data/products.parquet"), ["split"])
    terms = read_terms(Path("data/features/terms.npz"))
    features = TopicFeatures(settings, params.seed()).fit(terms[train_rows(products)])
    block = features.transform(terms)
    write_array(Path("data/features/topics.npy"), block)
    features.components.save(Path("data/encoders/topics"))
    print(f"topics: {block.shape[0]} rows, {block.shape[1]} components")


if __name__ == "__main__":
    run(main)
