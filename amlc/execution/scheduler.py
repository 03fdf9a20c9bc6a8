"""What a scheduler is told to keep; it runs these functions itself."""

from collections import deque
from typing import Any

import dask

# Client and scheduler keep the last messages that they sent, for those who develop Dask. The pieces
# are in them, so that Dask's 1,000 for each worker would fill gigabytes.
KEPT_MESSAGES = 10
LOG_LENGTH = "distributed.admin.low-level-log-length"


def keep_few_messages(dask_scheduler: Any) -> None:
    """Let a scheduler keep few of the messages that it sends, to present and future workers.

    Parameters
    ----------
    dask_scheduler : distributed.Scheduler
        Under this name, Dask gives a function the scheduler that runs it.
    """
    dask.config.set({LOG_LENGTH: KEPT_MESSAGES})
    for stream in dask_scheduler.stream_comms.values():
        stream.recent_message_log = deque(stream.recent_message_log, KEPT_MESSAGES)


def keep_copies(dask_scheduler: Any) -> None:
    """Let a scheduler drop no copies of inputs; it would have to make them again.

    Every two seconds, Dask drops those that no piece waits for. Where copying takes longer, as with
    large inputs and four workers, it would never end. Its memory manager still serves workers that
    are retired.

    Parameters
    ----------
    dask_scheduler : distributed.Scheduler
        As for `keep_few_messages`.
    """
    dask_scheduler.extensions["amm"].stop()
