"""Price the products of a CSV file: python -m amlc.predict products.csv -o prices.csv."""

import argparse
import os
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import stages  # noqa: F401 - before NumPy: the same arithmetic as in the pipeline

# isort: split
from amlc import params
from amlc.errors import run
from amlc.images.decode import pillow_warnings_settled
from amlc.images.settings import ImageSettings
from amlc.images.store import default_path
from amlc.serving.batch import SMALL_BYTES, price_file
from amlc.serving.pictures import DownloadedPictures, FolderPictures, NoPictures, Pictures
from amlc.serving.pricer import BundlePricer
from amlc.serving.rows import open_rows
from amlc.serving.workers import Workers


def main() -> None:
    """Price a file; print how many rows there were, and what was missing."""
    options = _options()
    with open_rows(options.products, links=not options.no_images):
        # A file that is no CSV of products is told before a bundle is loaded for it.
        pass
    with ExitStack() as stack:
        stack.enter_context(pillow_warnings_settled())
        pricer = BundlePricer.load(options.bundle)
        pictures = _pictures(options, pricer)
        large = options.products.stat().st_size > SMALL_BYTES
        count = options.workers if large else 1
        workers = stack.enter_context(Workers(options.bundle, count)) if count > 1 else None
        counts = price_file(
            options.products,
            options.output,
            pricer,
            workers,
            pictures,
            links=not options.no_images,
        )
    _tell(counts, options.output, pricer.version)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m amlc.predict", description=__doc__)
    parser.add_argument(
        "products",
        type=Path,
        help="a CSV with the columns sample_id, catalog_content and image_link",
    )
    parser.add_argument("-o", "--output", type=Path, required=True, help="the CSV to write")
    parser.add_argument(
        "--bundle", type=Path, default=Path("data/bundle"), help="default: data/bundle"
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--images",
        type=Path,
        metavar="FOLDER",
        help="take pictures from here, named by the last part of their link, and download none",
    )
    where.add_argument("--no-images", action="store_true", help="price by text alone")
    parser.add_argument(
        "--workers",
        type=_positive,
        default=os.cpu_count() or 1,
        help="processes, for files of more than 2 MB; default: one for each core",
    )
    return parser.parse_args()


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected 1 or more, got {number}")
    return number


def _pictures(options: argparse.Namespace, pricer: BundlePricer) -> Pictures:
    if options.no_images:
        return NoPictures()
    limits = pricer.bundle.picture
    if options.images is not None:
        with open_rows(options.products, links=True) as (rows, _):
            return FolderPictures(options.images, (row.link for row in rows), limits)
    settings = params.load(ImageSettings, "images")
    # Pictures have to be as the models have seen them.
    changed = {**limits.model_dump(), "mirror": None}
    return DownloadedPictures(settings.model_copy(update=changed), default_path())


def _tell(counts: Counter[str], target: Path, version: str) -> None:
    print(f"predict: {counts['rows']:,} prices in {target}, by model {version}")
    for reason, count in counts.most_common():
        if reason != "rows":
            print(f"  {count:8,}  {reason}")


if __name__ == "__main__":
    run(main)
