"""What a scheduler is told to keep."""

from collections import deque
from types import SimpleNamespace

import pytest

dask = pytest.importorskip("dask", reason="needs the extra cluster")

from amlc.execution.scheduler import KEPT_MESSAGES, LOG_LENGTH, keep_few_messages


def test_a_scheduler_elsewhere_does_not_keep_them_either() -> None:
    """Neither what it has sent to its workers, nor what it will send to those that join."""
    stream = SimpleNamespace(recent_message_log=deque(range(100), maxlen=1000))
    with dask.config.set({LOG_LENGTH: 1000}):
        keep_few_messages(SimpleNamespace(stream_comms={"tcp://10.0.0.7:1": stream}))
        assert dask.config.get(LOG_LENGTH) == KEPT_MESSAGES
    assert list(stream.recent_message_log) == list(range(100 - KEPT_MESSAGES, 100))
