"""The batcher: products priced together, returned separately, in a bounded queue."""

import threading
from collections.abc import Iterator

import pytest

from amlc.pricing.estimates import Product
from amlc.service.batcher import Batcher, QueueFullError
from tests.helpers.pricing import FakePricer, price_of


@pytest.fixture
def batcher(pricer: FakePricer) -> Iterator[Batcher]:
    """Return a batcher whose one thread is held at its first product."""
    pricer.gate.clear()
    held = Batcher(pricer, workers=1, batch=4, max_queue=6)
    held.submit([Product("first")])
    assert pricer.started.acquire(timeout=30)
    yield held
    pricer.gate.set()
    held.close()


def test_products_in_the_queue_are_priced_together(batcher: Batcher, pricer: FakePricer) -> None:
    """A batch holds up to its size, and each product gets its own estimate."""
    texts = [f"tea {number}" for number in range(6)]
    futures = [batcher.submit([Product(text)]) for text in texts]
    pricer.gate.set()
    prices = [future.result(30)[0].price for future in futures]
    assert prices == [price_of(Product(text)) for text in texts]
    assert pricer.sizes == [1, 4, 2]


def test_only_equal_requests_share_a_batch(batcher: Batcher, pricer: FakePricer) -> None:
    """Requests with and without similar products are priced in separate batches."""
    futures = [batcher.submit([Product("tea")], similar=number // 2) for number in range(4)]
    pricer.gate.set()
    assert [len(future.result(30)[0].similar) for future in futures] == [0, 0, 1, 1]
    assert pricer.sizes == [1, 2, 2]


def test_products_submitted_together_stay_together(batcher: Batcher, pricer: FakePricer) -> None:
    """Products that are submitted together are one batch even if that is larger than usual."""
    future = batcher.submit([Product(str(number)) for number in range(6)])
    pricer.gate.set()
    assert len(future.result(30)) == 6
    assert pricer.sizes == [1, 6]


def test_the_queue_is_bounded(batcher: Batcher) -> None:
    """A full queue refuses products, except from a caller that bounds them by itself."""
    for _ in range(6):
        batcher.submit([Product("tea")])
    with pytest.raises(QueueFullError):
        batcher.submit([Product("tea")])
    batcher.submit([Product("tea")], background=True)
    assert batcher.waiting == 7


def test_products_that_can_wait_take_no_place(batcher: Batcher) -> None:
    """However many of them wait, the queue of the others is as long as without them."""
    for _ in range(3):
        batcher.submit([Product("rice")] * 64, background=True)
    for _ in range(6):
        batcher.submit([Product("tea")])
    with pytest.raises(QueueFullError):
        batcher.submit([Product("tea")])
    assert batcher.waiting == 3 * 64 + 6


def test_products_that_can_wait_do(batcher: Batcher, pricer: FakePricer) -> None:
    """They are priced once no others wait, in batches of their own, and none is forgotten."""
    background = [batcher.submit([Product("rice")] * 3, background=True) for _ in range(2)]
    futures = [batcher.submit([Product("tea")]) for _ in range(5)]
    pricer.gate.set()
    for future in (*futures, *background):
        future.result(30)
    assert pricer.sizes == [1, 4, 1, 3, 3]


def test_an_error_affects_only_its_own_product(batcher: Batcher, pricer: FakePricer) -> None:
    """A product that cannot be priced does not spoil the others in its batch."""
    futures = [batcher.submit([Product(text)]) for text in ("tea", "poison", "soup")]
    pricer.gate.set()
    assert futures[0].result(30)[0].price == price_of(Product("tea"))
    with pytest.raises(RuntimeError):
        futures[1].result(30)
    assert futures[2].result(30)[0].price == price_of(Product("soup"))


def test_a_cancelled_product_is_not_priced(batcher: Batcher, pricer: FakePricer) -> None:
    """A product whose future was cancelled never reaches the pricer."""
    cancelled = batcher.submit([Product("cancelled")])
    kept = batcher.submit([Product("kept")])
    assert cancelled.cancel()
    pricer.gate.set()
    kept.result(30)
    assert pricer.sizes == [1, 1]


def test_closing_prices_what_is_in_the_queue(batcher: Batcher, pricer: FakePricer) -> None:
    """Products in the queue are priced before the end; later ones are refused."""
    future = batcher.submit([Product("tea")])
    closer = threading.Thread(target=batcher.close)
    closer.start()
    pricer.gate.set()
    closer.join()
    assert future.done()
    with pytest.raises(QueueFullError):
        batcher.submit([Product("late")])
