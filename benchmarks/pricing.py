"""Measure pricing without the service: python benchmarks/pricing.py [BUNDLE] [CSV].

Prints one table: seconds to load, resident memory, milliseconds for one price, products a second.
"""

import argparse
import csv
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
import amlc.numerics  # noqa: F401 - before NumPy: the same arithmetic as in the pipeline

# isort: split
import numpy as np

from amlc.errors import run
from amlc.pricing.estimates import Product

ROOT = Path(__file__).parents[1]
PRODUCTS, ONE_BY_ONE, WARM_UP = 2000, 300, 30
BATCH_COPIES = 5_000


def main() -> None:
    """Measure the bundle that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path, nargs="?", default=ROOT / "data/bundle")
    parser.add_argument("products", type=Path, nargs="?", default=ROOT / "data/synthetic/test.csv")
    parser.add_argument("--images", type=Path, default=ROOT / "data/synthetic_images")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    started = time.perf_counter()
    # The time to import is part of the time to load.
    from amlc.pricing.pricer import BundlePricer  # noqa: PLC0415 - its time is measured

    pricer = BundlePricer.load(options.bundle)
    show("import and load, s", f"{time.perf_counter() - started:.2f}")
    show("train products", f"{len(pricer.bundle.train_products):,}")
    show("terms", f"{len(pricer.bundle.topics.rows):,}")
    show("models", ", ".join(pricer.bundle.models))
    show("memory after loading, MB", resident())
    rows = read(options.products)
    with_pictures = [Product(text, find(options.images, link)) for text, link in rows]
    by_text = [Product(text) for text, _ in rows]

    def timed(products: list[Product], **options_of_price: object) -> None:
        times = [
            elapsed(lambda product=product: pricer.price([product], **options_of_price))  # type: ignore[misc, arg-type] # mypy cannot follow keywords through
            for product in products[: WARM_UP + ONE_BY_ONE]
        ][WARM_UP:]
        p50, p99 = np.quantile(times, [0.5, 0.99]) * 1e3
        name = ", ".join(
            ["text and picture" if products is with_pictures else "text", *options_of_price]
        )
        show(f"one price, {name}: p50 / p99 ms", f"{p50:.1f} / {p99:.1f}")

    timed(by_text)
    timed(with_pictures)
    timed(with_pictures, similar=6)
    timed(with_pictures, similar=6, contributions=True)
    seconds = elapsed(lambda: pricer.price(by_text))
    show("one process, text, products/s", f"{len(by_text) / seconds:,.0f}")
    show("memory after all that, MB", resident())
    rate = command(options, [text for text, _ in rows])
    show(f"command, text, {options.workers} workers, products/s", f"{rate:,.0f}")


def show(name: str, value: str) -> None:
    """Print one line of the table."""
    print(f"{name:64}  {value}", flush=True)


def read(path: Path) -> list[tuple[str, str]]:
    """Return the texts of the first products, and the links of their pictures."""
    with path.open(encoding="utf-8", newline="") as stream:
        rows = islice(csv.DictReader(stream), PRODUCTS)
        return [(row["catalog_content"], row["image_link"]) for row in rows]


def find(folder: Path, link: str) -> bytes | None:
    """Return the picture of a link, or None where the folder has none."""
    path = folder / link.rpartition("/")[2]
    return path.read_bytes() if path.is_file() else None


def elapsed(work: Callable[[], object]) -> float:
    """Return how many seconds a call takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def resident() -> str:
    """Return the resident memory of this process, with and without mapped files."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    total, anonymous = (int(fields[name].split()[0]) / 1024 for name in ("VmRSS", "RssAnon"))
    return f"{total:,.0f} ({anonymous:,.0f} without mapped files)"


def command(options: argparse.Namespace, texts: list[str]) -> float:
    """Return how many products a second the command prices, without the time of its start."""
    seconds = []
    with tempfile.TemporaryDirectory() as name:
        source = Path(name) / "products.csv"
        for count in (BATCH_COPIES, 2 * BATCH_COPIES):
            with source.open("w", encoding="utf-8", newline="") as stream:
                writer = csv.writer(stream)
                writer.writerow(["sample_id", "catalog_content"])
                writer.writerows((row, texts[row % len(texts)]) for row in range(count))
            # The command runs in another folder.
            bundle = options.bundle.resolve()
            arguments = [source, "-o", Path(name) / "prices.csv", "--bundle", bundle]
            arguments += ["--no-images", "--workers", options.workers]
            line = [sys.executable, "-m", "amlc", "predict", *map(str, arguments)]
            seconds.append(
                elapsed(lambda line=line: subprocess.run(line, cwd=ROOT, check=True))  # type: ignore[misc] # as above
            )
    return BATCH_COPIES / (seconds[1] - seconds[0])


if __name__ == "__main__":
    run(main)
