"""Worker processes: the same prices as in this process, and a clean end."""

import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from amlc.errors import ModelError
from amlc.pricing import workers as workers_module
from amlc.pricing.bundle import Bundle
from amlc.pricing.estimates import Product
from amlc.pricing.pricer import BundlePricer
from amlc.pricing.workers import Workers, load_same
from tests.helpers.pictures import jpeg

PRODUCTS = [
    Product(f"Item Name: Green Tea, {bags} Bags\nValue: {bags}\nUnit: Count\n")
    for bags in (20, 50, 100)
]
# Each test starts processes, which takes seconds.
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def workers(pipeline: Path) -> Iterator[Workers]:
    """Return one worker that yields to other processes; it starts with the first test."""
    with Workers(pipeline / "bundle", 1, niceness=7) as pool:
        yield pool


def only_process() -> BaseProcess:
    """Return the process of the one worker."""
    (process,) = (
        process for process in multiprocessing.active_children() if "Spawn" in process.name
    )
    return process


def test_workers_give_the_prices_of_this_process(pipeline: Path, workers: Workers) -> None:
    """Prices are equal bit for bit, and the workers are ready once they have priced."""
    pricer = BundlePricer.load(pipeline / "bundle")
    assert not workers.ready
    assert workers.submit(PRODUCTS).result(120) == pricer.price(PRODUCTS)
    pictures = [Product(PRODUCTS[0].text, picture) for picture in (jpeg(), b"no picture", None)]
    assert workers.submit(pictures).result(120) == pricer.price(pictures)
    assert workers.ready


@pytest.mark.skipif(not hasattr(os, "getpriority"), reason="the system has no such priorities")
def test_workers_can_yield_to_other_processes(workers: Workers) -> None:
    """The processes of a service leave the processor to the one that answers."""
    workers.submit(PRODUCTS).result(120)
    own, pid = os.getpriority(os.PRIO_PROCESS, 0), only_process().pid
    assert pid is not None
    assert os.getpriority(os.PRIO_PROCESS, pid) == min(own + 7, 19)


def test_what_nobody_waits_for_any_more_does_not_keep_a_broken_pool_from_ending(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python fails at a future that was cancelled, and leaves those behind it without a result."""
    inner: list[Future[Any]] = []

    class Pool:
        def submit(self, *_: object) -> Future[Any]:
            inner.append(Future())
            return inner[-1]

    monkeypatch.setattr(workers_module, "ProcessPoolExecutor", lambda *_, **__: Pool())
    pool = Workers(tmp_path, 1)
    left, waiting, served = (pool.submit(PRODUCTS) for _ in range(3))
    assert left.cancel()
    # The first one is that of the start of the process.
    for future in inner[1:3]:
        future.set_exception(BrokenProcessPool())
    inner[3].set_result([])
    with pytest.raises(BrokenProcessPool):
        waiting.result(0)
    assert served.result(0) == []


def test_a_killed_worker_breaks_the_pool_until_it_is_stopped(workers: Workers) -> None:
    """A caller gets an error after a worker was killed; once stopped, they can price again."""
    before = workers.submit(PRODUCTS).result(120)
    only_process().kill()
    with pytest.raises(BrokenProcessPool):
        workers.submit(PRODUCTS).result(120)
    with pytest.raises(BrokenProcessPool):
        workers.submit(PRODUCTS)
    assert (workers.broken, workers.ready) == (True, False)
    workers.stop()
    assert workers.submit(PRODUCTS).result(120) == before
    assert (workers.broken, workers.ready) == (False, True)
    workers.stop()
    assert (workers.broken, workers.ready) == (False, False)


def test_workers_do_not_price_by_a_bundle_that_came_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a service runs while the stage bundle does, and its first long CSV comes then."""
    monkeypatch.setattr(Bundle, "load", lambda _: SimpleNamespace(version="later"))
    assert load_same(tmp_path, "later").version == "later"
    with pytest.raises(ModelError, match=r"was replaced by the bundle later, and first is in use"):
        load_same(tmp_path, "first")


def test_workers_without_a_bundle_are_never_ready(tmp_path: Path) -> None:
    """Workers that cannot load their bundle end with an error."""
    with Workers(tmp_path, 1) as workers:
        with pytest.raises(BrokenProcessPool):
            workers.submit(PRODUCTS).result(120)
        assert not workers.ready
        assert workers.broken
