"""The line of products: priced together, answered apart, bounded."""

import threading
from collections.abc import Iterator

import pytest

from amlc.pricing.estimates import Product
from amlc.service.batcher import Batcher, QueueFullError
from tests.helpers.pricing import FakePricer, price_of


@pytest.fixture
def desk(pricer: FakePricer) -> Iterator[Batcher]:
    """Return a desk with one thread, which is stopped at its first product."""
    pricer.gate.clear()
    found = Batcher(pricer, workers=1, batch=4, queue=6)
    found.submit([Product("first")])
    assert pricer.begun.acquire(timeout=30)
    yield found
    pricer.gate.set()
    found.close()


def test_what_waits_is_priced_together(desk: Batcher, pricer: FakePricer) -> None:
    """Up to the size of a batch, each with its own answer."""
    texts = [f"tea {number}" for number in range(6)]
    futures = [desk.submit([Product(text)]) for text in texts]
    pricer.gate.set()
    prices = [future.result(30)[0].price for future in futures]
    assert prices == [price_of(Product(text)) for text in texts]
    assert pricer.sizes == [1, 4, 2]


def test_only_what_asks_alike_is_priced_together(desk: Batcher, pricer: FakePricer) -> None:
    """Who asks for similar products does not make all others wait for them."""
    futures = [desk.submit([Product("tea")], similar=number // 2) for number in range(4)]
    pricer.gate.set()
    assert [len(future.result(30)[0].similar) for future in futures] == [0, 0, 1, 1]
    assert pricer.sizes == [1, 2, 2]


def test_a_group_stays_together(desk: Batcher, pricer: FakePricer) -> None:
    """Even where it is larger than a batch."""
    future = desk.submit([Product(str(number)) for number in range(6)])
    pricer.gate.set()
    assert len(future.result(30)) == 6
    assert pricer.sizes == [1, 6]


def test_the_line_is_bounded(desk: Batcher) -> None:
    """One more than may wait is refused; who bounds it by itself is not."""
    for _ in range(6):
        desk.submit([Product("tea")])
    with pytest.raises(QueueFullError):
        desk.submit([Product("tea")])
    desk.submit([Product("tea")], bounded=False)
    assert desk.waiting == 7


def test_a_failure_concerns_nobody_else(desk: Batcher, pricer: FakePricer) -> None:
    """A product that cannot be priced leaves its neighbours in the batch their answers."""
    futures = [desk.submit([Product(text)]) for text in ("tea", "poison", "soup")]
    pricer.gate.set()
    assert futures[0].result(30)[0].price == price_of(Product("tea"))
    with pytest.raises(RuntimeError):
        futures[1].result(30)
    assert futures[2].result(30)[0].price == price_of(Product("soup"))


def test_what_nobody_waits_for_is_not_priced(desk: Batcher, pricer: FakePricer) -> None:
    """A future that was cancelled leaves the line."""
    left = desk.submit([Product("left")])
    stayed = desk.submit([Product("stayed")])
    assert left.cancel()
    pricer.gate.set()
    stayed.result(30)
    assert pricer.sizes == [1, 1]


def test_closing_finishes_the_line(desk: Batcher, pricer: FakePricer) -> None:
    """What waits is still priced; what comes later is refused."""
    future = desk.submit([Product("tea")])
    closer = threading.Thread(target=desk.close)
    closer.start()
    pricer.gate.set()
    closer.join()
    assert future.done()
    with pytest.raises(QueueFullError):
        desk.submit([Product("late")])
