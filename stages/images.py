"""One checked picture for every distinct image link of the product table."""

from pathlib import Path

from amlc import params
from amlc.catalog.table import LINK, read_products
from amlc.errors import run
from amlc.files import replacing_folder, write_json
from amlc.images.download import download
from amlc.images.leftovers import in_use, remove_leftovers
from amlc.images.settings import ImageSettings
from amlc.images.shards import check_links
from amlc.images.store import default_path
from amlc.images.summary import summarise

PRODUCTS = Path("data/products.parquet")
IMAGES = Path("data/images")
FAILURES = Path("data/failed_images.txt")
METRICS = Path("metrics/images.json")


def main() -> None:
    """Write the image shards, the list of failures and the counts."""
    settings = params.load(ImageSettings, "images")
    links = read_products(PRODUCTS, [LINK])[LINK].unique().tolist()
    remove_leftovers(IMAGES)
    with replacing_folder(IMAGES) as folder, in_use(folder):
        download(links, settings, default_path(), folder)
        check_links(folder, links)
    summary = summarise(IMAGES, FAILURES)
    write_json(METRICS, summary.metrics())
    print(summary.table())


if __name__ == "__main__":
    run(main)
