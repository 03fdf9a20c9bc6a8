"""Fixtures for the tests of the service: a pricer without a model, and servers on loopback."""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator

import httpx
import pytest

from amlc.pricing.workers import Workers
from amlc.service.limits import Limits
from amlc.service.monitoring import JsonLines
from amlc.service.server import create_server, listen
from tests.helpers.pricing import FakePricer

Start = Callable[..., httpx.Client]


@contextlib.contextmanager
def running(
    pricer: FakePricer, *, pool: Workers | None = None, **limits: object
) -> Iterator[httpx.Client]:
    """Run a server on a free loopback port; yield a client of it."""
    listener = listen("127.0.0.1", 0)
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    server = create_server(pricer, Limits.model_validate(limits), pool)
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        with httpx.Client(base_url=address, timeout=30, trust_env=False) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def pricer() -> FakePricer:
    """Return a pricer that needs no model."""
    return FakePricer()


@pytest.fixture(scope="session")
def client() -> Iterator[httpx.Client]:
    """Return a client of a server with the default limits, one for all tests."""
    with running(FakePricer()) as shared:
        yield shared


@pytest.fixture
def start(pricer: FakePricer) -> Iterator[Start]:
    """Return a function that starts a server for one test, with some limits changed."""
    with contextlib.ExitStack() as stack:
        yield lambda **limits: stack.enter_context(running(pricer, **limits))


def logged(caplog: pytest.LogCaptureFixture, **expected: object) -> str:
    """Return the log's line on a request with these fields, which may come after its answer.

    So may the line on a request of the test before.
    """
    for _ in range(6_000):
        for record in list(caplog.records):
            line = JsonLines().format(record)
            if record.getMessage() == "request" and expected.items() <= json.loads(line).items():
                return line
        time.sleep(0.01)
    pytest.fail(f"no request with {expected} is logged")
