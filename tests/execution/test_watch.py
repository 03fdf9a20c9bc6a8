"""Operations of Dask that may never end."""

import asyncio
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from tests.helpers.loops import client_loop

pytest.importorskip("distributed", reason="needs the extra cluster")

from amlc.execution import watch
from amlc.execution.watch import watched


@pytest.fixture
def client() -> Iterator[Any]:
    """Return a client that has only an event loop."""
    with client_loop() as loop:
        yield SimpleNamespace(loop=loop)


def test_the_result_is_returned(client: Any) -> None:
    """As where the client waits itself."""
    assert watched(client, lambda: asyncio.sleep(0, 3), lambda: None) == 3


def test_what_never_ends_is_given_up(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As soon as the check raises."""
    monkeypatch.setattr(watch, "POLL_SECONDS", 0.0)

    def check() -> None:
        raise ConnectionError("a worker ended")

    with pytest.raises(ConnectionError, match="a worker ended"):
        watched(client, lambda: asyncio.Event().wait(), check)
