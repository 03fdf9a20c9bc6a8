"""Compute the descriptors of each product's picture."""

from amlc import layout, params
from amlc.catalog.products import read_links
from amlc.errors import run
from amlc.execution.executor import open_backend
from amlc.execution.settings import ExecutorSettings
from amlc.features.vision.block import VisionSettings, describe_products


def main() -> None:
    """Write data/features/vision.npy."""
    settings = params.load(VisionSettings, "vision")
    links, threads = read_links(layout.PRODUCTS), params.threads()
    with open_backend(params.load(ExecutorSettings, "executor")) as backend:
        block = describe_products(links, layout.IMAGES, settings, threads, backend)
    block.write(layout.VISION)
    # The first descriptor is 1 for a product without a picture.
    missing = int(block.array[:, 0].sum())
    rows, count = block.shape
    print(f"vision: {rows} rows, {count} descriptors, {missing} without a picture")


if __name__ == "__main__":
    run(main)
