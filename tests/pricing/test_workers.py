"""Worker processes: the same prices as in this process, and a clean end."""

import multiprocessing
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest

from amlc.pricing.estimates import Product
from amlc.pricing.pricer import BundlePricer
from amlc.pricing.workers import Workers
from tests.helpers.pictures import jpeg

PRODUCTS = [
    Product(f"Item Name: Green Tea, {bags} Bags\nValue: {bags}\nUnit: Count\n")
    for bags in (20, 50, 100)
]
# Each test starts processes, which takes seconds.
pytestmark = pytest.mark.slow


@pytest.fixture
def workers(pipeline: Path) -> Iterator[Workers]:
    """Return one worker that has not started."""
    with Workers(pipeline / "bundle", 1) as pool:
        yield pool


def test_workers_give_the_prices_of_this_process(pipeline: Path, workers: Workers) -> None:
    """Prices are equal bit for bit, and the workers are ready once they have priced."""
    pricer = BundlePricer.load(pipeline / "bundle")
    assert not workers.ready
    assert workers.submit(PRODUCTS).result(120) == pricer.price(PRODUCTS)
    pictures = [Product(PRODUCTS[0].text, picture) for picture in (jpeg(), b"no picture", None)]
    assert workers.submit(pictures).result(120) == pricer.price(pictures)
    assert workers.ready


def test_workers_start_again_after_a_stop(workers: Workers) -> None:
    """Workers that were stopped price again."""
    before = workers.submit(PRODUCTS).result(120)
    workers.stop()
    assert not workers.ready
    assert workers.submit(PRODUCTS).result(120) == before


def test_a_killed_worker_breaks_the_pool(workers: Workers) -> None:
    """A caller gets an error after a worker was killed."""
    before = set(multiprocessing.active_children())
    workers.submit(PRODUCTS).result(120)
    (process,) = set(multiprocessing.active_children()) - before
    process.kill()
    with pytest.raises(BrokenProcessPool):
        workers.submit(PRODUCTS).result(120)


def test_workers_without_a_bundle_are_never_ready(tmp_path: Path) -> None:
    """Workers that cannot load their bundle end with an error."""
    with Workers(tmp_path, 1) as workers:
        with pytest.raises(BrokenProcessPool):
            workers.submit(PRODUCTS).result(120)
        assert not workers.ready
