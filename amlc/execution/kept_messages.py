"""How many messages a scheduler keeps; it runs this itself, and has in memory what it imports."""

from collections import deque
from typing import Any

import dask

# Client and scheduler keep the last messages that they sent, for those who develop Dask. The pieces
# are in them, so that Dask's 1,000 for each worker would fill gigabytes.
KEPT_MESSAGES = 10
SETTING = "distributed.admin.low-level-log-length"


def keep_few_messages(dask_scheduler: Any) -> None:
    """Let a scheduler keep few of the messages that it sends, to present and future workers.

    Parameters
    ----------
    dask_scheduler : distributed.Scheduler
        Under this name, Dask gives a function the scheduler that runs it.
    """
    dask.config.set({SETTING: KEPT_MESSAGES})
    for stream in dask_scheduler.stream_comms.values():
        stream.recent_message_log = deque(stream.recent_message_log, KEPT_MESSAGES)
