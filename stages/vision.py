"""Compute the descriptors of each product's picture."""

from amlc import layout, params
from amlc.catalog.products import LINK, read_products
from amlc.errors import run
from amlc.features.vision.block import VisionSettings, describe_products
from amlc.files import write_array


def main() -> None:
    """Write data/features/vision.npy."""
    settings = params.load(VisionSettings, "vision")
    products = read_products(layout.PRODUCTS, [LINK])
    block = describe_products(products[LINK].tolist(), layout.IMAGES, settings, params.threads())
    write_array(layout.VISION, block)
    # The first descriptor is 1 for a product without a picture.
    missing = int(block[:, 0].sum())
    print(f"vision: {len(block)} rows, {block.shape[1]} descriptors, {missing} without a picture")


if __name__ == "__main__":
    run(main)
