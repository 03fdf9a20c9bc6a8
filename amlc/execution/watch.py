"""Waiting for what Dask does only as long as the workers that it needs are there.

Some of what Dask does never ends where a worker ends meanwhile.
"""

import asyncio
import concurrent.futures
from collections.abc import Awaitable, Callable
from typing import TypeVar

from distributed import Client

ResultT = TypeVar("ResultT")

# How often the scheduler is asked whether the workers are still there.
POLL_SECONDS = 1.0


def present(client: Client) -> set[str]:
    """Return the addresses of the workers that the scheduler has now."""
    return set(client.nthreads())


def watched(
    client: Client, start: Callable[[], Awaitable[ResultT]], check: Callable[[], None]
) -> ResultT:
    """Return what something returns that runs in the client's event loop.

    Parameters
    ----------
    client : Client
        Connected to the scheduler.
    start : callable
        Called in the event loop, such as a method of the client with ``asynchronous=True``.
    check : callable
        Called each `POLL_SECONDS` meanwhile. What it raises is raised, and the caller has to end
        what it no longer waits for: Dask says on the terminal that it was cancelled.
    """

    async def run() -> ResultT:
        return await start()

    running = asyncio.run_coroutine_threadsafe(run(), client.loop.asyncio_loop)
    while not concurrent.futures.wait([running], POLL_SECONDS).done:
        check()
    return running.result()
