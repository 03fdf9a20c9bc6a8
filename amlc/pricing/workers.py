"""Worker processes that price: Python runs one thread at a time, a long CSV can use all cores."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path
from typing import Self

from amlc.pricing.estimates import Estimate, Product
from amlc.pricing.pricer import BundlePricer, CheckedProduct


class Workers:
    """Processes that each load a bundle; they start when they are first needed.

    Parameters
    ----------
    bundle : Path
        Folder of the bundle.
    count : int
        Number of processes.

    Attributes
    ----------
    count : int
        Number of processes.
    """

    def __init__(self, bundle: Path, count: int) -> None:
        self.count = count
        self._bundle = bundle
        self._pool: ProcessPoolExecutor | None = None
        self._started: list[Future[None]] = []

    def start(self) -> None:
        """Start the processes unless they run; they are `ready` once each has loaded the bundle."""
        self._running_pool()

    def _running_pool(self) -> ProcessPoolExecutor:
        if self._pool is None:
            # A spawned process shares no lock and no thread with this one.
            context = multiprocessing.get_context("spawn")
            arguments = (self._bundle,)
            pool = ProcessPoolExecutor(self.count, context, initializer=_load, initargs=arguments)
            self._started = [pool.submit(_do_nothing) for _ in range(self.count)]
            self._pool = pool
        return self._pool

    @property
    def ready(self) -> bool:
        """Whether all processes have loaded the bundle."""
        return self._pool is not None and all(
            future.done() and not future.cancelled() and future.exception() is None
            for future in self._started
        )

    def submit(self, products: Sequence[Product]) -> Future[list[Estimate]]:
        """Have products priced by one of the processes; the future gives them in their order.

        Raises
        ------
        BrokenProcessPool
            From here or from the future: a process has ended unexpectedly.
        """
        return self._running_pool().submit(_price, products)

    def submit_checked(self, products: Sequence[CheckedProduct]) -> Future[list[Estimate]]:
        """Have checked products priced by one of the processes, as `submit` does."""
        return self._running_pool().submit(_price_checked, products)

    def stop(self) -> None:
        """End the processes after the products that they are pricing; they can start again."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


# The pricer of a worker process.
_pricer: BundlePricer | None = None


def _load(bundle: Path) -> None:
    global _pricer  # noqa: PLW0603 - an initializer can only leave it in the module
    # An interrupt at the terminal reaches every process; the parent ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _pricer = BundlePricer.load(bundle)


def _end_with_parent() -> None:
    """End this process after its parent: one that is killed cannot stop its workers."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _do_nothing() -> None:
    """Return at once; it runs only in a process that has loaded its bundle."""


def _price(products: Sequence[Product]) -> list[Estimate]:
    assert _pricer is not None
    return _pricer.price(products)


def _price_checked(products: Sequence[CheckedProduct]) -> list[Estimate]:
    assert _pricer is not None
    return _pricer.price_checked(products)
