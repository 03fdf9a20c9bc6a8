"""Describe each product's picture in numbers."""

from pathlib import Path

from amlc import params
from amlc.catalog.table import LINK, read_products
from amlc.errors import run
from amlc.features.vision import DESCRIPTORS, VisionSettings, describe_products
from amlc.files import write_array, write_json


def main() -> None:
    """Write data/features/vision.npy and the names of its columns, vision.json."""
    settings = params.load(VisionSettings, "vision")
    products = read_products(Path("data/products.parquet"), [LINK])
    block = describe_products(
        products[LINK].tolist(), Path("data/images"), settings, params.threads()
    )
    write_array(Path("data/features/vision.npy"), block)
    write_json(Path("data/features/vision.json"), list(DESCRIPTORS))
    absent = int(block[:, 0].sum())
    print(f"{len(block)} products, {block.shape[1]} descriptors, {absent} without a picture")


if __name__ == "__main__":
    run(main)
