"""Processes that price beside this one: Python runs one thread at a time, a CSV keeps all busy."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

from amlc.pricing.answers import Answer, Question
from amlc.pricing.pricer import BundlePricer, Prepared


class Workers:
    """Processes with a bundle of their own; they start when they are first needed.

    Parameters
    ----------
    bundle : Path
        What each of them loads.
    count : int
        Processes.

    Attributes
    ----------
    count : int
        As given.
    """

    def __init__(self, bundle: Path, count: int) -> None:
        self.count = count
        self._bundle = bundle
        self._pool: ProcessPoolExecutor | None = None
        self._started: list[Future[None]] = []

    def start(self) -> ProcessPoolExecutor:
        """Start the processes unless they run; they are `ready` once each has loaded the bundle."""
        if self._pool is None:
            # A process that is started afresh shares no lock and no thread with this one.
            context = multiprocessing.get_context("spawn")
            arguments = (self._bundle,)
            pool = ProcessPoolExecutor(self.count, context, initializer=_load, initargs=arguments)
            self._started = [pool.submit(_meet) for _ in range(self.count)]
            self._pool = pool
        return self._pool

    @property
    def ready(self) -> bool:
        """Whether the processes run and none has failed to start."""
        return self._pool is not None and all(
            future.done() and not future.cancelled() and future.exception() is None
            for future in self._started
        )

    def submit(self, questions: Sequence[Question]) -> Future[list[Answer]]:
        """Have some products priced by one of the processes, in their order.

        Raises
        ------
        BrokenProcessPool
            From here or from the future: a process has ended unexpectedly.
        """
        return self.start().submit(_price, questions)

    def submit_prepared(self, products: Sequence[Prepared]) -> Future[list[Answer]]:
        """See `submit`; the pictures are as the image shards hold them."""
        return self.start().submit(_price_prepared, products)

    def stop(self) -> None:
        """End the processes, once they have finished what they are at; they can start again."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


# The pricer of a worker process.
_pricer: BundlePricer | None = None


def _load(bundle: Path) -> None:
    global _pricer  # noqa: PLW0603 - a worker has one, and nobody to hand it over
    # An interrupt at the terminal reaches every process; the first one ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _pricer = BundlePricer.load(bundle)


def _end_with_parent() -> None:
    """Wait for the first process to end: one that is killed cannot tell its workers."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _meet() -> None:
    """Do nothing, in a process that has loaded its bundle."""


def _price(questions: Sequence[Question]) -> list[Answer]:
    assert _pricer is not None
    return _pricer.price(questions)


def _price_prepared(products: Sequence[Prepared]) -> list[Answer]:
    assert _pricer is not None
    return _pricer.price_prepared(products)
