"""Processes that price: the same prices as here, and an end when nobody needs them any more."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest

from amlc.pricing.answers import Question
from amlc.pricing.pricer import BundlePricer, Prepared
from amlc.pricing.workers import Workers

QUESTIONS = [
    Question(f"Item Name: Green Tea, {bags} Bags\nValue: {bags}\nUnit: Count\n")
    for bags in (20, 50, 100)
]
# Each test starts processes, which takes seconds.
pytestmark = pytest.mark.slow


@pytest.fixture
def workers(pipeline: Path) -> Iterator[Workers]:
    """Return one worker that has not started."""
    with Workers(pipeline / "bundle", 1) as found:
        yield found


def test_they_price_as_this_process_does(pipeline: Path, workers: Workers) -> None:
    """Bit for bit, and they are ready once they have priced."""
    pricer = BundlePricer.load(pipeline / "bundle")
    assert not workers.ready
    assert workers.submit(QUESTIONS).result(120) == pricer.price(QUESTIONS)
    prepared = [Prepared(question.text, None) for question in QUESTIONS]
    assert workers.submit_prepared(prepared).result(120) == pricer.price_prepared(prepared)
    assert workers.ready


def test_they_start_again_after_a_stop(workers: Workers) -> None:
    """A rest is no end."""
    before = workers.submit(QUESTIONS).result(120)
    workers.stop()
    assert not workers.ready
    assert workers.submit(QUESTIONS).result(120) == before


def test_one_that_is_killed_breaks_the_pool(workers: Workers) -> None:
    """Whoever waits hears of it."""
    workers.submit(QUESTIONS).result(120)
    (number,) = workers.start()._processes
    os.kill(number, signal.SIGKILL)
    with pytest.raises(BrokenProcessPool):
        workers.submit(QUESTIONS).result(120)


def test_workers_of_a_bundle_that_is_none_are_never_ready(tmp_path: Path) -> None:
    """They end, and do not hang."""
    with Workers(tmp_path, 1) as workers:
        with pytest.raises(BrokenProcessPool):
            workers.submit(QUESTIONS).result(120)
        assert not workers.ready
