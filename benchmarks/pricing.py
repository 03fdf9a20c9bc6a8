"""How fast and how large the pricing engine is: python benchmarks/pricing.py [BUNDLE] [CSV].

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

from amlc.pricing.estimates import Product

ROOT = Path(__file__).parents[1]
PRODUCTS, ONE_BY_ONE, WARM_UP = 2000, 300, 30
BATCH_COPIES = 5_000


def main() -> None:
    """Measure what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path, nargs="?", default=ROOT / "data/bundle")
    parser.add_argument("products", type=Path, nargs="?", default=ROOT / "data/synthetic/test.csv")
    parser.add_argument("--images", type=Path, default=ROOT / "data/synthetic/images")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    started = time.perf_counter()
    # Importing counts as starting.
    from amlc.pricing.pricer import BundlePricer  # noqa: PLC0415 - its time is measured

    pricer = BundlePricer.load(options.bundle)
    tell("import and load, s", f"{time.perf_counter() - started:.2f}")
    tell("train products", f"{len(pricer.bundle.catalogue):,}")
    tell("terms", f"{len(pricer.bundle.topics.rows):,}")
    tell("models", ", ".join(pricer.bundle.models))
    tell("memory after loading, MB", resident())
    texts = read(options.products)
    pictures = [Product(one.text, find(options.images, link)) for one, link in texts]
    plain = [one for one, _ in texts]

    def timed(products: list[Product], **more: object) -> None:
        times = [
            elapsed(lambda product=product: pricer.price([product], **more))  # type: ignore[misc, arg-type] # mypy cannot follow keywords through
            for product in products[: WARM_UP + ONE_BY_ONE]
        ][WARM_UP:]
        p50, p99 = np.quantile(times, [0.5, 0.99]) * 1e3
        name = ", ".join(["text and picture" if products is pictures else "text", *more])
        tell(f"one price, {name}: p50 / p99 ms", f"{p50:.1f} / {p99:.1f}")

    timed(plain)
    timed(pictures)
    timed(pictures, similar=6)
    timed(pictures, similar=6, contributions=True)
    seconds = elapsed(lambda: pricer.price(plain))
    tell("one process, text, products/s", f"{len(plain) / seconds:,.0f}")
    tell("memory after all that, MB", resident())
    rate = command(options, [one.text for one in plain])
    tell(f"command, text, {options.workers} workers, products/s", f"{rate:,.0f}")


def tell(name: str, value: str) -> None:
    """Print one line of the table."""
    print(f"{name:64}  {value}", flush=True)


def read(path: Path) -> list[tuple[Product, str]]:
    """Return some products, and the links of their pictures."""
    with path.open(encoding="utf-8", newline="") as stream:
        found = islice(csv.DictReader(stream), PRODUCTS)
        return [(Product(row["catalog_content"]), row["image_link"]) for row in found]


def find(folder: Path, link: str) -> bytes | None:
    """Return the picture of a link."""
    path = folder / link.rpartition("/")[2]
    return path.read_bytes() if path.is_file() else None


def elapsed(work: Callable[[], object]) -> float:
    """Return how many seconds some work takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def resident() -> str:
    """Return this process's resident memory, and how much of it is no mapped file."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    total, own = (int(fields[name].split()[0]) / 1024 for name in ("VmRSS", "RssAnon"))
    return f"{total:,.0f} ({own:,.0f} without mapped files)"


def command(options: argparse.Namespace, texts: list[str]) -> float:
    """Return how many products a second the command prices, its start left out."""
    seconds = []
    with tempfile.TemporaryDirectory() as name:
        source = Path(name) / "products.csv"
        for count in (BATCH_COPIES, 2 * BATCH_COPIES):
            with source.open("w", encoding="utf-8", newline="") as stream:
                writer = csv.writer(stream)
                writer.writerow(["sample_id", "catalog_content"])
                writer.writerows((row, texts[row % len(texts)]) for row in range(count))
            arguments = [source, "-o", Path(name) / "prices.csv", "--bundle", options.bundle]
            more = ["--no-images", "--workers", options.workers]
            line = [sys.executable, "-m", "amlc.predict", *map(str, [*arguments, *more])]
            seconds.append(
                elapsed(lambda line=line: subprocess.run(line, cwd=ROOT, check=True))  # type: ignore[misc] # as above
            )
    return BATCH_COPIES / (seconds[1] - seconds[0])


if __name__ == "__main__":
    main()
