"""Worker processes for long CSVs: the threads of one Python process cannot use all cores."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Self

from amlc.errors import ModelError
from amlc.images.decode import pillow_warning_filters
from amlc.interrupts import children_ignore_interrupts
from amlc.pricing.bundle import Bundle
from amlc.pricing.estimates import Estimate, Product
from amlc.pricing.pricer import BundlePricer


class Workers:
    """Processes that each load a bundle; they start when they are first needed.

    Parameters
    ----------
    bundle : Path
        Folder of the bundle.
    count : int
        Number of processes.
    niceness : int
        How much they yield to other processes, 0 to 19, as ``nice`` counts it.
    version : str, optional
        The bundle's version: processes end at once where another bundle is in the folder by the
        time they start.

    Attributes
    ----------
    count : int
        Number of processes.
    """

    def __init__(
        self, bundle: Path, count: int, niceness: int = 0, version: str | None = None
    ) -> None:
        self.count = count
        self._bundle, self._version = bundle, version
        self._niceness = niceness
        self._pool: ProcessPoolExecutor | None = None
        self._started: list[Future[None]] = []
        self._broken = False

    def start(self) -> None:
        """Start the processes unless they run; `ready` is true once all have loaded the bundle."""
        self._running_pool()

    def _running_pool(self) -> ProcessPoolExecutor:
        if self._pool is None:
            # A spawned process shares no lock and no thread with this one.
            context = multiprocessing.get_context("spawn")
            threads = max(1, (os.cpu_count() or 1) // self.count)
            arguments = (self._bundle, self._version, threads, self._niceness)
            with children_ignore_interrupts():
                pool = ProcessPoolExecutor(
                    self.count, context, initializer=_load, initargs=arguments
                )
                self._started = [pool.submit(_do_nothing) for _ in range(self.count)]
            self._pool = pool
        return self._pool

    @property
    def ready(self) -> bool:
        """Whether all processes have loaded the bundle."""
        return self._pool is not None and not self.broken and all(map(Future.done, self._started))

    @property
    def broken(self) -> bool:
        """Whether a process ended unexpectedly; they can start again once they are stopped."""
        return self._broken or any(
            future.done() and not future.cancelled() and future.exception() is not None
            for future in self._started
        )

    def submit(self, products: Sequence[Product]) -> Future[list[Estimate]]:
        """Have products priced by one of the processes; the future gives them in their order.

        Raises
        ------
        BrokenProcessPool
            From here or from the future: a process has ended unexpectedly.
        """
        try:
            priced = self._running_pool().submit(_price, products)
        except BrokenProcessPool:
            self._broken = True
            raise
        # Cancelling this one does not cancel the pool's own: when a process ends, Python 3.11 fails
        # at the first that is cancelled, and leaves those behind it without a result for ever.
        estimates: Future[list[Estimate]] = Future()
        priced.add_done_callback(partial(_pass_on, estimates))
        return estimates

    def stop(self) -> None:
        """End the processes once they finish what they are pricing; they can be started again."""
        pool, self._pool = self._pool, None
        self._started, self._broken = [], False
        if pool is not None:
            pool.shutdown(cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _pass_on(estimates: Future[list[Estimate]], priced: Future[list[Estimate]]) -> None:
    """Give a future the result of another, unless it was cancelled."""
    if not estimates.set_running_or_notify_cancel():
        return
    try:
        estimates.set_result(priced.result())
    except Exception as error:  # noqa: BLE001 - handed to the caller
        estimates.set_exception(error)


# The pricer of a worker process, and what holds as long as the process.
_pricer: BundlePricer | None = None
_filters = ExitStack()


def _load(bundle: Path, version: str | None, threads: int, niceness: int) -> None:
    global _pricer  # noqa: PLW0603 - an initializer can only leave it in the module
    # A pool may start a process later, too.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(niceness)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _filters.enter_context(pillow_warning_filters())
    _pricer = BundlePricer(load_same(bundle, version), threads)


def load_same(folder: Path, version: str | None) -> Bundle:
    """Load a bundle, unless another one has replaced it: a CSV is priced by one model.

    Raises
    ------
    ModelError
        Its version is another, or as in `Bundle.load`.
    """
    bundle = Bundle.load(folder)
    if version not in {None, bundle.version}:
        raise ModelError(
            f"{folder}: was replaced by the bundle {bundle.version}, and {version} is in use; "
            "start again to use the new one"
        )
    return bundle


def _end_with_parent() -> None:
    """End this process when its parent ends, because a killed parent cannot stop its workers."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _do_nothing() -> None:
    """Return at once; it runs only in a process that has loaded its bundle."""


def _price(products: Sequence[Product]) -> list[Estimate]:
    assert _pricer is not None
    return _pricer.price(products)
